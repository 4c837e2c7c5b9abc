"""Every door a bad image could come back through, in the environment that refused it and in the other one.

The rule: a digest judged bad anywhere is refused everywhere until a person lifts it, with who and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from delivery.core import journal
from delivery.core.ledger import Quarantine
from delivery.core.release import Image
from delivery.core.rollout import RolloutPhase
from delivery.core.service import PromotionSpec
from delivery.core.strategy import Canary, CanaryStep, Pause
from delivery.errors import NotFoundError, RefusedError
from delivery.flows.control import lift_quarantine
from delivery.flows.deploy import deploy
from delivery.flows.deployable import check_ledger
from delivery.flows.records import change
from delivery.flows.report import live
from delivery.flows.steering import Order, steer
from delivery.flows.watch import promotable
from delivery_tests.fakes import Behaviour, FakeWorld, Killed, sample_environment, sample_service, sample_sha
from delivery_tests.flows.journey import Journey

BAD = Behaviour(error_rate=0.5)
BOTH = pytest.mark.parametrize("where", ["production", "staging"])


class Site:
    """The sample service in staging and in production; `where` names the environment with the quarantine."""

    def __init__(self, where: str, production: Canary | None = None) -> None:
        service = sample_service()
        if production is not None:
            spec = sample_environment("production", production, PromotionSpec("staging"))
            service = replace(service, environments=(service.environments[0], spec))
        self.world = FakeWorld(service)
        self.staging, self.production = Journey(self.world, "staging"), Journey(self.world, "production")
        self.where = self.staging if where == "staging" else self.production

    def in_staging(self, name: str) -> str:
        """The commit verified in staging; its sha."""
        commit = self.staging.push(name)
        self.production.push_infrastructure(commit.sha)
        assert self.staging.finish(commit.sha, self.staging.deploy(commit.sha)).live is not None
        return commit.sha

    def everywhere(self, *names: str) -> None:
        """These commits live in both, one after the other."""
        for name in names:
            sha = self.in_staging(name)
            assert self.production.finish(sha, self.production.deploy(sha)).live is not None

    def refuse(self, name: str) -> str:
        """The commit's image is put into quarantine there; the digest."""
        digest = next(
            r.release.image.digest
            for r in self.staging.record.releases
            if r.release.commit == sample_sha(name)
        )
        entry = Quarantine(digest, sample_sha(name), "errors at night", "run 1", self.world.clock.now())
        change(self.where.op(), self.where.environment, lambda r: journal.impose_quarantine(r, entry))
        return digest

    def untouched(self, act: Callable[[], object], match: str, error: type[Exception] = RefusedError) -> None:
        """It is refused with these words, and nothing of production was moved."""
        effects = len(self.production.target.effects)
        with pytest.raises(error, match=match):
            act()
        assert len(self.production.target.effects) == effects


@BOTH
@pytest.mark.parametrize("quick", [False, True])
def test_neither_deployment_nor_the_quick_way(where: str, quick: bool) -> None:
    """The same commit again: refused with where, since when, by whom and why; a person's word lets it in."""
    site = Site(where)
    site.everywhere("a")
    sha = site.in_staging("b")
    digest = site.refuse("b")
    op = replace(site.production.op(), quick=quick)
    site.untouched(
        lambda: deploy(op, "production", sha), f"quarantined in {where} since .* by run 1: errors at"
    )
    lift_quarantine(site.where.op("person ada"), where, digest, "it was the database")
    (lifted,) = site.where.record.lifted
    assert (lifted.by, lifted.reason) == ("person ada", "it was the database")
    assert deploy(op, "production", sha).phase is RolloutPhase.SUCCEEDED


@BOTH
@pytest.mark.parametrize("what", ["commit", "image"])
def test_nor_the_same_under_another_name(where: str, what: str) -> None:
    """The commit built anew is another digest; the same digest may be named by another commit."""
    site = Site(where)
    site.everywhere("a")
    site.in_staging("b")
    site.refuse("b")
    bad = site.staging.record.releases[-1].release
    other = Image(bad.image.repository, "sha256:" + "0" * 64)
    again = replace(bad, image=other) if what == "commit" else replace(bad, commit=sample_sha("z"))
    with pytest.raises(RefusedError, match=f"quarantined in {where}"):
        check_ledger(site.production.op(), site.production.record, again)


@BOTH
def test_nor_a_promotion(where: str) -> None:
    """The sensor finds nothing that may go on, and the deployment it would start says no."""
    site = Site(where)
    spec = site.world.service
    after = replace(PromotionSpec("staging"), soak=1.0)
    gated = replace(spec, environments=(spec.environments[0], replace(spec.environments[1], after=after)))
    sha = site.in_staging("a")
    site.world.clock.advance(60)
    now = site.world.clock.now()
    assert [due.allowed for due in promotable(site.world, [gated], now)] == [True]
    site.refuse("a")
    (due,) = promotable(site.world, [gated], now)
    assert not due.allowed and "quarantine" in due.reason
    site.untouched(lambda: site.production.deploy(sha), "quarantined in")


