"""The world at one moment, as plain data: what `delivery sandbox status` shows.

Everything is asked for as a client would, so what is shown is what AWS's clients are told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.config import SandboxConfig
from delivery.sandbox.inner import Inner
from delivery.sandbox.server import STATE

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Overview:
    """Asks everything of one sandbox. `faults` tells what is in force."""

    config: SandboxConfig
    inner: Inner
    faults: Callable[[], list[Row]]

    def look(self) -> dict[str, Any]:
        """One consistent look."""
        with STATE:
            clusters = [c.rsplit("/", 1)[-1] for c in self.inner.pages("ecs", "list_clusters", "clusterArns")]
            return {
                "name": self.config.name,
                "pid": os.getpid(),
                "now": CLOCK.now(),
                "scale": CLOCK.scale,
                "skew": CLOCK.skew,
                "endpoints": asdict(self.config.endpoints),
                "services": [row for cluster in clusters for row in self._services(cluster)],
                "tasks": [row for cluster in clusters for row in self._tasks(cluster)],
                "balancers": self._balancers(),
                "targets": self._targets(),
                "alarms": self._alarms(),
                "faults": self.faults(),
            }

    def _services(self, cluster: str) -> Iterable[Row]:
        arns = self.inner.pages("ecs", "list_services", "serviceArns", cluster=cluster)
        for some in _by(arns, 10):
            found = self.inner.client("ecs").describe_services(cluster=cluster, services=some)
            yield from (service_row(cluster, s) for s in found["services"])

    def _tasks(self, cluster: str) -> Iterable[Row]:
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in self.inner.pages(
                "ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus=status
            )
        ]
        for some in _by(arns, 100):
            found = self.inner.client("ecs").describe_tasks(cluster=cluster, tasks=some)
            yield from (task_row(cluster, t) for t in found["tasks"])

    def _balancers(self) -> list[Row]:
        elb = self.inner.client("elbv2")
        rows = []
        for found in self.inner.pages("elbv2", "describe_load_balancers", "LoadBalancers"):
            arn = found["LoadBalancerArn"]
            listeners = self.inner.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn)
            rows += [
                rule_row(found, listener, rule)
                for listener in listeners
                for rule in sorted(
                    elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"], key=_priority
                )
            ]
        return rows

    def _targets(self) -> list[Row]:
        elb = self.inner.client("elbv2")
        return [
            target_row(group["TargetGroupName"], described)
            for group in self.inner.pages("elbv2", "describe_target_groups", "TargetGroups")
            for described in elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                "TargetHealthDescriptions"
            ]
        ]

    def _alarms(self) -> list[Row]:
        pages = self.inner.client("cloudwatch").get_paginator("describe_alarms").paginate()
        return [
            alarm_row(alarm)
            for page in pages
            for alarm in [*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ())]
        ]


def _by(arns: list[str], number: int) -> Iterable[list[str]]:
    """In lists no longer than a call takes."""
    return (arns[at : at + number] for at in range(0, len(arns), number))


def _priority(rule: Mapping[str, Any]) -> tuple[bool, int]:
    """The order in which rules are tried; the default one is the last."""
    return (True, 0) if rule["Priority"] == "default" else (False, int(rule["Priority"]))


def service_row(cluster: str, service: Mapping[str, Any]) -> Row:
    """A service of DescribeServices."""
    deployments = service.get("deployments") or [{}]
    newest = deployments[0]
    events = service.get("events") or [{}]
    return {
        "cluster": cluster,
        "service": service["serviceName"],
        "status": service["status"],
        "desired": service["desiredCount"],
        "running": service["runningCount"],
        "pending": service["pendingCount"],
        "revision": service.get("taskDefinition", "").rsplit("/", 1)[-1],
        "deployments": len(deployments),
        "rollout": newest.get("rolloutState", ""),
        "reason": newest.get("rolloutStateReason", ""),
        "event": events[0].get("message", ""),
    }


def task_row(cluster: str, task: Mapping[str, Any]) -> Row:
    """A task of DescribeTasks."""
    containers = task.get("containers") or []
    codes = [c["exitCode"] for c in containers if c.get("exitCode") is not None]
    addresses = [
        i["privateIpv4Address"]
        for c in containers
        for i in c.get("networkInterfaces", ())
        if "privateIpv4Address" in i
    ]
    return {
        "cluster": cluster,
        "task": task["taskArn"].rsplit("/", 1)[-1],
        "of": task.get("group", "").removeprefix("service:"),
        "status": task["lastStatus"],
        "health": task.get("healthStatus", "UNKNOWN"),
        "revision": task["taskDefinitionArn"].rsplit("/", 1)[-1],
        "image": containers[0].get("image", "") if containers else "",
        "address": addresses[0] if addresses else "",
        "exit": codes[0] if codes else None,
        "reason": task.get("stoppedReason", ""),
    }


def rule_row(balancer: Mapping[str, Any], listener: Mapping[str, Any], rule: Mapping[str, Any]) -> Row:
    """A rule of DescribeRules, with the load balancer and the listener it belongs to."""
    return {
        "balancer": balancer["LoadBalancerName"],
        "address": f"{balancer['DNSName']}:{listener['Port']}",
        "priority": rule["Priority"],
        "conditions": [condition_text(c) for c in rule.get("Conditions", ())],
        "action": action_text(rule["Actions"][-1]),
        "weights": weights_of(rule["Actions"][-1]),
    }


def condition_text(condition: Mapping[str, Any]) -> str:
    """`path /api/*`, `header X-Preview: yes`, `host a.example.com`."""
    kind = str(condition["Field"])
    config: Mapping[str, Any] = next((v for k, v in condition.items() if k.endswith("Config")), {})
    values = " or ".join(str(v) for v in config.get("Values") or condition.get("Values") or ())
    word = kind.removesuffix("-pattern").removesuffix("-header")
    if kind == "http-header":
        return f"header {config.get('HttpHeaderName', '')}: {values}"
    return f"{word} {values}"


def weights_of(action: Mapping[str, Any]) -> dict[str, int]:
    """The weights of a forward action by target group's name; empty for other actions."""
    forward = action.get("ForwardConfig", {}).get("TargetGroups")
    if not forward and "TargetGroupArn" in action:
        forward = [{"TargetGroupArn": action["TargetGroupArn"]}]
    return {g["TargetGroupArn"].split("/")[-2]: int(g.get("Weight", 1)) for g in forward or ()}


