"""`delivery sandbox status` as people read it: from the sandbox's data to tables. Nothing runs here."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from delivery.cli.sandbox_fault import told
from delivery.cli.sandbox_status import ago, rendered
from delivery.sandbox import overview

NOW = 1_800_000_000.0


def world(**more: Any) -> dict[str, Any]:
    """An empty sandbox, with what is said."""
    endpoints = {"aws": "http://127.0.0.1:4566", "github": "http://127.0.0.1:4580", "region": "us-east-1"}
    empty: dict[str, Any] = {
        "name": "local",
        "pid": 7,
        "now": NOW,
        "scale": 1.0,
        "skew": 0.0,
        "endpoints": endpoints,
        "services": [],
        "tasks": [],
        "balancers": [],
        "targets": [],
        "alarms": [],
        "faults": [],
    }
    return {**empty, **more}


def text(seen: dict[str, Any], width: int = 120) -> str:
    """What is printed, without colours."""
    console = Console(width=width, record=True, file=None, quiet=False, no_color=True)
    with console.capture() as capture:
        console.print(rendered(seen))
    return capture.get()


SERVICE = {
    "clusterName": "shop",
    "serviceName": "web-blue",
    "status": "ACTIVE",
    "desiredCount": 2,
    "runningCount": 1,
    "pendingCount": 1,
    "taskDefinition": "arn:aws:ecs:us-east-1:1:task-definition/web:4",
    "deployments": [{"rolloutState": "IN_PROGRESS"}, {}],
    "events": [{"message": "(service web-blue) has started 1 tasks."}],
}


def test_an_empty_sandbox_shows_where_it_listens_and_no_empty_tables() -> None:
    """Only the head is left when nothing was made."""
    shown = text(world())
    assert "http://127.0.0.1:4566" in shown and "process 7" in shown and "2027-01-15" in shown
    assert all(word not in shown for word in ("Services", "Targets", "Alarms", "Faults"))


def test_a_compressed_clock_is_told() -> None:
    """Whoever reads a time must know that it runs faster."""
    assert "20 times as fast as ours" in text(world(scale=20.0))


def test_a_service_shows_its_counts_its_revision_and_its_deployment() -> None:
    """Running of desired, pending, the revision, the newest deployment's state, the last event."""
    shown = text(world(services=[overview.service_row("shop", SERVICE)]))
    assert "1/2 +1 pending" in shown and "web:4" in shown and "IN_PROGRESS (2 deployments)" in shown
    assert "has started 1 tasks." in shown and "(service" not in shown


def test_a_rule_shows_its_condition_and_its_weights() -> None:
    """Conditions in words; a forward action as weights with bars, the default rule as what it answers."""
    balancer, listener = {"LoadBalancerName": "web", "DNSName": "127.0.1.1"}, {"Port": 80}
    groups = [
        {"TargetGroupArn": f"arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/{name}/1", "Weight": weight}
        for name, weight in (("web-blue", 90), ("web-green", 10))
    ]
    header = {
        "Field": "http-header",
        "HttpHeaderConfig": {"HttpHeaderName": "X-Preview", "Values": ["yes"]},
    }
    rules = [
        {
            "Priority": "10",
            "Conditions": [header],
            "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
        },
        {
            "Priority": "default",
            "Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        },
    ]
    shown = text(world(balancers=[overview.rule_row(balancer, listener, rule) for rule in rules]))
    assert "header X-Preview: yes" in shown and "127.0.1.1:80" in shown
    assert "web-blue   90 █████████░" in shown and "web-green  10 █░░░░░░░░░" in shown
    assert "otherwise" in shown and "answers 404" in shown


def test_targets_and_alarms_show_state_and_reason() -> None:
    """Why a target is unhealthy, what an alarm watches, since when it is in its state; alarms first."""
    target = {
        "Target": {"Id": "10.0.0.3", "Port": 8080},
        "TargetHealth": {"State": "unhealthy", "Reason": "Target.ResponseCodeMismatch"},
    }
    alarm = {
        "AlarmName": "web-slow",
        "StateValue": "ALARM",
        "MetricName": "TargetResponseTime",
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 5,
        "Period": 60,
        "StateReason": "too slow",
    }
    calm = {"AlarmName": "a-calm", "StateValue": "OK", "AlarmRule": 'ALARM("web-slow")'}
    rows = [overview.alarm_row(calm), {**overview.alarm_row(alarm), "since": NOW - 180}]
    shown = text(world(targets=[overview.target_row("web-blue", target)], alarms=rows), 160)
    assert "10.0.0.3:8080" in shown and "Target.ResponseCodeMismatch" in shown
    assert "TargetResponseTime > 5 for 5 of 5 periods of 60 s" in shown and "3 min" in shown
    assert shown.index("web-slow") < shown.index("a-calm")


def test_a_stopped_task_tells_its_end() -> None:
    """Exit code and stopped reason; of many stopped tasks some are listed, and how many there are is told."""
    task = {
        "taskArn": "arn:aws:ecs:us-east-1:1:task/shop/0123456789abcdef",
        "group": "service:web-blue",
        "lastStatus": "STOPPED",
        "taskDefinitionArn": "x/web:4",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"exitCode": 137}],
    }
    shown = text(world(tasks=[overview.task_row("shop", task)] * 7), 160)
    assert shown.count("exit code 137: Essential container in task exited") == 5
    assert "and 7 stopped" in shown and "01234567" in shown and "89abcdef" not in shown


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            {
                "what": "ecs UpdateService",
                "kind": "throttle",
                "count": 3,
                "status": 400,
                "code": "ThrottlingException",
            },
            "3 more, status 400, ThrottlingException",
        ),
        (
            {
                "what": "slot web",
                "kind": "errors",
                "rate": 0.3,
                "status": 500,
                "count": 0,
                "path": "/",
                "seconds": 0.0,
            },
            "30% of requests, status 500, until cleared",
        ),
        ({"what": "clock", "kind": "skew", "seconds": 400.0}, "400 s"),
    ],
)
def test_a_fault_in_force_is_told_in_words(fault: dict[str, Any], words: str) -> None:
    """What it is about, its kind, and how long it holds."""
    assert told(fault) == (fault["what"], fault["kind"], words)


def test_how_long_ago_is_told_roughly() -> None:
    """Seconds, minutes, hours; a clock that is off gives no negative time."""
    assert [ago(s) for s in (-5, 12, 180, 7200)] == ["0 s", "12 s", "3 min", "2 h"]
