"""A load-balanced ECS service with two slots, made with plain boto3 calls, as a stranger would."""

from __future__ import annotations

import http.client
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from delivery_tests.conftest import RunningSandbox

T = TypeVar("T")
PREVIEW = ("X-Preview", "yes")


def eventually(look: Callable[[], T], true: Callable[[T], Any] = bool, seconds: float = 30.0) -> T:
    """What `look` sees once `true` says so; AssertionError with the last sight when it never does."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if true(seen):
            return seen
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {seen}"
        time.sleep(0.1)


@dataclass
class Stack:
    """One cluster, one load balancer, services behind it. Health is asked for every second."""

    sandbox: RunningSandbox
    image: str
    name: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        client = self.sandbox.client
        self.ecs, self.elb, self.cloudwatch = client("ecs"), client("elbv2"), client("cloudwatch")
        self.logs = client("logs")
        self.logs.create_log_group(logGroupName=f"/ecs/{self.name}")
        self.ecs.create_cluster(clusterName=self.name)
        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=zone)["Subnet"][
                "SubnetId"
            ]
            for n, zone in enumerate(("us-east-1a", "us-east-1b"))
        ]
        self.vpc, self.subnets = vpc, subnets
        balancer = self.elb.create_load_balancer(Name=self.name, Subnets=subnets)["LoadBalancers"][0]
        self.balancer_arn, self.address = balancer["LoadBalancerArn"], balancer["DNSName"]
        fixed = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no route"}
        self.listener_arn = self.elb.create_listener(
            LoadBalancerArn=self.balancer_arn, Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
        )["Listeners"][0]["ListenerArn"]  # fmt: skip
        self.groups: dict[str, str] = {}
        self.rule_arn = ""

    def group(self, slot: str, path: str = "/health") -> str:
        """A target group whose targets are asked every second and must answer twice."""
        made = self.elb.create_target_group(
            Name=f"{self.name}-{slot}", Protocol="HTTP", Port=8080, VpcId=self.vpc, TargetType="ip",
            HealthCheckPath=path, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2, UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        self.groups[slot] = made
        return str(made)

    def route(self, **weights: int) -> None:
        """Weights of the production rule; made with the first call."""
        pairs = [{"TargetGroupArn": self.groups[s], "Weight": w} for s, w in weights.items()]
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": pairs}}]
        if self.rule_arn:
            self.elb.modify_rule(RuleArn=self.rule_arn, Actions=actions)
            return
        conditions = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}]
        self.rule_arn = self.elb.create_rule(
            ListenerArn=self.listener_arn, Priority=100, Conditions=conditions, Actions=actions
        )["Rules"][0]["RuleArn"]

    def preview(self, slot: str) -> None:
        """The rule that sends requests with the preview header to one slot."""
        header = {"HttpHeaderName": PREVIEW[0], "Values": [PREVIEW[1]]}
        self.elb.create_rule(
            ListenerArn=self.listener_arn, Priority=10,
            Conditions=[{"Field": "http-header", "HttpHeaderConfig": header}],
            Actions=[{"Type": "forward", "TargetGroupArn": self.groups[slot]}],
        )  # fmt: skip

    def revision(self, image: str = "", family: str = "", **environment: str) -> str:
        """Register a task definition of the tests' program."""
        options = {"awslogs-group": f"/ecs/{self.name}", "awslogs-region": "us-east-1",
                   "awslogs-stream-prefix": "app"}  # fmt: skip
        container = {
            "name": "app", "image": image or self.image, "essential": True, "stopTimeout": 5,
            "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
            "environment": [{"name": k, "value": v} for k, v in environment.items()],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
        }  # fmt: skip
        made = self.ecs.register_task_definition(
            family=family or self.name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
            cpu="256", memory="512", containerDefinitions=[container],
            executionRoleArn="arn:aws:iam::123456789012:role/execution",
        )  # fmt: skip
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def service(self, slot: str, revision: str, count: int = 1, **more: Any) -> str:
        """A service, in the slot's target group if it has one."""
        balancers = [
            {"targetGroupArn": self.groups[slot], "containerName": "app", "containerPort": 8080}
        ] if slot in self.groups else []  # fmt: skip
        network = {"awsvpcConfiguration": {"subnets": self.subnets, "assignPublicIp": "DISABLED"}}
        name = f"{self.name}-{slot}"
        self.ecs.create_service(
            cluster=self.name, serviceName=name, taskDefinition=revision, desiredCount=count,
            launchType="FARGATE", networkConfiguration=network, loadBalancers=balancers, **more,
        )  # fmt: skip
        return name

    def stable(self, *services: str) -> None:
        """What `aws ecs wait services-stable` does."""
        waiter = self.ecs.get_waiter("services_stable")
        waiter.wait(cluster=self.name, services=list(services), WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def completed(self, service: str) -> dict[str, Any]:
        """The service once its newest deployment is COMPLETED."""
        return eventually(
            lambda: self.look(service), lambda s: s["deployments"][0]["rolloutState"] == "COMPLETED", 60
        )

    def look(self, service: str) -> dict[str, Any]:
        """The service as DescribeServices shows it."""
        found = self.ecs.describe_services(cluster=self.name, services=[service])
        return dict(found["services"][0])

    def tasks(self, service: str, status: str = "RUNNING") -> list[dict[str, Any]]:
        """The service's tasks as DescribeTasks shows them, newest first."""
        arns = self.ecs.list_tasks(cluster=self.name, serviceName=service, desiredStatus=status)["taskArns"]
        if not arns:
            return []
        return list(self.ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"])

    def health(self, slot: str) -> list[tuple[str, str]]:
        """State and reason of the slot's targets."""
        found = self.elb.describe_target_health(TargetGroupArn=self.groups[slot])
        targets = [t["TargetHealth"] for t in found["TargetHealthDescriptions"]]
        return [(t["State"], t.get("Reason", "")) for t in targets]

    def ask(self, path: str = "/", preview: bool = False) -> tuple[int, str]:
        """One request to the load balancer; 0 when it could not be asked at all."""
        connection = http.client.HTTPConnection(self.address, 80, timeout=10)
        try:
            connection.request("GET", path, headers=dict([PREVIEW]) if preview else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def ask_many(self, count: int, path: str = "/") -> Counter[tuple[int, str]]:
        """How many requests were answered how."""
        with ThreadPoolExecutor(8) as pool:
            return Counter(pool.map(lambda _: self.ask(path), range(count)))

    def dimensions(self, slot: str = "") -> list[dict[str, str]]:
        """CloudWatch's dimensions of the load balancer, with the slot's target group if one is named."""
        arns = {"LoadBalancer": self.balancer_arn.split(":loadbalancer/")[1]}
        if slot:
            arns["TargetGroup"] = self.groups[slot].rsplit(":", 1)[1]
        return [{"Name": k, "Value": v} for k, v in arns.items()]

    def total(self, metric: str, slot: str = "", statistic: str = "Sum") -> list[float]:
        """The metric's values of the last five minutes, one per 10 s, oldest first."""
        stat = {
            "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": metric,
                       "Dimensions": self.dimensions(slot)},
            "Period": 10, "Stat": statistic,
        }  # fmt: skip
        now = time.time()
        found = self.cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
            StartTime=now - 300, EndTime=now + 60, ScanBy="TimestampAscending",
        )  # fmt: skip
        return [float(v) for v in found["MetricDataResults"][0]["Values"]]

    def close(self) -> None:
        """Stop its tasks, so that the next test has the machine to itself."""
        for arn in self.ecs.list_services(cluster=self.name)["serviceArns"]:
            self.ecs.delete_service(cluster=self.name, service=arn, force=True)
        for arn in [self.balancer_arn]:
            self.elb.delete_load_balancer(LoadBalancerArn=arn)


def messages(sqs: Any, url: str) -> Iterable[dict[str, Any]]:
    """What lies in a queue, taken out of it."""
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return list(found)
