"""The four acts: a good commit, a canary, a bad commit, a late failure. Each is measured from outside."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from delivery.cli.demo.load import Book
from delivery.cli.demo.repo import Pushed, WorkingCopy
from delivery.cli.demo.report import Act, Teller, seconds_between
from delivery.cli.demo.watch import Watcher
from delivery.core.ledger import Outcome, ReleaseRecord
from delivery.core.rollout import Rollout, Transition

STAGING, PRODUCTION = "staging", "production"
#: How far the measured share of a canary step may be from the weight, in percent points.
TOLERANCE = 5.0


@dataclass(frozen=True, slots=True)
class Edit:
    """A commit to come: its subject and the files it writes."""

    subject: str
    files: Mapping[str, str]


@dataclass
class Stage:
    """What the acts play on. `patience` is the longest wait for one act, in seconds."""

    watcher: Watcher
    copy: WorkingCopy
    book: Book
    teller: Teller
    start_load: Callable[[], None]
    production_host: Callable[[], str]
    patience: float = 900.0

    def push(self, edit: Edit) -> tuple[Pushed, datetime]:
        """`git push`, and when."""
        at = datetime.now(UTC)
        pushed = self.copy.push(edit.subject, edit.files)
        self.teller.say(f"git push: {pushed.short} {edit.subject}", "push")
        return pushed, at

    def outcome(self, sha: str, environment: str) -> ReleaseRecord | None:
        """How that commit ended in that environment, if it has."""
        releases = self.watcher.record(environment).releases
        return next((r for r in reversed(releases) if r.release.commit == sha), None)

    def wait_run(self, sha: str, act: Act) -> None:
        """Until the commit's runs are over, both environments included."""
        done = self.watcher.wait(sha, lambda: not self.watcher.running(sha), self.patience)
        act.expect(done, f"the run did not end within {self.patience:.0f} s")


def good_commit(stage: Stage, edit: Edit) -> Act:
    """Act 1: the first commit goes live in staging, then in production."""
    act = stage.teller.act(
        1, "a first commit goes live",
        "A commit is pushed to the service's repository. It is checked, built, pushed and scanned; Terraform "
        "plans and applies its infrastructure; it goes live in staging, then in production.",
    )  # fmt: skip
    pushed, at = stage.push(edit)
    stage.wait_run(pushed.sha, act)
    for environment in (STAGING, PRODUCTION):
        record = stage.outcome(pushed.sha, environment)
        live = record is not None and record.outcome is Outcome.VERIFIED
        act.expect(live, f"{environment}: not live")
        if record is not None:
            act.facts[f"push → live in {environment}"] = seconds_between(at, record.at)
    act.expect(_statuses(stage, pushed.sha) == {"SUCCESS"}, "the run is not green")
    stage.teller.close(act)
    return act


def canary(stage: Stage, edit: Edit) -> Act:
    """Act 2: a second good commit goes live in production step by step, under load."""
    act = stage.teller.act(
        2, "a canary under load",
        "Steady load on production begins. A second good commit takes 10, 50, then 100 % of it; the split is "
        "counted by the load itself, from the release each answer names.",
    )  # fmt: skip
    stage.start_load()
    pushed, at = stage.push(edit)
    shares = _Shares(stage, act)
    stage.watcher.wait(
        pushed.sha, lambda: not stage.watcher.running(pushed.sha), stage.patience, shares.on_transition
    )
    record = stage.outcome(pushed.sha, PRODUCTION)
    live = record is not None and record.outcome is Outcome.VERIFIED
    act.expect(live, "production: not live")
    if record is not None:
        act.facts["push → live in production"] = seconds_between(at, record.at)
    lost = stage.book.lost(at)
    act.facts["requests lost"] = f"{len(lost)} of {len(stage.book.between(at))}"
    act.expect(not lost, f"{len(lost)} requests were lost in a good rollout")
    act.expect(shares.seen >= {10, 50}, f"only the steps {sorted(shares.seen)} were measured")
    stage.teller.close(act)
    return act


def bad_commit(stage: Stage, edit: Edit) -> Act:
    """Act 3: a commit that passes every gate and staging fails real users in the canary."""
    act = stage.teller.act(
        3, "a bad commit comes back",
        "This commit starts healthy and passes gates and staging, but answers 500 to a share of what real "
        "users ask for. The canary's health fails, traffic returns, the run turns red with the cause.",
    )  # fmt: skip
    good = stage.watcher.record(PRODUCTION).live
    pushed, at = stage.push(edit)
    stage.wait_run(pushed.sha, act)
    record = stage.outcome(pushed.sha, PRODUCTION)
    failed = record is not None and record.outcome is Outcome.FAILED
    act.expect(failed, "production: the release was not judged bad")
    if record is not None and record.reason:
        act.facts["cause"] = record.reason
    act.expect("FAILURE" in _statuses(stage, pushed.sha), "the run is not red")
    _restored(stage, act, at, good.commit if good else "", record.release.id if record else "")
    quarantined = any(q.commit == pushed.sha for q in stage.watcher.record(PRODUCTION).quarantine)
    act.expect(quarantined, "the bad digest is not quarantined")
    stage.teller.close(act)
    return act


