"""The loader: many files, all their problems at once, and the specification of a good one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import delivery
from delivery.catalog.loader import load_services, problems
from delivery.core.analysis import DEFAULT_RULES, Rule
from delivery.core.comparison import CanaryAnalysis, Comparison, Score
from delivery.core.rollout import Limits
from delivery.core.service import (
    DnsSpec,
    EnvironmentSpec,
    GateSpec,
    ImageSpec,
    ProbeSpec,
    PromotionSpec,
    RepositorySpec,
    ServiceSpec,
    TerraformSpec,
)
from delivery.core.strategy import BlueGreen, Canary, CanaryStep, Linear, Pause, Rolling, Strategy
from delivery.errors import ConfigurationError
from delivery_tests.catalog.files import GOOD, changed, line_of, write

STACK = "infra/stacks/service"
ROOT = Path(delivery.__file__).parents[1]
TRIGGERS = (
    Rule("response_time", "TargetResponseTime", "Average", ">", 5.0, 60, 300),
    Rule("target_5xx", "HTTPCode_Target_5XX_Count", "Sum", ">", 10.0, 60, 60, "zero"),
    Rule("healthy_hosts", "HealthyHostCount", "Minimum", "<", 1.0, 60, 120, "fail"),
)


def test_everything_that_can_be_written(tmp_path: Path) -> None:
    """A file with every field becomes exactly this specification."""
    write(tmp_path)
    assert load_services(tmp_path) == (
        ServiceSpec(
            name="web",
            owners=("team:web",),
            repository=RepositorySpec("acme/web", "main", ("services/web",)),
            gates=(
                GateSpec("lint", ("ruff", "check", "."), "gates", timeout=90, memory_mb=2048),
                GateSpec(
                    "unit", ("pytest", "--cov"), "delivery/gates:local", coverage="out/coverage.xml",
                    environment={"CI": "1"},
                ),
            ),
            coverage_minimum=80,
            image=ImageSpec(".", "Dockerfile", {"A": "b"}, "", "high"),
            registry=TerraformSpec("infra/stacks/registry", (), "infra/environments/shared/backend.hcl"),
            environments=(
                EnvironmentSpec(
                    "staging", TerraformSpec(STACK, ("infra/staging.tfvars",), plan_max_age=7200),
                    BlueGreen(bake=120),
                ),
                EnvironmentSpec(
                    "production", TerraformSpec(STACK), Canary((10, 50, 100), 300, 600), rules=TRIGGERS,
                    probe=ProbeSpec("/health", 3, 0.5),
                    limits=Limits(launch_timeout=300, tick=1, error_budget=2),
                    dns=DnsSpec("example.com", "www"),
                    notify=("sns://topic", "{{ env.SLACK_ROUTE }}"),
                    after=PromotionSpec("staging", 600, 1, ("Mon-Thu 09:00-16:00 Europe/Berlin",)),
                    variables={"LOG_LEVEL": "info"},
                ),
            ),
        ),
    )  # fmt: skip


def test_what_is_left_out_is_cores_default(tmp_path: Path) -> None:
    """A short file gets the defaults of core, and the three triggers of the source design."""
    short = """\
type: delivery.Service
attributes:
  repository: { github: acme/web }
  quality: { gates: { lint: { run: [ruff, check, "a b"] } } }
  registry: false
  environments:
    test: { terraform: { stack: infra/stacks/service }, strategy: { rolling: }, probe: false }
