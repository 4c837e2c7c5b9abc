"""The quick way of a release that is known to be good: who may take it, and that it is always said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.build import SourceSnapshot
from delivery.core.ledger import Outcome
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.service import EnvironmentSpec
from delivery.core.strategy import Analyze, SetWeight
from delivery.errors import RefusedError
from delivery.flows import keys
from delivery.flows.deploy import deploy
from delivery_tests.fakes import Behaviour, FakeWorld, sample_service
from delivery_tests.flows.journey import Journey


def promoted(quick: bool = True, environment: EnvironmentSpec | None = None, message: str = "") -> Rollout:
    """The rollout in production of a commit that was (or was not) verified in staging."""
    service = sample_service()
    if environment is not None:
        service = replace(service, environments=(service.environments[0], environment))
    world = FakeWorld(service)
    staging, production = Journey(world, "staging"), Journey(world, "production")
    first = staging.push("a")
    production.push_infrastructure(first.sha)
    staging.finish(first.sha, staging.deploy(first.sha))
    production.finish(first.sha, production.deploy(first.sha))
    commit = staging.push("b")
    if message:
        _say(world, commit.sha, message)
    production.push_infrastructure(commit.sha)
    if quick:
        staging.finish(commit.sha, staging.deploy(commit.sha))
    return deploy(replace(production.op(), quick=not message), "production", commit.sha)


def _say(world: FakeWorld, sha: str, message: str) -> None:
    key = keys.of_commit("web", sha, "source")
    snapshot = world.artifacts.load(key, SourceSnapshot)
    world.artifacts.save(key, replace(snapshot, commit=replace(snapshot.commit, message=message)))


def shares(rollout: Rollout) -> list[int]:
    """The shares it gave."""
    return [step.percent for step in rollout.steps if isinstance(step, SetWeight)]


@pytest.mark.parametrize("message", ["", "Mend the login [quick]"])
def test_a_release_verified_in_staging_goes_quickly(message: str) -> None:
    """Preview, all of the traffic, bake; the story says why."""
    rollout = promoted(message=message)
    assert rollout.phase is RolloutPhase.SUCCEEDED and shares(rollout) == [100]
    assert not any(isinstance(step, Analyze) for step in rollout.steps)
    assert "verified in staging" in rollout.history[0].message and rollout.quick.startswith("quick")


def test_it_has_all_the_traffic_as_soon_as_it_is_up_and_previewed() -> None:
    """Virtual seconds until 100 %: its launch and its preview, without the two analyses of 20 s before it."""

    def until_all(rollout: Rollout) -> float:
        everything = next(line.at for line in rollout.history if line.weight == 100)
        return (everything - rollout.started_at).total_seconds()

    full, quickly = until_all(promoted(quick=False)), until_all(promoted())
    assert quickly <= 15 and full - quickly >= 2 * 20


def test_a_release_nobody_verified_goes_the_full_way() -> None:
    """It is said why."""
    rollout = promoted(quick=False)
    assert shares(rollout) == [10, 50, 100]
    assert "the full way is taken: it was never verified" in rollout.history[0].message


def test_an_environment_may_refuse_the_quick_way() -> None:
    """`quick: never` counts for the commit's word and for the run's."""
    production = replace(sample_service().environments[1], quick="never")
    for message in ("", "[quick] now"):
        rollout = promoted(environment=production, message=message)
        assert shares(rollout) == [10, 50, 100] and "`quick: never`" in rollout.quick


def test_nobody_asked_and_nothing_is_said() -> None:
    """An ordinary commit of a known-good release goes the full way in silence."""
    rollout = promoted(message="Mend the login quickly")
    assert shares(rollout) == [10, 50, 100] and rollout.quick == ""


def test_what_failed_in_staging_is_not_known_to_be_good() -> None:
    """Its newest record there counts."""
    journey = Journey(FakeWorld(sample_service()), "staging")
    journey.deliver("a")
    commit = journey.push("b")
    journey.world.behave(commit.sha, Behaviour(error_rate=0.5))
    journey.finish(commit.sha, journey.deploy(commit.sha))
    assert journey.record.releases[-1].outcome is Outcome.FAILED
    Journey(journey.world, "production").push_infrastructure(commit.sha)
    op = replace(Journey(journey.world, "production").op(), quick=True)
    with pytest.raises(RefusedError, match="quarantine"):
        deploy(op, "production", commit.sha)
