"""Application Auto Scaling scales an ECS service by its metric, within bounds.

Application Auto Scaling user guide: "Register scalable targets", "Target tracking scaling policies", "Scaling
activities". API reference: "PutScalingPolicy", "DeregisterScalableTarget", "ListTagsForResource".
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import eventually

pytestmark = pytest.mark.sandbox


@dataclass
class Scaled:
    """A service of its own, and the load its policy looks at. `sandbox` runs twenty times as fast."""

    sandbox: RunningSandbox
    name: str

    def __post_init__(self) -> None:
        client = self.sandbox.client
        self.ecs, self.scaling = client("ecs"), client("application-autoscaling")
        self.cloudwatch = client("cloudwatch")
        self.resource = f"service/{self.name}/{self.name}"
        self.target = {
            "ServiceNamespace": "ecs", "ResourceId": self.resource,
            "ScalableDimension": "ecs:service:DesiredCount",
        }  # fmt: skip

    def create(self, image: str, count: int) -> None:
        """The service, of a program that waits."""
        ec2 = self.sandbox.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        self.ecs.create_cluster(clusterName=self.name)
        self.ecs.register_task_definition(
            family=self.name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256",
            memory="512", containerDefinitions=[{"name": "app", "image": image}],
        )  # fmt: skip
        self.ecs.create_service(
            cluster=self.name, serviceName=self.name, taskDefinition=self.name, desiredCount=count,
            launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
        )  # fmt: skip

    def register(self, low: int, high: int, **more: Any) -> str:
        """The scalable target."""
        made = self.scaling.register_scalable_target(MinCapacity=low, MaxCapacity=high, **self.target, **more)
        return str(made["ScalableTargetARN"])

    def track(self, target: float, **more: Any) -> dict[str, Any]:
        """A target tracking policy on the load."""
        metric = {"Namespace": "Load", "MetricName": self.name, "Statistic": "Average"}
        config = {"TargetValue": target, "CustomizedMetricSpecification": metric, **more}
        return dict(
            self.scaling.put_scaling_policy(
                PolicyName="load", PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=config, **self.target,
            )
        )  # fmt: skip

    def load(self, value: float, first: int, last: int) -> None:
        """The load in each minute from `first` to `last`, counted from now."""
        self.cloudwatch.put_metric_alarm(
            AlarmName=f"{self.name}-clock", Namespace="None", MetricName="None", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        (clock,) = self.cloudwatch.describe_alarms(AlarmNames=[f"{self.name}-clock"])["MetricAlarms"]
        now: datetime = clock["AlarmConfigurationUpdatedTimestamp"]
        data = [
            {"MetricName": self.name, "Value": value, "Timestamp": now + timedelta(minutes=minute)}
            for minute in range(first, last + 1)
        ]
        self.cloudwatch.put_metric_data(Namespace="Load", MetricData=data)

    def alarms(self) -> list[str]:
        """The names of the policy's alarms."""
        prefix = f"TargetTracking-{self.resource}-"
        found = self.cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
        return [a["AlarmName"].removeprefix(prefix)[:9] for a in found]

    def desired(self) -> int:
        """The service's desired count."""
        found = self.ecs.describe_services(cluster=self.name, services=[self.name])["services"]
        return int(found[0]["desiredCount"])

    def activities(self) -> list[dict[str, Any]]:
        """Newest first."""
        found = self.scaling.describe_scaling_activities(ServiceNamespace="ecs", ResourceId=self.resource)
        return list(found["ScalingActivities"])

    def close(self) -> None:
        """Stop its tasks."""
        self.ecs.delete_service(cluster=self.name, service=self.name, force=True)


@pytest.fixture
def scaled(compressed: RunningSandbox, app_image: str) -> Iterator[Scaled]:
    """A service with one task and no scalable target yet."""
    made = Scaled(compressed, f"s{uuid.uuid4().hex[:8]}")
    made.create(app_image, 1)
    yield made
    made.close()


def test_a_minimum_above_the_count_raises_it(scaled: Scaled) -> None:
    """Registering starts a scaling activity whose cause is the minimum, successful once the tasks run."""
    scaled.register(2, 4)
    eventually(scaled.desired, lambda n: n == 2)
    (activity,) = eventually(scaled.activities, lambda found: found[0]["StatusCode"] == "Successful")
    assert activity["Cause"] == "minimum capacity was set to 2"
    assert activity["Description"] == "Setting desired count to 2."
    assert activity["StatusMessage"] == (
        "Successfully set desired count to 2. Change successfully fulfilled by ecs."
    )
    scaled.register(1, 1)
    eventually(scaled.desired, lambda n: n == 1)
    assert scaled.activities()[0]["Cause"] == "maximum capacity was set to 1"


