"""The stacks of `infra/`: they apply, they are then in order, and what the deployer moves is left alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from delivery.adapters.terraform.command import plugin_arguments
from delivery_tests.conftest import clean_environment
from delivery_tests.terraform.conftest import REGISTRY, ROOT, Project, quiet

pytestmark = pytest.mark.terraform
sandboxed = pytest.mark.sandbox


def terraform(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run it there; its output. A failure shows what it said."""
    done = subprocess.run(
        ["terraform", *arguments], cwd=folder, env=dict(environment or clean_environment()),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_sources_are_formatted() -> None:
    """`terraform fmt` has nothing to change."""
    assert terraform(ROOT / "infra", "fmt", "-check", "-recursive", "-list=true").strip() == ""


def test_the_stack_keeps_its_contract_and_refuses_bad_names(tmp_path: Path) -> None:
    """`terraform test` with a mocked provider: slots parked at 0, three alarms each, names AWS would take."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform*"))
    stack = tmp_path / "infra" / "stacks" / "service"
    plugins = plugin_arguments(os.environ, ROOT / ".tools")
    terraform(stack, "init", "-backend=false", "-input=false", *plugins)
    assert "3 passed, 0 failed" in terraform(stack, "test", "-no-color")


@sandboxed
def test_everything_is_created_the_first_time(project: Project) -> None:
    """The first plans create and do nothing else; nothing is replaced or destroyed."""
    assert {action for plan in project.first.values() for action in plan.counts} == {"create"}


@sandboxed
def test_the_signing_key_signs(project: Project) -> None:
    """The key that bootstrap made is known by its alias, signs with ECDSA and verifies."""
    kms = project.sandbox.client("kms")
    asked = {"KeyId": "alias/delivery-signing", "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**asked)["Signature"]
    assert kms.verify(**asked, Signature=signature)["SignatureValid"]


@sandboxed
def test_alarms_may_publish_to_the_topic(project: Project) -> None:
    """The topic's key is one that CloudWatch may use: under AWS's own key every alarm would be lost."""
    topic = project.sandbox.client("sns").get_topic_attributes(TopicArn=project.contract.topic_arn)
    kms, key = project.sandbox.client("kms"), topic["Attributes"]["KmsMasterKeyId"]
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    services = {s["Principal"].get("Service") for s in policy["Statement"]}
    assert "cloudwatch.amazonaws.com" in services


@sandboxed
def test_a_second_plan_says_no_changes(project: Project) -> None:
    """What was applied is what is there: the emulated AWS drops nothing that Terraform writes."""
    assert project.look().sentence() == "No changes"


@sandboxed
def test_the_contract_is_complete(project: Project) -> None:
    """Slots, target groups and alarms come in pairs; the repository can be pushed to; names are real."""
    contract = project.contract
    assert (
        set(contract.services)
        == set(contract.target_groups)
        == set(contract.alarm_names)
        == {"blue", "green"}
    )
    assert all(len(names) == 3 for names in contract.alarm_names.values())
    assert contract.repository_url == f"{project.sandbox.endpoints.registry}/shop"
    elb, ecs = project.sandbox.client("elbv2"), project.sandbox.client("ecs")
    rules = elb.describe_rules(RuleArns=[contract.production_rule_arn, contract.preview_rule_arn])["Rules"]
    assert {r["Priority"] for r in rules} == {"100", "10"}
    shown = ecs.describe_services(cluster=contract.cluster, services=list(contract.services.values()))
    assert [s["desiredCount"] for s in shown["services"]] == [0, 0]


@sandboxed
def test_what_the_deployer_moves_is_left_alone(project: Project) -> None:
    """Weights, task definition, desired count and scaling bounds move, and the plan still says no changes."""
    contract, client = project.contract, project.sandbox.client
    ecs = client("ecs")
    pairs = [
        {"TargetGroupArn": contract.target_groups[s], "Weight": w} for s, w in (("blue", 40), ("green", 60))
    ]
    client("elbv2").modify_rule(
        RuleArn=contract.production_rule_arn,
        Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": pairs}}],
    )
    first = ecs.describe_task_definition(taskDefinition=contract.task_family)["taskDefinition"]
    container = {**first["containerDefinitions"][0], "image": "127.0.0.1:1/no/such:image"}
    revision = ecs.register_task_definition(
        family=contract.task_family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
        cpu="256", memory="512", executionRoleArn=contract.execution_role_arn,
        taskRoleArn=contract.task_role_arn, containerDefinitions=[container],
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    green = contract.services["green"]
    ecs.update_service(cluster=contract.cluster, service=green, taskDefinition=revision, desiredCount=1)
    client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs", ScalableDimension="ecs:service:DesiredCount",
        ResourceId=f"service/{contract.cluster}/{green}", MinCapacity=1, MaxCapacity=4,
    )  # fmt: skip
    try:
        assert project.look().sentence() == "No changes"
    finally:
        ecs.update_service(cluster=contract.cluster, service=green, desiredCount=0)


@sandboxed
def test_real_drift_is_found(project: Project) -> None:
    """Somebody changes a health check by hand: the plan names it, and only it."""
    elb, group = project.sandbox.client("elbv2"), project.contract.target_groups["blue"]
    elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/by-hand")
    try:
        found = project.look()
    finally:
        elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/health")
    assert [(c.address, c.action) for c in found.changes] == [
        ('module.service.aws_lb_target_group.slot["blue"]', "update")
    ]


@sandboxed
def test_a_stack_can_be_destroyed(project: Project) -> None:
    """The registry's stack takes away what it made."""
    key, given = "terraform/other/registry.tfstate", {"service": "other", "force_delete": True}
    project.apply(REGISTRY, key, given)
    project.planner.destroy(REGISTRY, key, given, quiet)
    ecr = project.sandbox.client("ecr")
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_repositories(repositoryNames=["other"])