"""
    write(tmp_path, short)
    (service,) = load_services(tmp_path)
    (environment,) = service.environments
    assert service.gates == (GateSpec("lint", ("ruff", "check", "a b"), "delivery/gates:local"),)
    assert service.registry is None and service.coverage_minimum is None and service.keep_partitions == 500
    assert environment == EnvironmentSpec("test", TerraformSpec(STACK), Rolling(), probe=None)
    assert environment.rules == DEFAULT_RULES


@pytest.mark.parametrize(
    ("written", "strategy"),
    [
        ("{ linear: }", Linear()),
        ("{ linear: { step: 30, interval: 2m, bake: 5m } }", Linear(30, 120, 300)),
        (
            "{ canary: { steps: [{ weight: 9, analyze_for: 10m, pause: { timeout: 4h, then: stop }}, 100] }}",
            Canary((CanaryStep(9, 600, Pause(14400, "stop")), 100)),
        ),
        ("{ blue_green: { pause: {} } }", BlueGreen(pause=Pause())),
    ],
)
def test_every_strategy_can_be_written(tmp_path: Path, written: str, strategy: Strategy) -> None:
    """Equal steps, a share with an analysis time of its own, and pauses for a person."""
    write(tmp_path, changed("{ canary: { steps: [10, 50, 100], analyze_for: 5m, bake: 10m } }", written))
    (service,) = load_services(tmp_path)
    assert service.environments[1].strategy == strategy


def test_triggers_with_everything_said(tmp_path: Path) -> None:
    """Statistic, silence, dry run and name can be said; the usual ones follow from the metric."""
    text = changed(
        "{ metric: TargetResponseTime, threshold: 5.0, for: 5m }",
        "{ metric: TargetResponseTime, threshold: 1, statistic: p99, per: 10s, for: 30s,"
        " no_data: fail, dry_run: true, name: slow }",
    )
    write(tmp_path, text)
    assert load_services(tmp_path)[0].environment("production").rules[0] == Rule(
        "slow", "TargetResponseTime", "p99", ">", 1.0, 10, 30, "fail", True
    )


def test_the_sample_is_good() -> None:
    """The service that ships with the package is what the demo tells its story with."""
    (web,) = load_services(ROOT / "delivery" / "defs", ROOT)
    staging, production = web.environments
    assert (web.name, web.repository) == ("web", RepositorySpec("demo/web", "main"))
    assert [g.name for g in web.gates] == ["lint", "unit"] and web.coverage_minimum == 80
    assert web.gates[1].command[0] == "pytest" and web.gates[1].coverage == "out/coverage.xml"
    assert staging.strategy == BlueGreen(bake=8) and staging.after is None
    assert production.strategy == Canary((10, 50, 100), analyze_for=15, bake=10)
    assert production.after == PromotionSpec("staging") and not production.after.gated
    assert [r.describe() for r in production.rules] == [
        "Average TargetResponseTime > 5 per 10 s for 10 s",
        "Sum HTTPCode_Target_5XX_Count > 10 per 10 s for 10 s",
        "Minimum HealthyHostCount < 1 per 10 s for 20 s",
    ]
    assert production.rules == staging.rules
    assert production.dns == DnsSpec("example.test", "www")


def test_all_problems_of_all_files_at_once(tmp_path: Path) -> None:
    """Several mistakes in several files are told together, with their files and lines."""
    two = changed("branch: main", "brunch: main").replace("soak: 10m", "soak: 10")
    first = write(tmp_path, two, "api")
    second = write(tmp_path, changed("minimum: 80", "minimum: 101"), "web")
    third = write(tmp_path, "type: delivery.Service\nattributes: [\n", "broken")
    write(tmp_path, GOOD, "good")
    found = {(p.file, p.line, p.field) for p in problems(tmp_path)}
    assert found == {
        (first, line_of(GOOD, "branch: main"), "repository.brunch"),
        (first, line_of(GOOD, "soak: 10m"), "environments.production.after.soak"),
        (second, line_of(GOOD, "minimum: 80"), "quality.coverage.minimum"),
        (third, 3, ""),
    }
    with pytest.raises(ConfigurationError) as raised:
        load_services(tmp_path)
    for file, line, field in found:
        assert f"{file}:{line}: {field}" in str(raised.value)
    assert "4 problems" in raised.value.why


def test_relations_are_told_along_with_wrong_fields(tmp_path: Path) -> None:
    """A wrong field does not hide that the environments are in a circle."""
    text = changed("{ environment: staging, soak: 10m,", "{ environment: production, soak: 10,")
    write(tmp_path, text)
    assert {p.field for p in problems(tmp_path)} == {
        "environments.production.after.environment",
        "environments.production.after.soak",
    }


def test_two_services_of_one_name(tmp_path: Path) -> None:
    """Two files cannot describe one service; the second is told where the first is."""
    first = write(tmp_path, GOOD, "a/web")
    second = write(tmp_path, GOOD, "b/web")
    (problem,) = problems(tmp_path)
    assert (problem.file, problem.field) == (second, "name") and str(first) in problem.message


def test_a_name_of_its_own(tmp_path: Path) -> None:
    """`name` comes before the folder's, so that several documents of one file are several services."""
    named = GOOD.replace("attributes:\n", "attributes:\n  name: other\n", 1)
    write(tmp_path, f"{GOOD}---\n{named}")
    assert [s.name for s in load_services(tmp_path)] == ["web", "other"]


