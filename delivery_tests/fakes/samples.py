"""A service, its contract, its commits and releases, as tests use them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

from delivery.core.analysis import Rule
from delivery.core.build import PushedImage, SourceSnapshot
from delivery.core.infra import DeployContract
from delivery.core.release import Commit, Image, Release
from delivery.core.rollout import Limits
from delivery.core.service import (
    EnvironmentSpec,
    GateSpec,
    ImageSpec,
    PromotionSpec,
    RepositorySpec,
    ServiceSpec,
    TerraformSpec,
)
from delivery.core.strategy import BlueGreen, Canary, Strategy
from delivery_tests.fakes.clock import EPOCH

REPOSITORY_URL = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/web"

ALARMS = ("response-time", "5xx", "healthy-hosts")
#: The three triggers of the source design with CloudWatch's shortest period.
FAST_RULES = (
    Rule("response_time", "TargetResponseTime", "Average", ">", 5.0, per=10, duration=30),
    Rule("target_5xx", "HTTPCode_Target_5XX_Count", "Sum", ">", 10, per=10, duration=10, no_data="zero"),
    Rule("healthy_hosts", "HealthyHostCount", "Minimum", "<", 1, per=10, duration=20, no_data="fail"),
)
FAST_LIMITS = Limits(
    launch_timeout=60, shift_timeout=20, inconclusive_timeout=60, error_budget=5, failed_tasks=3, tick=2
)


def sample_sha(name: str) -> str:
    """A full sha for a short name: `sample_sha("a")`."""
    return hashlib.sha1(name.encode()).hexdigest()


def sample_commit(name: str, order: int = 0, parents: tuple[str, ...] = ()) -> Commit:
    """A commit; `order` makes it later."""
    at = EPOCH - timedelta(hours=24) + timedelta(minutes=order)
    return Commit(
        sample_sha(name), f"commit {name}", "Ada", at, parents, f"https://github.com/acme/web/commit/{name}"
    )


def sample_snapshot(commit: Commit) -> SourceSnapshot:
    """That commit as the service sees it."""
    return SourceSnapshot(commit, tree=hashlib.sha1(commit.sha.encode()).hexdigest(), changed=("app.py",))


def sample_image(sha: str) -> Image:
    """The image built of a commit."""
    return Image(REPOSITORY_URL, "sha256:" + hashlib.sha256(sha.encode()).hexdigest())


def sample_release(name: str, service: str = "web", environment: str = "production") -> Release:
    """The release of the commit with that short name in that environment."""
    sha = sample_sha(name)
    return Release(service, sha, sample_image(sha), sample_contract(service, environment).template)


def sample_pushed(sha: str) -> PushedImage:
    """That commit's image as the registry would give it."""
    return PushedImage(sample_image(sha), sha, EPOCH, {"org.opencontainers.image.revision": sha})


def sample_environment(name: str, strategy: Strategy, after: PromotionSpec | None = None) -> EnvironmentSpec:
    """An environment with short times."""
    return EnvironmentSpec(
        name=name,
        terraform=TerraformSpec("infra/stacks/service", (f"infra/environments/{name}/service.tfvars",)),
        strategy=strategy,
        rules=FAST_RULES,
        limits=FAST_LIMITS,
        notify=(f"memory://{name}",),
        after=after,
    )


def sample_service(name: str = "web") -> ServiceSpec:
    """`web`: staging (blue/green), then production (canary 10/50/100); short times."""
    return ServiceSpec(
        name=name,
        repository=RepositorySpec(f"acme/{name}"),
        gates=(
            GateSpec("lint", ("ruff", "check", "."), "gates"),
            GateSpec("unit", ("pytest",), "gates", junit="out/junit.xml", coverage="out/coverage.xml"),
        ),
        coverage_minimum=80.0,
        image=ImageSpec(),
        registry=TerraformSpec("infra/stacks/registry"),
        environments=(
            sample_environment("staging", BlueGreen(bake=20, preview_for=4)),
            sample_environment(
                "production", Canary((10, 50, 100), analyze_for=20, bake=30), PromotionSpec("staging")
            ),
        ),
    )


def with_environment(service: ServiceSpec, environment: EnvironmentSpec) -> ServiceSpec:
    """The service with that environment in place of the one of the same name."""
    changed = tuple(environment if e.name == environment.name else e for e in service.environments)
    return replace(service, environments=changed)


def sample_contract(service: str = "web", environment: str = "production") -> DeployContract:
    """What Terraform would output for that service and environment."""
    name = f"{service}-{environment}"
    arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012"
    slots = ("blue", "green")
    return DeployContract(
        service=service,
        environment=environment,
        region="eu-central-1",
        cluster=name,
        task_family=name,
        container_name="app",
        container_port=8080,
        listener_arn=f"{arn}:listener/app/{name}/1",
        production_rule_arn=f"{arn}:listener-rule/app/{name}/1/2",
        preview_rule_arn=f"{arn}:listener-rule/app/{name}/1/3",
        services={s: f"{name}-{s}" for s in slots},
        target_groups={s: f"{arn}:targetgroup/{name}-{s}/1" for s in slots},
        target_group_suffixes={s: f"targetgroup/{name}-{s}/1" for s in slots},
        load_balancer_suffix=f"app/{name}/1",
        load_balancer_dns=f"{name}.eu-central-1.elb.amazonaws.com",
        load_balancer_zone="Z215JYRZR1TBD5",
        min_capacity=2,
        max_capacity=4,
        cpu=256,
        memory=512,
        execution_role_arn="arn:aws:iam::123456789012:role/execution",
        task_role_arn="arn:aws:iam::123456789012:role/task",
        log_group=f"/delivery/{name}",
        repository_url=REPOSITORY_URL,
        topic_arn=f"arn:aws:sns:eu-central-1:123456789012:{name}",
        alarm_names={s: tuple(f"{name}-{s}-{kind}" for kind in ALARMS) for s in slots},
        task_template={"name": "app", "essential": True, "readonlyRootFilesystem": True},
        hosted_zone_id="Z1",
        record_name="www.example.test",
        subnets=("subnet-1", "subnet-2"),
        security_groups=("sg-1",),
    )  # fmt: skip
