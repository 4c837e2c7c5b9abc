"""Application Auto Scaling's probes."""

from typing import Any

from delivery_tests.sandbox.patches.cloudwatch import refused
from delivery_tests.sandbox.patches.probing import Caller, probe


def _service(caller: Caller) -> dict[str, Any]:
    """A service without tasks; its scalable target's identity."""
    ecs = caller.client("ecs")
    _, subnets = caller.network()
    ecs.create_cluster(clusterName=caller.name)
    ecs.register_task_definition(
        family=caller.name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256",
        memory="512", containerDefinitions=[{"name": "app", "image": "none", "memory": 64}],
    )  # fmt: skip
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": []}}
    ecs.create_service(
        cluster=caller.name, serviceName=caller.name, taskDefinition=caller.name, desiredCount=0,
        launchType="FARGATE", networkConfiguration=network,
    )  # fmt: skip
    return {
        "ServiceNamespace": "ecs", "ResourceId": f"service/{caller.name}/{caller.name}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }  # fmt: skip


def _track(caller: Caller, target: dict[str, Any]) -> Any:
    metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    config = {"TargetValue": 70.0, "PredefinedMetricSpecification": metric}
    return caller.client("application-autoscaling").put_scaling_policy(
        PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=config,
        **target,
    )  # fmt: skip


@probe("patches.autoscaling.scalable_target_tags")
def scalable_target_tags(caller: Caller) -> None:
    """ListTagsForResource tells the tags a scalable target was registered with."""
    scaling = caller.client("application-autoscaling")
    arn = scaling.register_scalable_target(
        MinCapacity=0, MaxCapacity=0, Tags={"team": "web"}, **_service(caller)
    )["ScalableTargetARN"]
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "web"}


@probe("patches.autoscaling.checked_targets")
def checked_targets(caller: Caller) -> None:
    """A maximum below the minimum is refused."""
    register = caller.client("application-autoscaling").register_scalable_target
    refused(register, "ValidationException", MinCapacity=2, MaxCapacity=1, **_service(caller))


@probe("patches.autoscaling.deregistered_targets")
def deregistered_targets(caller: Caller) -> None:
    """What was never registered is an object that was not found."""
    deregister = caller.client("application-autoscaling").deregister_scalable_target
    refused(deregister, "ObjectNotFoundException", **_service(caller))


@probe("patches.autoscaling.policies_of_targets")
def policies_of_targets(caller: Caller) -> None:
    """A policy needs a registered target."""
    target = _service(caller)
    refused(lambda: _track(caller, target), "ObjectNotFoundException")


@probe("patches.autoscaling.tracking_alarms")
def tracking_alarms(caller: Caller) -> None:
    """The policy's alarms are at its target, and at nine tenths of it."""
    target = _service(caller)
    scaling = caller.client("application-autoscaling")
    scaling.register_scalable_target(MinCapacity=0, MaxCapacity=0, **target)
    _track(caller, target)
    prefix = f"TargetTracking-{target['ResourceId']}"
    found = caller.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
    assert sorted(a["Threshold"] for a in found) == [63.0, 70.0]


@probe("patches.autoscaling.scaling_activities")
def scaling_activities(caller: Caller) -> None:
    """Nothing was scaled, and one may ask."""
    scaling = caller.client("application-autoscaling")
    assert scaling.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"] is not None