@BOTH
def test_nor_a_rollback(where: str) -> None:
    """The release before is passed over for the one before that."""
    site = Site(where)
    site.everywhere("a", "b", "c")
    site.refuse("b")
    site.world.behave(sample_sha("c"), BAD)
    site.world.clock.advance(60)
    ended = site.production.rejudge(sample_sha("c"))
    assert ended.restoration is not None and ended.restoration.restored
    assert site.production.record.live is not None
    assert site.production.record.live.commit == sample_sha("a")


@BOTH
def test_nor_a_rollback_that_has_nothing_else(where: str) -> None:
    """The only release before is in quarantine: an incident that touches nothing."""
    site = Site(where)
    site.everywhere("a", "b")
    site.refuse("a")
    site.world.behave(sample_sha("b"), BAD)
    site.world.clock.advance(60)
    effects = len(site.production.target.effects)
    ended = site.production.rejudge(sample_sha("b"))
    assert ended.restoration is not None and ended.restoration.refused.startswith("no verified release")
    assert len(site.production.target.effects) == effects and ended.error is not None


@BOTH
@pytest.mark.parametrize("to", [None, "name"])
def test_nor_a_person_who_names_it(where: str, to: str | None) -> None:
    """`delivery rollback`, also with `--direct`: passed over, and refused by name."""
    site = Site(where)
    site.everywhere("a", "b", "c")
    site.refuse("b")
    op = site.production.op("person ada")
    if to is None:
        done = steer(op, "production", Order("rollback", "ada", "slow"), drive=True)
        assert done.restoration is not None and sample_sha("a")[:8] in done.restoration.good
        return
    order = Order("rollback", "ada", "slow", to=sample_sha("b")[:12])
    site.untouched(lambda: steer(op, "production", order, drive=True), "fits 0 of them", NotFoundError)


@BOTH
def test_nor_a_continue(where: str) -> None:
    """It waits at 10 % for a person while its image is judged bad elsewhere: it may only be given up."""
    asking = Canary((CanaryStep(10, 10, Pause(60, "stop")), 100), analyze_for=10, bake=10)
    site = Site(where, asking)
    site.everywhere("a")
    sha = site.in_staging("b")
    with pytest.raises(RefusedError, match="paused"):
        site.production.deploy(sha)
    site.refuse("b")
    op = site.production.op("person ada")
    order = Order("continue", "ada", "looks fine")
    site.untouched(lambda: steer(op, "production", order, drive=True), f"quarantined in {where}")
    steer(op, "production", Order("abort", "ada", "bad in staging"))
    seen = site.production.target.look()
    assert site.production.record.live is not None
    assert seen.slot(seen.stable).release == site.production.record.live.id
    assert seen.slot(seen.stable).weight == 100


@BOTH
def test_nor_a_killed_runs_successor(where: str) -> None:
    """Judged bad while nobody drove it: the successor takes the traffic back, and says why."""
    site = Site(where)
    site.everywhere("a")
    sha = site.in_staging("b")
    clock = site.world.clock

    def die() -> None:
        raise Killed("kill -9")

    clock.at(20, die)
    with pytest.raises(Killed):
        site.production.deploy(sha)
    assert site.production.record.in_flight is not None
    site.refuse("b")
    with pytest.raises(RefusedError, match=f"quarantined in {where}"):
        site.production.deploy(sha)
    seen = site.production.target.look()
    assert seen.slot(seen.stable).weight == 100 and site.production.record.in_flight is None
    assert site.production.record.live is not None
    assert site.production.record.live.commit == sample_sha("a")


@BOTH
def test_nor_a_further_share_of_what_is_on_its_way(where: str) -> None:
    """Judged bad elsewhere while it is at 10 %: it is given up before it gets 50."""
    site = Site(where)
    site.everywhere("a")
    sha = site.in_staging("b")
    clock, target = site.world.clock, site.production.target
    began = len(target.moved)

    def look() -> None:
        at_ten = len(target.moved) > began
        site.refuse("b") if at_ten else clock.at(1, look)

    clock.at(1, look)
    rollout = site.production.deploy(sha)
    assert rollout.phase is RolloutPhase.ABORTED and f"quarantined in {where}" in rollout.reason
    shares = [100 - green if rollout.candidate == "blue" else green for _, green in target.moved[began:]]
    assert shares == [10, 0]


def test_nor_the_asset_live_by_hand() -> None:
    """Taken off in production, and `live` materialized by a person: refused with the failure."""
    site = Site("production")
    site.everywhere("a", "b")
    site.world.behave(sample_sha("b"), BAD)
    site.world.clock.advance(60)
    site.production.rejudge(sample_sha("b"))
    assert site.production.record.quarantine[0].commit == sample_sha("b")
    site.untouched(lambda: live(site.production.op(), "production", sample_sha("b")), "Failed")
