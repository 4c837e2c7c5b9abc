"""Terraform with the AWS provider makes a stack of its own, finds it in order, and takes all of it back."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from delivery_tests.conftest import RunningSandbox
from delivery_tests.foreign.conftest import Stranger
from delivery_tests.sandbox.stack import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.terraform]


def test_it_is_applied_and_then_in_order(stranger: Stranger, sandbox: RunningSandbox) -> None:
    """`apply` makes all, the service answers behind it, and `plan -detailed-exitcode` ends with 0."""
    assert "0 changed, 0 destroyed" in stranger.applied.result()
    stranger.run("plan", "-detailed-exitcode", "-input=false")
    ecs = sandbox.client("ecs")
    eventually(lambda: _service(ecs, stranger.name)["runningCount"] == 1)
    address = json.loads(stranger.run("output", "-json"))["address"]["value"]
    eventually(lambda: requests.get(f"http://{address}/shop/", timeout=10).status_code == 200)


def test_it_is_destroyed_and_nothing_is_left(stranger: Stranger, sandbox: RunningSandbox) -> None:
    """`destroy` takes all of it: nothing of the stack remains, in any service."""
    stranger.run("destroy", "-auto-approve", "-input=false")
    assert _left(sandbox, stranger.name) == {}


def _service(ecs: Any, name: str) -> dict[str, Any]:
    return dict(ecs.describe_services(cluster=name, services=[name])["services"][0])


def _left(sandbox: RunningSandbox, name: str) -> dict[str, Any]:
    """What is still there of the stack, by kind."""
    client, prefix = sandbox.client, f"/{name}"
    tags = [{"Name": "tag:Name", "Values": [name]}]
    found = {
        "services": [s for c in client("ecs").list_clusters()["clusterArns"] if c.endswith(prefix)
                     for s in client("ecs").list_services(cluster=c)["serviceArns"]],
        "clusters": [c for c in client("ecs").list_clusters()["clusterArns"] if c.endswith(prefix)],
        "balancers": [b for b in client("elbv2").describe_load_balancers()["LoadBalancers"]
                      if b["LoadBalancerName"] == name],
        "groups": [g for g in client("elbv2").describe_target_groups()["TargetGroups"]
                   if g["TargetGroupName"].startswith(name)],
        "alarms": client("cloudwatch").describe_alarms(AlarmNamePrefix=name)["MetricAlarms"],
        "zones": [z for z in client("route53").list_hosted_zones()["HostedZones"] if name in z["Name"]],
        "repositories": [r for r in client("ecr").describe_repositories()["repositories"]
                         if r["repositoryName"] == name],
        "parameters": client("ssm").get_parameters_by_path(Path=prefix)["Parameters"],
        "targets": [t for t in client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs")["ScalableTargets"] if t["ResourceId"].endswith(prefix)],
        "networks": client("ec2").describe_vpcs(Filters=tags)["Vpcs"],
        "topics": [t for t in client("sns").list_topics()["Topics"] if t["TopicArn"].endswith(f":{name}")],
        "roles": [r for r in client("iam").list_roles()["Roles"] if r["RoleName"].startswith(name)],
        "logs": client("logs").describe_log_groups(logGroupNamePrefix="/stranger/")["logGroups"],
    }  # fmt: skip
    return {kind: what for kind, what in found.items() if what}
