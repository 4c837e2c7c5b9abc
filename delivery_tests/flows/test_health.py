"""The verdict on what serves: afresh, and honest about what could not be seen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from delivery.core.analysis import VerdictPhase
from delivery.core.rollout import RolloutPhase
from delivery.errors import NotFoundError, ProviderError, RefusedError
from delivery.flows.deploy import deploy
from delivery.flows.health import judge
from delivery.flows.report import incident, live
from delivery_tests.fakes import Behaviour, sample_sha
from delivery_tests.flows.journey import Journey
from delivery_tests.flows.test_rollback import late_failure


def test_a_healthy_rejudgement_changes_nothing() -> None:
    """A false alarm: the live release is measured, found healthy, and stays as it is."""
    journey = Journey.start()
    journey.deliver("a")
    journey.world.clock.advance(600)
    told, record = len(journey.world.notifier.sent), journey.record
    ended = journey.rejudge(sample_sha("a"))
    assert ended.verdict.phase is VerdictPhase.SUCCESSFUL
    assert journey.record == record and len(journey.world.notifier.sent) == told


def test_health_that_cannot_look_is_an_error() -> None:
    """Metrics away for good: the verdict is Error, neither live nor rollback follows."""
    journey = late_failure("a", "b")
    journey.world.at().metrics.error = "Throttling"
    ended = journey.rejudge(sample_sha("b"))
    assert ended.verdict.phase is VerdictPhase.ERROR and "Throttling" in ended.verdict.reason
    assert ended.live is None and ended.restoration is None
    with pytest.raises(RefusedError, match="Error"):
        live(journey.op(), "production", sample_sha("b"))


def test_a_firing_alarm_alone_condemns_the_live_release() -> None:
    """An alarm of the serving slot that fired since its traffic is a failure by itself."""
    journey = Journey.start()
    journey.deliver("a")
    rollout = journey.deliver("b").rollout
    journey.world.clock.advance(600)
    since = journey.world.clock.now() - timedelta(seconds=30)
    journey.world.alarms.fire(f"web-production-{rollout.candidate}-response-time", since, "slow")
    ended = journey.rejudge(sample_sha("b"))
    assert ended.verdict.phase is VerdictPhase.FAILED and "slow" in ended.verdict.reason


def test_a_failed_target_after_the_rollout_is_seen_by_health() -> None:
    """All steps passed, then the tasks die before `health` looks: the fresh look fails it."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    rollout = journey.deploy(commit.sha)
    assert rollout.phase is RolloutPhase.SUCCEEDED
    journey.world.behave(commit.sha, Behaviour(unhealthy=True))
    ended = journey.finish(commit.sha, rollout)
    assert ended.verdict.phase is VerdictPhase.FAILED and "nothing answers" in ended.verdict.reason
    assert ended.restoration is not None and ended.restoration.restored
    assert journey.record.live is not None and journey.record.live.commit == sample_sha("a")


def test_an_incident_without_a_deployment_says_so() -> None:
    """There is no incident of a commit that was never deployed."""
    journey = Journey.start()
    with pytest.raises(NotFoundError):
        incident(journey.op(), "production", sample_sha("z"))


@pytest.mark.parametrize("call", ["ledger.load", "artifacts.save", "artifacts.load"])
@pytest.mark.parametrize("node", ["deployment", "health", "live"])
def test_a_finished_rollout_outlasts_a_provider_that_is_away_for_a_moment(node: str, call: str) -> None:
    """At the beginning and at the end of each node the store is asked again, as everywhere in between."""
    journey = Journey.start()
    sha = journey.push("a").sha
    op, environment = journey.op(), "production"

    def away(at: str) -> None:
        if at == node:
            journey.world.wire.fail(call, times=2, error=ProviderError("S3 did not answer", "503"))

    away("deployment")
    assert deploy(op, environment, sha).phase is RolloutPhase.SUCCEEDED
    away("health")
    assert judge(op, environment, sha).phase is VerdictPhase.SUCCESSFUL
    away("live")
    assert live(op, environment, sha).release.commit == sha
