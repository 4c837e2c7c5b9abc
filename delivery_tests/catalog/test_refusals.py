"""Everything that is refused in a service's file, each with its line, its field and its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.catalog.loader import problems
from delivery_tests.catalog.files import GOOD, changed, line_of, write

ENV = "environments.production"
TRIGGERS = f"{ENV}.health.rollback_triggers"
TYPE = "type: delivery.Service\n"
FIRST = "{ metric: TargetResponseTime, threshold: 5.0, for: 5m }"
CANARY = "{ canary: { steps: [10, 50, 100], analyze_for: 5m, bake: 10m } }"
PROBE = "probe: { path: /health, requests: 3, timeout: 500ms }"
AFTER = "{ environment: staging, soak: 10m, approvals: 1,"
BERLIN = "Mon-Thu 09:00-16:00 Europe/Berlin"

#: Where a field is told of in another line than that of the replacement: by some text of its line.
AT = {
    "repository.github": "repository:",
    "quality.coverage": "coverage: { minimum",
    "registry": "registry:",
    f"{ENV}.probe": "probe:",
    f"{TRIGGERS}[1]": "threshold: 10, per",
}
#: What is replaced, by what, then the field that is named and words of the reason.
CASES = [
    # the frame
    ("type: delivery.Service", "type: delivery.Servise", "type", "there is no component"),
    (TYPE, TYPE + "template_vars_module: x\n", "template_vars_module", "are not"),
    ("type: delivery.Service", "type: delivery.Service\nattribute: {}", "attribute", "is not known here"),
    # fields that are missing, unknown, of another kind
    ("github: acme/web, ", "", "repository.github", "is required"),
    ("branch: main", "brunch: main", "repository.brunch", "did you mean 'branch'?"),
    ("branch: main", "branch: 3", "repository.branch", "must be text"),
    ("branch: main", "branch: --upload-pack=x", "repository.branch", "does not have the form"),
    ("github: acme/web", "github: web", "repository.github", "does not have the form"),
    ("paths: [services/web]", "paths: [../other]", "repository.paths[0]", "inside the project"),
    ("paths: [services/web]", "paths: {a: b}", "repository.paths", "must be a list"),
    ('["team:web"]', "[web]", "owners[0]", "neither an e-mail address nor a team"),
    ("minimum: 80", 'minimum: "80"', "quality.coverage.minimum", "must be a number"),
    ("minimum: 80", "minimum: 101", "quality.coverage.minimum", "less than or equal to 100"),
    ("fail_on: high", "fail_on: severe", "image.scan.fail_on", "must be 'critical', 'high'"),
    ("approvals: 1", "approvals: 1.5", f"{ENV}.after.approvals", "must be a whole number"),
    ("approvals: 1", "approvals: true", f"{ENV}.after.approvals", "must be a whole number"),
    ("{ stack: infra/stacks/registry }", "", "registry", "write `false` to switch it off"),
    ("{ path: /health, requests: 3, timeout: 500ms }", "", f"{ENV}.probe", "write `false` to switch it off"),
    ("requests: 3", "requests: 0", f"{ENV}.probe.requests", "greater than or equal to 1"),
    ("{ LOG_LEVEL: info }", "{ LOG_LEVEL: 3 }", f"{ENV}.variables.LOG_LEVEL", "must be text"),
    # commands
    ("run: ruff check .,", 'run: "ruff check . | tee x",', "quality.gates.lint.run", "shell syntax (|)"),
    ("run: ruff check .,", 'run: "ruff check . && x",', "quality.gates.lint.run", "shell syntax (&&)"),
    ("run: ruff check .,", 'run: "ruff check .; x",', "quality.gates.lint.run", "shell syntax (;)"),
    ("run: ruff check .,", 'run: "ruff check $(ls)",', "quality.gates.lint.run", "shell syntax ($()"),
    ("run: ruff check .,", 'run: "ruff check `ls`",', "quality.gates.lint.run", "shell syntax (`)"),
    ("run: ruff check .,", 'run: "ruff check > x",', "quality.gates.lint.run", "shell syntax (>)"),
    ("run: ruff check .,", 'run: "ruff check \'x",', "quality.gates.lint.run", "no closing quotation"),
    ("run: ruff check .,", 'run: "CI=1 ruff check",', "quality.gates.lint.run", "belong under `environment`"),
    ("run: ruff check .,", 'run: "",', "quality.gates.lint.run", "is empty"),
    ("run: ruff check .,", "run: 3,", "quality.gates.lint.run", "must be a command"),
    ("timeout: 90s", "timeout: 0s", "quality.gates.lint.timeout", "longer than 0"),
    ("timeout: 90s", "timeout: 90", "quality.gates.lint.timeout", "needs a unit"),
    ("timeout: 90s", "timeout: soon", "quality.gates.lint.timeout", "is not a duration"),
    ("memory: 2g", "memory: lots", "quality.gates.lint.memory", "512m or 2g"),
    ("memory: 2g", "on_error: pass", "quality.gates.lint.on_error", "must be 'block'"),
    ("      lint: {", "      quality_gate: {", "quality.gates.quality_gate", "verdict over all gates"),
    ("      lint: {", "      Lint!: {", "quality.gates.Lint!", "lower-case letters, digits and underscores"),
    ("coverage: out/coverage.xml, ", "junit: out/junit.xml, ", "quality.coverage", "no gate writes"),
    # strategies
    # the task before the switch, the quick way, and what a strategy cannot do
    (PROBE, PROBE + "\n      before: { run: [] }", f"{ENV}.before.run", ""),
    (PROBE, PROBE + "\n      before: { timeout: 5m }", f"{ENV}.before.run", "is required"),
    (PROBE, PROBE + "\n      before: { run: a, timeout: 0s }", f"{ENV}.before.timeout", "longer than 0"),
    (PROBE, PROBE + '\n      before: { run: "a && b" }', f"{ENV}.before.run", "shell syntax (&&)"),
    (PROBE, PROBE + "\n      before: { run: a, memory: 1g }", f"{ENV}.before.memory", "write `cpu` as well"),
    (PROBE, PROBE + "\n      before: { run: a, cpu: 256, memory: 4g }", f"{ENV}.before.memory", "does not"),
    (PROBE, PROBE + "\n      before: { run: a, cpu: 300, memory: 1g }", f"{ENV}.before.cpu", "no size"),
    (PROBE, PROBE + "\n      quick: always", f"{ENV}.quick", "must be 'never' or 'known_good'"),
    (PROBE, PROBE + "\n      rollback: { max_age: 24 }", f"{ENV}.rollback.max_age", "needs a unit"),
    (PROBE, PROBE + "\n      rollback: { max_age: 90s }", f"{ENV}.rollback.max_age", "2m or longer"),
    (PROBE, PROBE + "\n      rollback: { age: 1h }", f"{ENV}.rollback.age", "max_age"),
    (PROBE, PROBE + "\n      rollback: { flapping: { count: 0 } }", f"{ENV}.rollback.flapping.count", "1"),
    (PROBE, PROBE + "\n      rollback: { flapping: { in: 1h } }", f"{ENV}.rollback.flapping.in", "not known"),
    (CANARY, "{ rolling: { bake: 2m } }\n      quick: known_good", f"{ENV}.quick", "nothing to leave out"),
    (CANARY, "{ rolling: { preview_for: 2m } }", f"{ENV}.strategy.rolling.preview_for", "is not known here"),
    (
        CANARY, "{ canary: { steps: [10, { weight: 100, pause: {} }] } }",
        f"{ENV}.strategy.canary.steps[1].pause", "nothing follows 100 %",
    ),
    (CANARY, "{ canary: { steps: [10, 50] } }", f"{ENV}.strategy.canary.steps", "from above 0 to 100"),
    (CANARY, "{ canary: { steps: [50, 10, 100] } }", f"{ENV}.strategy.canary.steps", "must rise"),
    (CANARY, "{ canary: { steps: [0, 100] } }", f"{ENV}.strategy.canary.steps", "must rise"),
    (CANARY, "{ canary: { steps: [1.5, 100] } }", f"{ENV}.strategy.canary.steps[0].weight", "whole number"),
    (CANARY, "{ canary: { analyze_for: 0s } }", f"{ENV}.strategy.canary.analyze_for", "longer than 0"),
    (CANARY, "{ canary: {}, rolling: {} }", f"{ENV}.strategy", "exactly one of rolling, blue_green, canary"),
    (CANARY, "{}", f"{ENV}.strategy", "and has none"),
    (CANARY, "{ linear: { step: 0 } }", f"{ENV}.strategy.linear.step", "greater than or equal to 1"),
    (CANARY, "{ linear: { interval: 0s } }", f"{ENV}.strategy.linear.interval", "longer than 0"),
    (CANARY, "{ ring: {} }", f"{ENV}.strategy.ring", "Known: rolling, blue_green, canary, linear"),
    (CANARY, "{ canary: { steps: [{ weight: 10, pause: { then: wait } }, 100] } }",
     f"{ENV}.strategy.canary.steps[0].pause.then", "must be 'continue', 'abort' or 'stop'"),
    (CANARY, "{ canary: { steps: [{ weight: 50 }, 10] } }", f"{ENV}.strategy.canary.steps", "must rise"),
    # promotion
    (AFTER, "{ environment: stagin,", f"{ENV}.after.environment", "there is no environment 'stagin'"),
    (AFTER, "{ environment: production,", f"{ENV}.after.environment", "production after production"),
    (BERLIN, "Mon-Thu 9-16", f"{ENV}.after.windows[0]", "is not of the form"),
    (BERLIN, "Mon-Thu 09:00-16:00 Europe/Nowhere", f"{ENV}.after.windows[0]", "Europe/Nowhere"),
    (BERLIN, "Mon-Thu 09:00-25:00 UTC", f"{ENV}.after.windows[0]", "no valid span of hours"),
    # triggers
    (FIRST, "{ metric: ResponseTime, threshold: 5 }", f"{TRIGGERS}[0].metric", "is not counted per slot"),
    (FIRST, "{ metric: RequestCount }", f"{TRIGGERS}[0]", "exactly one of threshold and below"),
    (FIRST, "{ metric: RequestCount, threshold: 1, below: 1 }", f"{TRIGGERS}[0]", "threshold and below"),
    (FIRST, "{ metric: RequestCount, below: 0 }", f"{TRIGGERS}[0].below", "greater than 0"),
    (FIRST, "{ metric: RequestCount, below: 1, statistic: Mean }", f"{TRIGGERS}[0].statistic", "a statistic"),
    (FIRST, "{ metric: RequestCount, below: 1, per: 15s }", f"{TRIGGERS}[0].per", "not a CloudWatch period"),
    (FIRST, "{ metric: RequestCount, below: 1, per: 0s }", f"{TRIGGERS}[0].per", "longer than 0"),
    (FIRST, "{ metric: RequestCount, below: 1, for: 90s }", f"{TRIGGERS}[0].for", "whole number of periods"),
    (FIRST, "{ metric: RequestCount, below: 1, for: 10s }", f"{TRIGGERS}[0].for", "whole number of periods"),
    (FIRST, "{ metric: TargetResponseTime, threshold: 1, per: 2m }", f"{TRIGGERS}[0].per", "say `for`"),
    (FIRST, "{ metric: RequestCount, below: 1, no_data: pass }", f"{TRIGGERS}[0].no_data", "must be"),
    (FIRST, "{ metric: RequestCount, below: 1, name: targets }", f"{TRIGGERS}[0].name", "every release"),
    (FIRST, "{ metric: HTTPCode_Target_5XX_Count, threshold: 1 }", f"{TRIGGERS}[1]", "is named"),
    # the rest of an environment
    ("vars: infra/staging.tfvars", "vars: /etc/x", "environments.staging.terraform.vars[0]", "relative"),
    ("plan_max_age: 2h", "plan_max_age: 0h", "environments.staging.terraform.plan_max_age", "longer than 0"),
    ("launch_timeout: 5m", "launch_timeout: 0s", f"{ENV}.limits.launch_timeout", "longer than 0"),
    ("tick: 1s", "ticks: 1s", f"{ENV}.limits.ticks", "did you mean 'tick'?"),
    ("zone: example.com", 'zone: "https://example.com"', f"{ENV}.dns.zone", "does not have the form"),
    ('"sns://topic"', '"#deployments"', f"{ENV}.notify[0]", "must be a URL such as sns://"),
    ("{ LOG_LEVEL: info }", '{ A: "{{ env.B }}" }', f"{ENV}.variables.A", "templates are not read here"),
    ("{{ env.SLACK_ROUTE }}", "sns://{{ env.A }}", f"{ENV}.notify[1]", "templates are not read here"),
    ("    staging:\n", "    Staging_1:\n", "environments.Staging_1", "single dashes"),
    ("    staging:\n", "    staging-of-everything:\n", "environments.staging-of-everything", "2 to 15"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "field", "reason"), CASES, ids=[f"{c[2]}: {c[3]}" for c in CASES])
def test_it_is_refused_with_line_field_and_reason(
    tmp_path: Path, old: str, new: str, field: str, reason: str
) -> None:
    """A wrong field is named with the line it stands in and the reason."""
    text = changed(old, new)
    file = write(tmp_path, text)
    found = [p for p in problems(tmp_path) if p.field == field and reason in p.message]
    assert found, [str(p) for p in problems(tmp_path)]
    assert found[0].file == file
    assert found[0].line == line_of(text, AT.get(field) or new.strip().splitlines()[-1] or old)


def test_a_plain_change_is_one_problem(tmp_path: Path) -> None:
    """One mistake is told once, not by every part that stumbles over it."""
    for old, new in (
        ("soak: 10m", "soak: 10"),
        (FIRST, "{ metric: RequestCount }"),
        ("tick: 1s", "tick: '{{ a }}'"),
    ):
        write(tmp_path, changed(old, new))
        assert len(problems(tmp_path)) == 1, new


@pytest.mark.parametrize(
    ("strategy", "fields"),
    [
        ("{ canary: { steps: [50, { weight: 10, analyse_for: 1m }, 100] } }",
         {"canary.steps", "canary.steps[1].analyse_for"}),
        ("{ canary: { steps: [50, 10, { weight: ten }], bake: 3 } }",
         {"canary.steps", "canary.steps[2].weight", "canary.bake"}),
        ("{ canary: { steps: [10, { weight: ten }] } }", {"canary.steps[1].weight"}),
        ("{ canary: { steps: [10, { weight: ten }, 90] } }", {"canary.steps", "canary.steps[1].weight"}),
        ("{ linear: { step: 0 }, canary: { bake: 3 } }", {"", "linear.step", "canary.bake"}),
        ("{ rolling: { bake: 3 }, blue_green: }", {"", "rolling.bake"}),
        ("{ cannary: { steps: [50, 10] } }", {"cannary"}),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_a_strategy_is_told_at_once(
    tmp_path: Path, strategy: str, fields: set[str]
) -> None:
    """Shares that do not rise, or two strategies, beside what is wrong with the parts; nothing is guessed."""
    write(tmp_path, changed(CANARY, strategy))
    here = f"{ENV}.strategy"
    assert {p.field for p in problems(tmp_path)} == {f"{here}.{field}" if field else here for field in fields}


def test_an_environment_described_later(tmp_path: Path) -> None:
    """`after` cannot name an environment that is reached later; a circle is called a circle."""
    later = "      strategy: { blue_green: { bake: 2m } }\n      after: { environment: production }"
    text = changed("      strategy: { blue_green: { bake: 2m } }", later)
    write(tmp_path, text)
    told = {p.field: p.message for p in problems(tmp_path)}
    assert "staging after production after staging" in told["environments.staging.after.environment"]
    assert "production after staging after production" in told["environments.production.after.environment"]
    only_later = text.replace("      after: { environment: staging, soak", "      # {", 1)
    write(tmp_path, only_later)
    (problem,) = problems(tmp_path)
    assert (problem.field, problem.line) == (
        "environments.staging.after.environment",
        line_of(only_later, "after: { environment: production }"),
    )
    assert "is described later" in problem.message


def test_an_environment_written_twice(tmp_path: Path) -> None:
    """YAML would keep the last of two environments of one name; that is refused, with both lines."""
    write(tmp_path, GOOD + "    staging:\n      strategy: { rolling: {} }\n")
    told = [p for p in problems(tmp_path) if "written twice" in p.message]
    assert [(p.field, p.line) for p in told] == [("environments.staging", line_of(GOOD, "    staging:"))]
    assert f"{line_of(GOOD, '    staging:')} and {len(GOOD.splitlines()) + 1}" in told[0].message


def test_names_too_long_for_aws(tmp_path: Path) -> None:
    """Service and environment together must fit a load balancer's name."""
    write(tmp_path, GOOD, name="a-rather-long-name")
    (problem,) = problems(tmp_path)
    assert problem.field == "environments.production" and "26 characters" in problem.message


