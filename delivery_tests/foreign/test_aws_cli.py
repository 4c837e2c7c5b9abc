"""The AWS CLI watches a service come and go, with the waiters that its reference documents.

AWS CLI command reference: `ecs wait`, `elbv2 wait`, `cloudwatch wait`, `route53 wait`, `logs`, `s3`, `sts`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from delivery_tests.foreign.conftest import Shell
from delivery_tests.sandbox.stack import Stack, eventually

pytestmark = pytest.mark.sandbox


def test_a_service_comes_up_and_the_waiters_see_it(shell: Shell, shop: Stack) -> None:
    """`services-stable`, `tasks-running`, `target-in-service` and `load-balancer-available` end well."""
    service = shop.service("blue", shop.revision(GREETING="hello"), count=1)
    (task,) = _tasks(shell, shop, service)
    balancer = shell.aws("elbv2", "describe-load-balancers", "--names", shop.name)["LoadBalancers"][0]
    shell.together(
        ("ecs", "wait", "services-stable", "--cluster", shop.name, "--services", service),
        ("ecs", "wait", "tasks-running", "--cluster", shop.name, "--tasks", task),
        ("elbv2", "wait", "target-in-service", "--target-group-arn", shop.groups["blue"]),
        ("elbv2", "wait", "load-balancer-available", "--load-balancer-arns", balancer["LoadBalancerArn"]),
    )
    assert shop.ask()[0] == 200


def _tasks(shell: Shell, shop: Stack, service: str) -> list[str]:
    """The service's tasks once there are any; the CLI has no waiter for that."""
    listed = ("ecs", "list-tasks", "--cluster", shop.name, "--service-name", service)
    return eventually(lambda: list(shell.aws(*listed)["taskArns"]))


def test_its_words_are_found_in_the_logs(shell: Shell, shop: Stack) -> None:
    """`logs filter-log-events` finds what the container printed, by a pattern."""
    shop.ask("/hello")
    group = f"/ecs/{shop.name}"
    events = shell.aws("logs", "filter-log-events", "--log-group-name", group)["events"]
    assert events
    word = events[0]["message"].split()[0].strip('"')
    found = shell.aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", f'"{word}"')
    assert events[0]["message"] in [e["message"] for e in found["events"]]


def test_an_alarm_and_a_record_are_waited_for(shell: Shell, shop: Stack) -> None:
    """`cloudwatch wait alarm-exists` and `route53 wait resource-record-sets-changed` end well."""
    shell.aws(
        "cloudwatch", "put-metric-alarm", "--alarm-name", shop.name, "--namespace", "AWS/ApplicationELB",
        "--metric-name", "HTTPCode_Target_5XX_Count", "--statistic", "Sum", "--period", "60",
        "--evaluation-periods", "1", "--threshold", "5", "--comparison-operator", "GreaterThanThreshold",
    )  # fmt: skip
    zone = shell.aws(
        "route53", "create-hosted-zone", "--name", f"{shop.name}.test", "--caller-reference", shop.name
    )["HostedZone"]["Id"]
    record = {
        "Name": f"www.{shop.name}.test",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "127.0.9.8"}],
    }
    batch = json.dumps({"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
    change = shell.aws(
        "route53", "change-resource-record-sets", "--hosted-zone-id", zone, "--change-batch", batch
    )["ChangeInfo"]["Id"]
    shell.together(
        ("route53", "wait", "resource-record-sets-changed", "--id", change),
        ("cloudwatch", "wait", "alarm-exists", "--alarm-names", shop.name),
    )
    said = shell.refused(
        "route53", "change-resource-record-sets", "--hosted-zone-id", zone, "--change-batch", batch
    )
    assert "InvalidChangeBatch" in said


def test_files_are_copied_and_synchronised(shell: Shell, shop: Stack) -> None:
    """`s3 cp` and `s3 sync` carry files there and back; a second sync has nothing to do."""
    bucket, here = f"s3://{shop.name}", Path(shell.folder)
    site = here / "site"
    (site / "css").mkdir(parents=True)
    (site / "index.html").write_text("<h1>shop</h1>")
    (site / "css" / "own.css").write_text("h1 {}")
    (here / "big").write_bytes(bytes(9 * 1024 * 1024))  # beyond 8 MiB the CLI uploads in parts
    shell.run("aws", "s3", "mb", bucket)
    shell.run("aws", "s3", "sync", "site", f"{bucket}/site")
    shell.run("aws", "s3", "cp", "big", f"{bucket}/big")
    assert shell.run("aws", "s3", "sync", "site", f"{bucket}/site") == ""
    shell.run("aws", "s3", "cp", "--recursive", bucket, "back")
    assert (here / "back" / "big").stat().st_size == 9 * 1024 * 1024
    assert (here / "back" / "site" / "css" / "own.css").read_text() == "h1 {}"
    assert shell.run("aws", "s3", "cp", f"{bucket}/site/index.html", "-") == "<h1>shop</h1>"


def test_a_role_is_assumed(shell: Shell, shop: Stack) -> None:
    """`sts assume-role` gives credentials, and with them one is the role's session."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    role = shell.aws(
        "iam", "create-role", "--role-name", shop.name, "--assume-role-policy-document", json.dumps(trust)
    )["Role"]["Arn"]
    given = shell.aws("sts", "assume-role", "--role-arn", role, "--role-session-name", "night")["Credentials"]
    session = {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }
    other = Shell({**shell.environment, **session}, shell.folder)
    assert other.aws("sts", "get-caller-identity")["Arn"].endswith(f":assumed-role/{shop.name}/night")


def test_what_is_wrong_is_told_in_awss_words(shell: Shell, shop: Stack) -> None:
    """Unknown names are refused with the service's own error, and the CLI ends with 255."""
    for arguments, error in (
        (("ecs", "describe-services", "--cluster", "nobody", "--services", "x"), "ClusterNotFoundException"),
        (("elbv2", "describe-target-groups", "--names", "nobody"), "TargetGroupNotFound"),
        (("logs", "filter-log-events", "--log-group-name", "nobody"), "ResourceNotFoundException"),
        (("ecr", "describe-images", "--repository-name", "nobody"), "RepositoryNotFoundException"),
        (("ssm", "get-parameter", "--name", "/nobody"), "ParameterNotFound"),
    ):
        assert error in shell.refused(*arguments)


def test_the_service_goes_and_the_waiters_see_it(shell: Shell, shop: Stack) -> None:
    """`services-inactive`, `tasks-stopped` and `target-deregistered` end well."""
    service, group = f"{shop.name}-blue", shop.groups["blue"]
    (task,) = _tasks(shell, shop, service)
    (target,) = shell.aws("elbv2", "describe-target-health", "--target-group-arn", group)[
        "TargetHealthDescriptions"
    ]
    delay = "Key=deregistration_delay.timeout_seconds,Value=2"  # else it drains for five minutes, as on AWS
    shell.aws("elbv2", "modify-target-group-attributes", "--target-group-arn", group, "--attributes", delay)
    shell.aws("ecs", "update-service", "--cluster", shop.name, "--service", service, "--desired-count", "0")
    shell.aws("ecs", "delete-service", "--cluster", shop.name, "--service", service)
    shell.together(
        ("ecs", "wait", "services-inactive", "--cluster", shop.name, "--services", service),
        ("ecs", "wait", "tasks-stopped", "--cluster", shop.name, "--tasks", task),
        (
            "elbv2",
            "wait",
            "target-deregistered",
            "--target-group-arn",
            group,
            "--targets",
            f"Id={target['Target']['Id']},Port=8080",
        ),
    )