def late_failure(stage: Stage, poison: str) -> Act:
    """Act 4: the verified, live release begins to fail; an alarm takes it back."""
    act = stage.teller.act(
        4, "a late failure",
        "Nobody deploys. A query of death makes the live release fail, long after it was verified. Its "
        "CloudWatch alarm fires, the alarm sensor has its health judged again, and it is rolled back.",
    )  # fmt: skip
    live = stage.watcher.record(PRODUCTION).live
    if live is None:
        act.expect(False, "nothing is live in production")
        return act
    at = datetime.now(UTC)
    for _ in range(12):
        _ask(stage.production_host(), poison)
    stage.teller.say(f"GET {poison}: the live release {live.id} now fails every other request", "bad")

    def restored() -> bool:
        restoration = stage.watcher.record(PRODUCTION).restoration_of(live.id)
        return restoration is not None and restoration.finished_at is not None

    act.expect(stage.watcher.wait(live.commit, restored, stage.patience), "nothing was restored")
    stage.wait_run(live.commit, act)
    now = stage.watcher.record(PRODUCTION).live
    act.expect(now is not None and now.id != live.id, "the failing release is still live")
    act.expect("FAILURE" in _statuses(stage, live.commit), "no run turned red")
    _restored(stage, act, at, now.commit if now else "", live.id)
    stage.teller.close(act)
    return act


class _Shares:
    """Counts, at each weight of production's rollout, what share of requests the candidate answered."""

    def __init__(self, stage: Stage, act: Act) -> None:
        self._stage, self._act = stage, act
        self._since: Transition | None = None
        self._last: Transition | None = None
        self.seen: set[int] = set()

    def on_transition(self, environment: str, rollout: Rollout, line: Transition) -> None:
        """A new line of a rollout's story: when it tells of another weight, the last one is over."""
        if environment != PRODUCTION:
            return
        since, last = self._since, self._last
        if since is not None and last is not None and since.weight not in (0, line.weight):
            # Up to the order that ended this weight: from then on it may be another one.
            self._measure(since, last.at, rollout.release.id)
        if since is None or since.weight != line.weight:
            self._since = line
        self._last = line

    def _measure(self, since: Transition, end: datetime, release: str) -> None:
        split = self._stage.book.split(since.at, end)
        total = sum(split.values())
        if not total:
            return
        share, weight = 100 * split.get(release, 0) / total, since.weight
        self.seen.add(weight)
        text = f"{share:.1f} % of {total} requests"
        self._act.facts[f"measured at {weight} %"] = text
        self._act.expect(abs(share - weight) <= TOLERANCE, f"{text} measured at a weight of {weight} %")
        self._stage.teller.say(f"measured at {weight} %: {text} went to the candidate", "load")


def _restored(stage: Stage, act: Act, at: datetime, good_commit: str, bad_id: str) -> None:
    """From the load's book: first bad answer, last bad answer, how many, and who answers now."""
    restoration = stage.watcher.record(PRODUCTION).restoration_of(bad_id)
    lost = stage.book.lost(at)
    total = len(stage.book.between(at))
    act.facts["requests lost"] = f"{len(lost)} of {total}"
    act.expect(bool(lost), "the load saw no failed request")
    if lost:
        if restoration is not None and restoration.finished_at is not None:
            act.facts["first failed request → restored"] = seconds_between(
                lost[0].at, restoration.finished_at
            )
        act.facts["first → last failed request"] = seconds_between(lost[0].at, lost[-1].at)
        stage.teller.say(f"the load counted {len(lost)} failed requests of {total}", "load")
    begun = datetime.now(UTC)
    stage.watcher.pause(3.0)
    split = stage.book.split(begun)
    act.expect(
        bool(split) and all(name.startswith(good_commit[:8]) for name in split),
        f"traffic is with {sorted(split)}, not with {good_commit[:8]} alone",
    )
    act.expect(not stage.book.lost(begun), "requests are still being lost")


def _statuses(stage: Stage, sha: str) -> set[str]:
    return {run.status for run in stage.watcher.ended(sha)}


def _ask(host: str, path: str) -> None:
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        connection.getresponse().read()
    finally:
        connection.close()