def test_a_folder_whose_name_is_no_service_name(tmp_path: Path) -> None:
    """The folder's name becomes the service's, so it must be one."""
    write(tmp_path, GOOD, name="My_Web")
    (problem,) = problems(tmp_path)
    assert "'My_Web' is not a name" in problem.message


def test_no_file_repeats_a_route(tmp_path: Path) -> None:
    """A route that is refused may be a token: it is not repeated in the message."""
    write(tmp_path, changed('"sns://topic"', '"xoxb-token"'))
    (problem,) = problems(tmp_path)
    assert "xoxb" not in str(problem)


COMPARE = f"{ENV}.health.compare"
LATENCY = "{ metric: TargetResponseTime, statistic: p90 }"
#: Lines of `health` beside the triggers, and of the strategy; then field and reason.
COMPARED = [
    (f"compare: [{LATENCY}]", "rolling: {}", COMPARE, "stable: a rolling update replaces"),
    (f"compare: [{LATENCY}]", "blue_green: {}", COMPARE, "all traffic at once"),
    (f"compare: [{LATENCY}]", "canary: { steps: [100] }", COMPARE, "the only share is 100 %"),
    (f"compare: [{LATENCY}]", "linear: { step: 100 }", COMPARE, "the only share is 100 %"),
    (f"baseline: both\n        compare: [{LATENCY}]", "rolling: { bake: 15m }",
     f"{ENV}.health.baseline", "rolling"),
    ("baseline: previous", "rolling: {}", f"{ENV}.health.baseline", "nothing is compared"),
    ("score: { pass: 90 }", "rolling: {}", f"{ENV}.health.score", "nothing is compared"),
    (f"baseline: other\n        compare: [{LATENCY}]", "canary: {}",
     f"{ENV}.health.baseline", "must be 'stable'"),
    ("compare: []", "canary: {}", COMPARE, "must not be empty"),
    ("compare: [{ metric: RequestCount }]", "canary: {}", f"{COMPARE}[0].metric", "share of the traffic"),
    ("compare: [{ metric: HealthyHostCount }]", "canary: {}", f"{COMPARE}[0].metric", "cannot be compared"),
    ("compare: [{ metric: Latency }]", "canary: {}", f"{COMPARE}[0].metric", "not counted per slot"),
    ("compare: [{ metric: TargetResponseTime, statistic: Sum }]", "canary: {}",
     f"{COMPARE}[0].statistic", "grows with"),
    ("compare: [{ metric: HTTPCode_Target_5XX_Count, statistic: p90 }]", "canary: {}",
     f"{COMPARE}[0].statistic", "takes its Sum"),
    ("compare: [{ metric: CPUUtilization, tolerance: 20 }]", "canary: {}", f"{COMPARE}[0].tolerance", "20%"),
    ("compare: [{ metric: CPUUtilization, tolerance: a lot }]", "canary: {}",
     f"{COMPARE}[0].tolerance", "not a percentage"),
    ("compare: [{ metric: CPUUtilization, weight: 0 }]", "canary: {}",
     f"{COMPARE}[0].weight", "greater than 0"),
    ("compare: [{ metric: CPUUtilization, minimum_samples: 3 }]", "canary: {}",
     f"{COMPARE}[0].minimum_samples", "greater than or equal to 5"),
    ("compare: [{ metric: CPUUtilization, minimum_samples: 50 }]", "canary: {}",
     f"{COMPARE}[0].minimum_samples", "it always pauses"),
    ("compare: [{ metric: CPUUtilization, minimum_samples: 20 }]", "linear: { interval: 1m }",
     f"{COMPARE}[0].minimum_samples", "it always pauses"),
    ("compare: [{ metric: CPUUtilization, direktion: lower }]", "canary: {}",
     f"{COMPARE}[0].direktion", "did you mean 'direction'?"),
    (f"baseline: previous\n        compare: [{LATENCY}]", "blue_green: {}",
     f"{COMPARE}[0].minimum_samples", "none would leave enough for the next"),
    (f"baseline: previous\n        compare: [{LATENCY}]", "rolling: { bake: 5m }",
     f"{COMPARE}[0].minimum_samples", "judged for 300 s only"),
    (f"compare: [{LATENCY}, {LATENCY}]", "canary: {}", f"{COMPARE}[1]", "give it a `name`"),
    (f"score: {{ pass: 50 }}\n        compare: [{LATENCY}]", "canary: {}",
     f"{ENV}.health.score", "must not be above pass"),
    (f"rollback_triggers: [{{ metric: RequestCount, below: 1, name: response_time_vs_stable }}]\n"
     f"        compare: [{LATENCY}]", "canary: {}", f"{COMPARE}[0]", "named like the result"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("health", "strategy", "field", "reason"), COMPARED, ids=[f"{c[2]}: {c[3]}" for c in COMPARED]
)
def test_a_comparison_that_cannot_work_is_refused(
    tmp_path: Path, health: str, strategy: str, field: str, reason: str
) -> None:
    """Impossible with the strategy, without meaning for the metric, or never with enough samples."""
    start, end = GOOD.index("      health:"), GOOD.index("      probe: { path")
    text = GOOD[:start] + f"      health:\n        {health}\n" + GOOD[end:]
    write(tmp_path, text.replace(CANARY, f"{{ {strategy} }}"))
    found = [p for p in problems(tmp_path) if p.field == field and reason in p.message]
    assert found, [str(p) for p in problems(tmp_path)]
    assert found[0].line and found[0].line >= line_of(text, "      health:")
    assert len({p.field for p in problems(tmp_path)}) == 1, [str(p) for p in problems(tmp_path)]