def test_components_of_other_types_are_left_alone(tmp_path: Path) -> None:
    """A folder may hold components that are not ours, whatever is in them."""
    write(tmp_path, "type: dagster.DefsFolderComponent\nattributes: { x: 1 }\n", "other")
    write(tmp_path, "", "empty")
    assert problems(tmp_path) == () and load_services(tmp_path) == ()


def test_a_file_that_is_no_yaml(tmp_path: Path) -> None:
    """A syntax error is told with its line, and does not hide the other files' problems."""
    file = write(tmp_path, GOOD.replace("branch: main,", "branch: main, branch: {,"))
    (problem,) = problems(tmp_path)
    assert (problem.file, problem.line) == (file, 4) and "is not YAML" in problem.message


def test_files_that_are_named_must_exist(tmp_path: Path) -> None:
    """With the project's folder at hand, Terraform's files are looked for."""
    write(tmp_path / "defs", changed("{ stack: infra/stacks/registry }", "{ stack: infra/stacks/none }"))
    told = {p.field: p.message for p in problems(tmp_path / "defs", ROOT)}
    assert set(told) == {"registry.stack", "environments.staging.terraform.vars[0]"}
    assert "has no .tf files" in told["registry.stack"]


def test_no_such_folder(tmp_path: Path) -> None:
    """A folder that does not exist is an error, not an installation without services."""
    with pytest.raises(ConfigurationError, match="is not a folder"):
        load_services(tmp_path / "nowhere")


COMPARE = """\
      health:
        compare:
          - { metric: TargetResponseTime, statistic: p90, tolerance: 20%, weight: 2, critical: true }
          - { metric: HTTPCode_Target_5XX_Count, least: 0.001, minimum_samples: 8, direction: either }
          - { metric: CPUUtilization, dry_run: true, name: load, per: 2m, minimum_samples: 5 }
        baseline: both
        score: { pass: 90, marginal: 60 }
"""


def test_a_canary_analysis_is_read_and_the_triggers_stay_the_usual_ones(tmp_path: Path) -> None:
    """What is compared, with what, and which score passes; no triggers written are the default ones."""
    start = GOOD.index("      health:")
    text = GOOD[:start] + COMPARE + GOOD[GOOD.index("      probe: { path") :]
    write(tmp_path, text)
    production = load_services(tmp_path)[0].environments[1]
    assert production.rules == DEFAULT_RULES
    assert production.compare == CanaryAnalysis(
        (
            Comparison(
                "response_time", "TargetResponseTime", "p90", tolerance=0.2, weight=2, critical=True
            ),
            Comparison(
                "target_5xx", "HTTPCode_Target_5XX_Count", "Sum", least=0.001, minimum_samples=8,
                direction="either",
            ),
            Comparison("load", "CPUUtilization", "Average", per=120, minimum_samples=5, dry_run=True),
        ),
        "both",
        Score(90, 60),
    )  # fmt: skip


def test_without_compare_nothing_is_compared(tmp_path: Path) -> None:
    """A file from before there were comparisons means what it meant."""
    write(tmp_path)
    assert [e.compare for e in load_services(tmp_path)[0].environments] == [None, None]


@pytest.mark.parametrize(("number", "baseline"), [(0, "stable"), (1, "both")])
def test_the_examples_of_the_documentation_are_valid(tmp_path: Path, number: int, baseline: str) -> None:
    """What docs/verdicts.md shows can be written into a file and is read as it says."""
    text = (ROOT / "docs" / "verdicts.md").read_text()
    example = yaml.safe_load(text.split("```yaml\n")[1 + number].split("```")[0])["environments"]
    attributes = yaml.safe_load(GOOD)
    for name, written in example.items():
        attributes["attributes"]["environments"][name].update(written)
    write(tmp_path, yaml.safe_dump(attributes, sort_keys=False))
    assert [str(p) for p in problems(tmp_path)] == []
    staging, production = load_services(tmp_path)[0].environments
    compare = production.compare
    assert compare is not None and compare.baseline == baseline and compare.comparisons[0].tolerance == 0.2
    assert (number == 1) or staging.rules == production.rules