def test_target_tracking_scales_out_in_proportion_and_no_further_than_the_maximum(scaled: Scaled) -> None:
    """Three minutes at three times the target triple the count; the cause names alarm and policy."""
    scaled.register(1, 3)
    scaled.load(200.0, -4, 1)
    answer = scaled.track(50.0)
    assert scaled.alarms() == ["AlarmHigh", "AlarmLow-"] and len(answer["Alarms"]) == 2
    eventually(scaled.desired, lambda n: n == 3)
    (activity,) = scaled.activities()
    assert activity["Cause"].startswith(f"monitor alarm TargetTracking-{scaled.resource}-AlarmHigh-")
    assert activity["Cause"].endswith("in state ALARM triggered policy load")


def test_target_tracking_scales_in_unless_told_not_to(scaled: Scaled) -> None:
    """Fifteen minutes below nine tenths of the target; with DisableScaleIn nothing is taken away."""
    scaled.register(1, 4)
    scaled.ecs.update_service(cluster=scaled.name, service=scaled.name, desiredCount=3)
    scaled.load(10.0, -20, 3)
    scaled.track(50.0, DisableScaleIn=True)

    def low() -> str:
        (_, found) = scaled.cloudwatch.describe_alarms(AlarmNamePrefix=f"TargetTracking-{scaled.resource}-")[
            "MetricAlarms"
        ]
        return str(found["StateValue"])

    eventually(low, lambda state: state == "ALARM")
    assert scaled.desired() == 3 and scaled.activities() == []
    scaled.track(50.0)
    eventually(scaled.desired, lambda n: n == 1)


def test_suspended_scaling_does_nothing(scaled: Scaled) -> None:
    """DynamicScalingOutSuspended: the alarm fires, the count stays."""
    scaled.register(1, 4, SuspendedState={"DynamicScalingOutSuspended": True})
    scaled.load(200.0, -4, 1)
    scaled.track(50.0)
    names = f"TargetTracking-{scaled.resource}-AlarmHigh-"
    eventually(
        lambda: scaled.cloudwatch.describe_alarms(AlarmNamePrefix=names, StateValue="ALARM")["MetricAlarms"]
    )
    assert scaled.desired() == 1 and scaled.activities() == []


def test_a_policy_and_a_target_take_their_alarms_with_them(scaled: Scaled) -> None:
    """DeleteScalingPolicy removes the policy's alarms, DeregisterScalableTarget its policies too."""
    scaled.register(1, 4)
    first = scaled.track(50.0)
    assert scaled.track(60.0)["PolicyARN"] == first["PolicyARN"] and len(scaled.alarms()) == 2
    scaled.scaling.delete_scaling_policy(PolicyName="load", **scaled.target)
    assert scaled.alarms() == []
    scaled.track(50.0)
    scaled.scaling.deregister_scalable_target(**scaled.target)
    assert scaled.alarms() == []
    policies = scaled.scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=scaled.resource)
    assert policies["ScalingPolicies"] == []


def test_tags_of_a_target(scaled: Scaled) -> None:
    """Given when it is registered, added and removed later, listed by its ARN."""
    arn = scaled.register(1, 4, Tags={"team": "web"})
    scaled.scaling.tag_resource(ResourceARN=arn, Tags={"cost": "1"})
    assert scaled.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "web", "cost": "1"}
    scaled.scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert scaled.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"cost": "1"}


def test_what_is_not_there_is_an_object_not_found(scaled: Scaled) -> None:
    """Policies need a registered target; what was never registered cannot be deregistered or deleted."""
    calls = (
        lambda: scaled.track(50.0),
        lambda: scaled.scaling.deregister_scalable_target(**scaled.target),
        lambda: scaled.scaling.delete_scaling_policy(PolicyName="load", **scaled.target),
    )
    for call in calls:
        with pytest.raises(ClientError, match="ObjectNotFoundException"):
            call()


def test_wrong_targets_and_policies_are_refused(scaled: Scaled) -> None:
    """ValidationException: a maximum below the minimum, no such service, no metric, a wrong label."""
    scaled.register(1, 4)
    elsewhere = {**scaled.target, "ResourceId": "service/none/none"}
    requests = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": "wrong"}
    calls = (
        lambda: scaled.register(4, 1),
        lambda: scaled.scaling.register_scalable_target(MinCapacity=1, MaxCapacity=2, **elsewhere),
    )
    for call in calls:
        with pytest.raises(ClientError, match="ValidationException"):
            call()
    policy = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling", **scaled.target}
    for config in ({"TargetValue": 5.0}, {"TargetValue": 5.0, "PredefinedMetricSpecification": requests}):
        with pytest.raises(ClientError, match="ValidationException"):
            scaled.scaling.put_scaling_policy(TargetTrackingScalingPolicyConfiguration=config, **policy)
