"""What CreateService and UpdateService refuse, in ECS's own words. Raises moto's exceptions; changes nothing.

Source: "CreateService" in the ECS API reference
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html); the sentences are those
that the service answers with, where they are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException

Asked = Mapping[str, Any]
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TOKEN = re.compile(r"[!-~]{1,36}")
_ONE_OF = {
    "launchType": ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"),
    "schedulingStrategy": ("REPLICA", "DAEMON"),
    "propagateTags": ("TASK_DEFINITION", "SERVICE", "NONE"),
    "availabilityZoneRebalancing": ("ENABLED", "DISABLED"),
}
_THRESHOLDS = ("COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT")


class UnsupportedFeatureException(ECSException):
    """What AWS can do and nobody here plays: better refused than ignored."""

    def __init__(self, what: str) -> None:
        super().__init__("UnsupportedFeatureException", f"The sandbox does not play {what}.")


def refuse(reason: str) -> None:
    """InvalidParameterException, if there is a reason."""
    if reason:
        raise InvalidParameterException(reason)


def check_request(asked: Asked) -> None:
    """What can be seen in a request alone, of CreateService or UpdateService."""
    for name, allowed in _ONE_OF.items():
        value = asked.get(name)
        refuse(f"{name} should be one of [{','.join(allowed)}]" if value and value not in allowed else "")
    refuse(_counts(asked))
    if asked.get("launchType") and asked.get("capacityProviderStrategy"):
        refuse(
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again."
        )
    _controller(asked)
    _configuration(asked.get("deploymentConfiguration") or {})


def check_new(asked: Asked) -> None:
    """What only CreateService asks for."""
    name = str(asked.get("serviceName") or "")
    refuse("" if _NAME.fullmatch(name) else "Service name contains invalid characters or is too long.")
    token = asked.get("clientToken")
    refuse("Invalid clientToken." if token and not _TOKEN.fullmatch(str(token)) else "")
    if not asked.get("taskDefinition"):
        refuse("TaskDefinition can not be blank.")
    if asked.get("schedulingStrategy") == "DAEMON":
        fargate = "Daemon scheduling strategy is not supported for Fargate."
        refuse(fargate if asked.get("launchType") == "FARGATE" else "")
        raise UnsupportedFeatureException("the scheduling strategy DAEMON, for it has no container instances")
    if asked.get("desiredCount") is None:
        refuse("Desired count is required for the scheduling strategy REPLICA.")


def _counts(asked: Asked) -> str:
    if (asked.get("desiredCount") or 0) < 0:
        return "Desired count cannot be less than 0."
    grace = asked.get("healthCheckGracePeriodSeconds") or 0
    if not 0 <= grace <= 2**31 - 1:
        return "Health check grace period must be between 0 and 2147483647 seconds."
    return ""


def _controller(asked: Asked) -> None:
    kind = (asked.get("deploymentController") or {}).get("type") or "ECS"
    allowed = ("ECS", "CODE_DEPLOY", "EXTERNAL")
    refuse("" if kind in allowed else f"deploymentController type should be one of [{','.join(allowed)}]")
    if kind != "ECS":
        raise UnsupportedFeatureException(f"the deployment controller {kind}, only ECS")


def _configuration(conf: Asked) -> None:
    strategy = conf.get("strategy") or "ROLLING"
    allowed = ("ROLLING", "BLUE_GREEN", "LINEAR", "CANARY")
    refuse("" if strategy in allowed else f"strategy should be one of [{','.join(allowed)}]")
    if strategy != "ROLLING":
        raise UnsupportedFeatureException(f"the deployment strategy {strategy}, only ROLLING")
    if conf.get("lifecycleHooks"):
        raise UnsupportedFeatureException("deployment lifecycle hooks")
    refuse(
        _percentages(conf) or _breaker(conf.get("deploymentCircuitBreaker")) or _alarms(conf.get("alarms"))
    )


def _percentages(conf: Asked) -> str:
    minimum, maximum = conf.get("minimumHealthyPercent"), conf.get("maximumPercent")
    if minimum is not None and not 0 <= minimum <= 100:
        return "minimumHealthyPercent must be between 0 and 100."
    if maximum is not None and maximum < max(1, minimum or 0):
        return "maximumPercent must be greater than 0 and not less than minimumHealthyPercent."
    return ""


def _breaker(breaker: Asked | None) -> str:
    if breaker is None:
        return ""
    if not isinstance(breaker.get("enable"), bool) or not isinstance(breaker.get("rollback"), bool):
        return "deploymentCircuitBreaker must say enable and rollback."
    threshold = breaker.get("thresholdConfiguration")
    if threshold is None:
        return ""
    if threshold.get("type") not in _THRESHOLDS:
        return f"thresholdConfiguration type should be one of [{','.join(_THRESHOLDS)}]"
    return "" if int(threshold.get("value") or 0) > 0 else "thresholdConfiguration value must be positive."


def _alarms(alarms: Asked | None) -> str:
    if alarms is None or not alarms.get("enable") or alarms.get("alarmNames"):
        return ""
    return "alarmNames must name at least one alarm."


def check_definition(definition: Any, asked: Asked) -> None:
    """The task definition fits the launch type and the network configuration (of the service to be)."""
    if definition.status == "INACTIVE":
        raise EcsClientException("TaskDefinition is inactive")
    launch = asked.get("launchType")
    if launch == "FARGATE" and "FARGATE" not in (definition.compatibilities or ()):
        refuse("Task definition does not support launch_type FARGATE.")
    given = bool((asked.get("networkConfiguration") or {}).get("awsvpcConfiguration"))
    needed = definition.network_mode == "awsvpc"
    if needed and not given:
        refuse("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if given and not needed:
        refuse("Network Configuration is not valid for the given networkMode of this task definition.")


def check_balancers(definition: Any, asked: Asked, elb: Callable[[], Any]) -> None:
    """Each target group exists and is used by a load balancer; each container and port is defined."""
    balancers = asked.get("loadBalancers") or ()
    refuse("load balancers can have at most 5 items." if len(balancers) > 5 else "")
    ports = {
        c["name"]: {int(p["containerPort"]) for p in c.get("portMappings") or ()}
        for c in definition.container_definitions
    }
    for balancer in balancers:
        name, port = balancer.get("containerName"), balancer.get("containerPort")
        if not name:
            refuse("Container Name can not be blank.")
        if name not in ports:
            refuse(f"The container {name} does not exist in the task definition.")
        if port is None or int(port) not in ports[name]:
            refuse(f"The container {name} did not have a container port {port} defined.")
        _group(balancer, definition.network_mode, elb())


def _group(balancer: Asked, network_mode: str, elb: Any) -> None:
    arn = balancer.get("targetGroupArn")
    if not arn:
        refuse(f"The load balancer {balancer.get('loadBalancerName') or ''} does not exist.")
    group = elb.target_groups.get(arn)
    if group is None:
        refuse(f"The target group with targetGroupArn {arn} does not exist.")
    if network_mode == "awsvpc" and group.target_type != "ip":
        refuse(
            f"The provided target group {arn} has target type {group.target_type}, which is incompatible "
            "with the awsvpc network mode specified in the task definition."
        )
    if not group.load_balancer_arns:
        refuse(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")
