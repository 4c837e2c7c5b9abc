"""Alarms and dashboard, as they were applied: the alarms say what the default rules say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from delivery.core.analysis import DEFAULT_RULES, Rule
from delivery_tests.terraform.conftest import ROOT, Project

pytestmark = [pytest.mark.terraform, pytest.mark.sandbox]

_COMPARISONS = {">": "GreaterThanThreshold", "<": "LessThanThreshold"}


def written(rule: Rule) -> dict[str, Any]:
    """The rule in CloudWatch's words, but for the length of its periods."""
    return {
        "MetricName": rule.metric, "Statistic": rule.statistic, "Threshold": float(rule.threshold),
        "ComparisonOperator": _COMPARISONS[rule.comparison], "EvaluationPeriods": rule.datapoints,
        "Namespace": "AWS/ApplicationELB",
    }  # fmt: skip


def alarm_period(file: Path) -> int:
    """The seconds that a file of Terraform's gives to `alarm_period`."""
    found = re.search(r'"?alarm_period"?\s*(?:=|\{.*?default\s*=)\s*(\d+)', file.read_text(), re.DOTALL)
    assert found, f"no alarm_period in {file}"
    return int(found[1])


@pytest.mark.parametrize("slot", ["blue", "green"])
def test_the_alarms_are_the_three_triggers_of_the_default_rules(project: Project, slot: str) -> None:
    """Each slot: 5 s in 5 periods, more than 10 errors in 1, no healthy host in 2; told to the topic."""
    contract, cloudwatch = project.contract, project.sandbox.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=list(contract.alarm_names[slot]))["MetricAlarms"]
    alarms = {alarm["MetricName"]: alarm for alarm in found}
    period = alarm_period(ROOT / "infra/environments/staging/service.tfvars")
    for rule in DEFAULT_RULES:
        alarm, wanted = alarms[rule.metric], written(rule)
        assert {name: alarm[name] for name in wanted} == wanted and alarm["Period"] == period
        dimensions = {d["Name"]: d["Value"] for d in alarm["Dimensions"]}
        assert dimensions["TargetGroup"] == contract.target_group_suffixes[slot]
        assert alarm["AlarmActions"] == [contract.topic_arn] and alarm["ActionsEnabled"]
    assert len(alarms) == len(DEFAULT_RULES)
    assert {alarm_period(ROOT / "infra/modules/observability/variables.tf")} == {r.per for r in DEFAULT_RULES}


def test_the_service_scales_at_70_percent_cpu_and_is_watched(project: Project) -> None:
    """Target tracking of both slots, and Container Insights of their cluster."""
    contract, scaling = project.contract, project.sandbox.client("application-autoscaling")
    policies = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    tracked = {
        p["ResourceId"].split("/")[-1]: p["TargetTrackingScalingPolicyConfiguration"] for p in policies
    }
    for name in contract.services.values():
        metric = tracked[name]["PredefinedMetricSpecification"]["PredefinedMetricType"]
        assert (metric, tracked[name]["TargetValue"]) == ("ECSServiceAverageCPUUtilization", 70.0)
    ecs = project.sandbox.client("ecs")
    (cluster,) = ecs.describe_clusters(clusters=[contract.cluster], include=["SETTINGS"])["clusters"]
    assert {"name": "containerInsights", "value": "enabled"} in cluster["settings"]


def test_the_dashboard_shows_both_slots_and_the_load_balancer(project: Project) -> None:
    """ECS CPU and memory of each slot; response time and requests of the load balancer, by their names."""
    contract = project.contract
    client = project.sandbox.client("cloudwatch")
    (entry,) = [
        d for d in client.list_dashboards()["DashboardEntries"] if d["DashboardName"] == contract.cluster
    ]
    body = json.loads(client.get_dashboard(DashboardName=entry["DashboardName"])["DashboardBody"])
    shown = {
        (metric[1], str(metric[-1] if isinstance(metric[-1], str) else metric[-2]))
        for widget in body["widgets"]
        for metric in widget["properties"]["metrics"]
    }
    ecs = {(n, s) for n in ("CPUUtilization", "MemoryUtilization") for s in contract.services.values()}
    balancer = {(n, contract.load_balancer_suffix) for n in ("TargetResponseTime", "RequestCount")}
    assert shown == ecs | balancer
