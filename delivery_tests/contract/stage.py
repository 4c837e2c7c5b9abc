"""A service's infrastructure in the sandbox, made with plain calls in a second (Terraform takes a hundred).

The same shape as `infra/modules/service`: two ECS services with a target group each, one weighted production
rule, one preview rule, autoscaling, logs. Health is checked every two seconds, which AWS would not allow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from delivery.core.infra import DeployContract
from delivery_tests.contract.programs import PORT

PREVIEW_HEADER, PREVIEW_VALUE = "X-Delivery-Preview", "candidate"


class Stage:
    """One environment. `client` makes boto3 clients of the sandbox."""

    def __init__(self, client: Callable[[str], Any], name: str) -> None:
        self.client, self.name = client, name
        self.elb, self.ecs = client("elbv2"), client("ecs")
        balancer = self._balancer()
        self.contract = self._contract(balancer, *self._rules(balancer["LoadBalancerArn"]))
        self._services()

    def _balancer(self) -> dict[str, Any]:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(
                VpcId=vpc,
                CidrBlock=f"10.9.{n}.0/24",
                AvailabilityZone=f"{self.client('ec2').meta.region_name}{zone}",
            )["Subnet"]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        self.groups = {slot: self._group(slot, vpc) for slot in ("blue", "green")}
        made = self.elb.create_load_balancer(Name=self.name, Subnets=self.subnets, Type="application")
        return dict(made["LoadBalancers"][0])

    def _group(self, slot: str, vpc: str) -> str:
        lenient = boto3.client(
            "elbv2",
            endpoint_url=self.elb.meta.endpoint_url,
            region_name=self.elb.meta.region_name,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
            config=Config(parameter_validation=False),
        )
        made = lenient.create_target_group(
            Name=f"{self.name}-{slot}",
            Protocol="HTTP",
            Port=PORT,
            VpcId=vpc,
            TargetType="ip",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=3,
            Matcher={"HttpCode": "200"},
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def _rules(self, balancer: str) -> tuple[str, str, str]:
        """The ARNs of the listener, its production rule and its preview rule."""
        listener = self.elb.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[
                {
                    "Type": "fixed-response",
                    "FixedResponseConfig": {
                        "StatusCode": "404",
                        "ContentType": "text/plain",
                        "MessageBody": "no route",
                    },
                }
            ],
        )["Listeners"][0]["ListenerArn"]
        weighted = [{"TargetGroupArn": self.groups[s], "Weight": w} for s, w in (("blue", 1), ("green", 0))]
        production = self._rule(
            listener,
            100,
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}},
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": weighted,
                    "TargetGroupStickinessConfig": {"Enabled": False, "DurationSeconds": 1},
                },
            },
        )
        preview = self._rule(
            listener,
            10,
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": PREVIEW_HEADER, "Values": [PREVIEW_VALUE]},
            },
            {"Type": "forward", "TargetGroupArn": self.groups["green"]},
        )
        return listener, production, preview

    def _rule(self, listener: str, priority: int, condition: Any, action: Any) -> str:
        made = self.elb.create_rule(
            ListenerArn=listener, Priority=priority, Conditions=[condition], Actions=[action]
        )
        return str(made["Rules"][0]["RuleArn"])

    def _contract(
        self, balancer: dict[str, Any], listener: str, production: str, preview: str
    ) -> DeployContract:
        options = {
            "awslogs-group": f"/ecs/{self.name}",
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "app",
        }
        role = "arn:aws:iam::123456789012:role/stage"
        return DeployContract(
            service="stage",
            environment="test",
            region="us-east-1",
            cluster=self.name,
            task_family=self.name,
            container_name="app",
            container_port=PORT,
            listener_arn=listener,
            production_rule_arn=production,
            preview_rule_arn=preview,
            services={slot: f"{self.name}-{slot}" for slot in self.groups},
            target_groups=self.groups,
            target_group_suffixes={slot: arn.rsplit(":", 1)[-1] for slot, arn in self.groups.items()},
            load_balancer_suffix=balancer["LoadBalancerArn"].rsplit(":", 1)[-1].removeprefix("loadbalancer/"),
            load_balancer_dns=balancer["DNSName"],
            load_balancer_zone=balancer["CanonicalHostedZoneId"],
            min_capacity=1,
            max_capacity=4,
            cpu=256,
            memory=512,
            execution_role_arn=role,
            task_role_arn=role,
            log_group=f"/ecs/{self.name}",
            subnets=tuple(self.subnets),
            repository_url="",
            topic_arn="",
            alarm_names={"blue": (), "green": ()},
            task_template={
                "name": "app",
                "essential": True,
                "readonlyRootFilesystem": True,
                "stopTimeout": 2,
                "portMappings": [{"containerPort": PORT, "protocol": "tcp"}],
                "environment": [{"name": "DELIVERY_COLOUR", "value": "teal"}],
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            },
            preview_header_name=PREVIEW_HEADER,
            preview_header_value=PREVIEW_VALUE,
        )

    def _services(self) -> None:
        self.client("logs").create_log_group(logGroupName=f"/ecs/{self.name}")
        self.ecs.create_cluster(clusterName=self.name)
        self.bootstrap = self.ecs.register_task_definition(
            family=self.name,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=self.contract.execution_role_arn,
            containerDefinitions=[{**self.contract.task_template, "image": "busybox:stable"}],
        )["taskDefinition"]["taskDefinitionArn"]
        for slot, name in self.contract.services.items():
            self.ecs.create_service(
                cluster=self.name,
                serviceName=name,
                taskDefinition=self.bootstrap,
                desiredCount=0,
                launchType="FARGATE",
                networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": []}},
                loadBalancers=[
                    {"targetGroupArn": self.groups[slot], "containerName": "app", "containerPort": PORT}
                ],
                deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
                healthCheckGracePeriodSeconds=10,  # a busy machine takes its time to start Python
            )
            self.client("application-autoscaling").register_scalable_target(
                ServiceNamespace="ecs",
                ResourceId=f"service/{self.name}/{name}",
                MinCapacity=0,
                MaxCapacity=0,
                ScalableDimension="ecs:service:DesiredCount",
            )

    def bounds(self) -> dict[str, tuple[int, int]]:
        """Autoscaling's bounds per slot."""
        ids = [f"service/{self.name}/{name}" for name in self.contract.services.values()]
        found = self.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=ids
        )
        by_id = {t["ResourceId"]: (t["MinCapacity"], t["MaxCapacity"]) for t in found["ScalableTargets"]}
        return {slot: by_id[f"service/{self.name}/{name}"] for slot, name in self.contract.services.items()}

    def revisions(self) -> list[str]:
        """Every revision of the family but the first, which Terraform made."""
        found = self.ecs.list_task_definitions(familyPrefix=self.name)["taskDefinitionArns"]
        return [arn for arn in found if arn != self.bootstrap]

    def actions(self, rule_arn: str) -> list[dict[str, Any]]:
        """A rule's actions, as anybody may read them."""
        return list(self.elb.describe_rules(RuleArns=[rule_arn])["Rules"][0]["Actions"])

    def healthy(self, slot: str) -> list[str]:
        """The slot's healthy targets, as the load balancer sees them."""
        found = self.elb.describe_target_health(TargetGroupArn=self.groups[slot])["TargetHealthDescriptions"]
        return [t["Target"]["Id"] for t in found if t["TargetHealth"]["State"] == "healthy"]

    def close(self) -> None:
        """Stop its tasks and free its address."""
        for task in self.ecs.list_tasks(cluster=self.name, family=self.name)["taskArns"]:
            self.ecs.stop_task(cluster=self.name, task=task)
        for arn in self.ecs.list_services(cluster=self.name)["serviceArns"]:
            self.ecs.update_service(cluster=self.name, service=arn, desiredCount=0)
        balancer = self.elb.describe_load_balancers(Names=[self.name])["LoadBalancers"][0]["LoadBalancerArn"]
        self.elb.delete_load_balancer(LoadBalancerArn=balancer)