def action_text(action: Mapping[str, Any]) -> str:
    """What an action does, in a few words."""
    if weights := weights_of(action):
        return ", ".join(f"{name} {weight}" for name, weight in weights.items())
    if fixed := action.get("FixedResponseConfig"):
        return f"answers {fixed['StatusCode']} {fixed.get('MessageBody', '')}".strip()
    if redirect := action.get("RedirectConfig"):
        return f"redirects ({redirect.get('StatusCode', '')})"
    return str(action["Type"])


def target_row(group: str, described: Mapping[str, Any]) -> Row:
    """A target of DescribeTargetHealth."""
    health = described["TargetHealth"]
    return {
        "group": group,
        "target": f"{described['Target']['Id']}:{described['Target'].get('Port', '')}",
        "state": health["State"],
        "reason": health.get("Reason", ""),
        "description": health.get("Description", ""),
    }


def alarm_row(alarm: Mapping[str, Any]) -> Row:
    """An alarm of DescribeAlarms."""
    metric = alarm.get("MetricName") or "metric math"
    return {
        "alarm": alarm["AlarmName"],
        "state": alarm["StateValue"],
        "watches": alarm.get("AlarmRule") or f"{metric} {alarm_condition(alarm)}",
        "reason": alarm.get("StateReason", ""),
        "since": alarm["StateUpdatedTimestamp"].timestamp() if "StateUpdatedTimestamp" in alarm else None,
    }


_SIGNS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": "≥",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}


def alarm_condition(alarm: Mapping[str, Any]) -> str:
    """`> 5 for 5 of 5 periods of 60 s`."""
    if "Threshold" not in alarm:
        return ""
    sign = _SIGNS.get(alarm.get("ComparisonOperator", ""), "?")
    periods = alarm.get("EvaluationPeriods", 1)
    needed = alarm.get("DatapointsToAlarm") or periods
    return f"{sign} {alarm['Threshold']:g} for {needed} of {periods} periods of {alarm.get('Period', 60)} s"
