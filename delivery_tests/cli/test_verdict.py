"""`delivery verdict`."""

from __future__ import annotations

from dataclasses import replace

from delivery.core.analysis import Verdict
from delivery.core.comparison import CanaryAnalysis, Comparison
from delivery.core.service import EnvironmentSpec
from delivery.core.strategy import Canary
from delivery.flows import keys
from delivery_tests.cli.conftest import Run
from delivery_tests.fakes import Behaviour, FakeWorld, sample_environment, sample_sha
from delivery_tests.flows.journey import Journey

TIME = Comparison("response_time", "TargetResponseTime", "Average", per=1, critical=True)
WATCHED = Comparison("load", "CPUUtilization", "Average", per=1, dry_run=True)


def delivered(world: FakeWorld, behaviour: Behaviour) -> tuple[str, str]:
    """A good release and one that behaves so, delivered to production; their commits."""
    environment: EnvironmentSpec = replace(
        sample_environment("production", Canary((10, 100), analyze_for=20, bake=20)),
        compare=CanaryAnalysis((TIME, WATCHED)),
    )
    journey = Journey.start(environment)
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), behaviour)
    journey.deliver("b")
    for port in ("artifacts", "ledger"):  # the world of the command line sees what was left
        setattr(world, port, getattr(journey.world, port))
    return sample_sha("a"), sample_sha("b")


def test_it_shows_every_rule_with_its_figures(run: Run, world: FakeWorld) -> None:
    """The last commit without naming one: phase, figures of both sides, the watched ones apart."""
    _, bad = delivered(world, Behaviour(latency=0.08))
    result = run("verdict", "web", "production")
    assert result.exit_code == 0, result.output
    head, _, dry = result.stdout.partition("Watched, not counted")
    assert f"web production {bad[:12]}: Failed, judged " in head
    line = next(each for each in head.splitlines() if each.startswith("response_time_vs_stable"))
    assert "High" in line and "0.08 " in line and "0.05 " in line and "not more than 10% higher" in line
    assert "load_vs_stable" in dry and "load_vs_stable" not in head


def test_a_commit_can_be_named_by_its_beginning(run: Run, world: FakeWorld) -> None:
    """Four characters are enough; one that was never there is told what there is."""
    good, _ = delivered(world, Behaviour())
    assert f"{good[:12]}: Successful" in run("verdict", "web", "production", good[:6]).stdout
    wrong = run("verdict", "web", "production", "ffff")
    assert wrong.exit_code == 1 and good[:12] in wrong.stderr


def test_the_evidence_is_there_with_its_queries(run: Run, world: FakeWorld) -> None:
    """Samples and times of both sides, and what was asked."""
    delivered(world, Behaviour(latency=0.08))
    text = run("verdict", "web", "production", "--evidence").stdout
    assert "Average TargetResponseTime of" in text and " against " in text
    assert "baseline 1" in text and "0.05 0.05 0.05" in text and "0.08 0.08 0.08" in text


def test_a_replay_comes_to_the_same(run: Run, world: FakeWorld) -> None:
    """Failed and successful ones alike, with the rules of then: exit code 0."""
    for behaviour in (Behaviour(latency=0.08), Behaviour()):
        delivered(world, behaviour)
        result = run("verdict", "web", "production", "--replay")
        assert result.exit_code == 0, result.output
        assert "The same with the rules of then" in result.stdout


def test_a_replay_that_differs_is_exit_code_1(run: Run, world: FakeWorld) -> None:
    """Samples that were changed by hand, and rules that are others today: told, rule by rule."""
    _, sha = delivered(world, Behaviour())
    today = run("verdict", "web", "production", "--replay", "--rules", "today")
    assert "response_time_vs_stable: there is no such rule any more" in today.stdout
    key = keys.of_environment("web", sha, "production", "health")
    kept = world.artifacts.load(key, Verdict)
    rule = next(r for r in kept.results if r.rule == "response_time")
    slow = replace(rule, samples=tuple(replace(s, value=60.0) for s in rule.samples))
    results = tuple(slow if r is rule else r for r in kept.results)
    world.artifacts.save(key, replace(kept, results=results))
    result = run("verdict", "web", "production", "--replay")
    assert result.exit_code == 1
    assert "Differs with the rules of then: Failed" in result.stdout
    assert "Not the same: response_time, verdict" in result.stdout


def test_nothing_judged_yet(run: Run) -> None:
    """An environment without a release says so, and what to look at."""
    result = run("verdict", "web", "production")
    assert result.exit_code == 1 and "There is no verdict of any commit" in result.stderr
