"""What must hold after every action and every ledger write, whatever happened before.

The numbers are those of `docs/promises.md`. Three more: every action has its effect `once`; a digest in
`quarantine` gains no traffic; the `way back` leads to a verified release, and nothing is rolled back twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.comparison import Compared
from delivery.core.ledger import LedgerRecord, Outcome, ReleaseRecord, Restoration
from delivery.core.release import Slot
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.standing import handled, open_restoration
from delivery.core.strategy import RunTask
from delivery.core.target import Action, Drain, EndTask, Launch, RunOnce, ShiftTraffic
from delivery_tests.fakes import FakeTarget, sample_sha
from delivery_tests.flows.properties.history import History
from delivery_tests.flows.properties.hub import Hub, Worker

#: Behaviours that nothing measures as bad.
HARMLESS = {"good", "slow", "one bad preview", "slow task"}
CONSOLE = {"weight", "drain", "foreign"}

Key = tuple[str, datetime]


class Promises:
    """`broken` are the promises that were, in order.

    `record` reads the ledger as it is; `judged` tells whether there is a verdict on a commit.
    """

    def __init__(
        self,
        history: History,
        hub: Hub,
        target: FakeTarget,
        record: Callable[[], LedgerRecord],
        judged: Callable[[str], bool],
    ) -> None:
        self.history, self.hub, self.target, self.record, self.judged = history, hub, target, record, judged
        self.broken: list[str] = []
        self.edits: list[datetime] = []
        self.alarmed = False
        self.soured: set[str] = set()
        self.foreign: set[str] = set()  # releases somebody deployed at the console, quarantine or not
        self.stays = False  # a rollout ended and said that its traffic was not returned
        self.verified: set[str] = set()
        self.restored: set[str] = set()  # came back by a rollback, and were not verified anew since
        self.off: set[str] = set()  # were taken off, and have not been deployed since
        self._effects: Counter[tuple[object, ...]] = Counter()
        self._tokens: dict[Key, set[str]] = {}

    def fail(self, what: str) -> None:
        """A promise is broken: nothing more is played."""
        self.broken.append(f"at {self.hub.seconds():g} s: {what}")
        self.hub.stopped = True

    # -- actions ---------------------------------------------------------------------------------------------

    def acted(self, who: Worker | None, action: Action, do: Callable[[], None]) -> None:
        """Do the action, and look at what it does."""
        told, dark = dict(self.target._told), self._dark()
        healthy = {slot: self.target.served(slot, self.hub.now()).healthy for slot in Slot}
        self._one_at_a_time(who, action)
        do()
        self._task_first(action)
        if told == self.target._told or isinstance(action, RunOnce | EndTask):
            return
        if self._dark() > dark:
            self.fail(f"1: {action.kind} left {self._dark()} % of the traffic without a healthy target")
        if isinstance(action, Drain) and healthy[action.slot] and not healthy[action.slot.other]:
            seen = who.seen if who is not None else None
            serves = seen.slot(action.slot.other) if seen is not None else None
            known = serves is not None and serves.desired and serves.healthy == 0
            if seen is not None and known and seen.slot(action.slot).healthy:
                self.fail(f"1: {action.slot} was drained, which had the last healthy targets")
        self._once(action, told[self._slot(action)] if isinstance(action, Launch) else None)
        self._no_quarantined(action, {slot: told[slot].weight for slot in Slot})

    def _dark(self) -> int:
        """Percent of production traffic that no target answers."""
        served = [self.target.served(slot, self.hub.now()) for slot in Slot]
        return sum(one.weight for one in served if one.weight and not one.healthy)

    def _one_at_a_time(self, who: Worker | None, action: Action) -> None:
        lock, fence = self.record().lock, self.record().fence
        if who is None or who.fence != fence or lock is None or lock.holder != who.name:
            holder = lock.holder if lock else "nobody"
            self.fail(f"2: {who.name if who else '?'} does {action.kind}, the lock is {holder}'s ({fence})")

    def _task_first(self, action: Action) -> None:
        """A token is one task; nothing of a release starts before its task has ended well, and none is begun
        while another one runs."""
        runs, now, rollout = self.target.one_offs.runs, self.hub.now(), self.record().rollout
        tokens = Counter(run.action.token for run in runs)
        if tokens and max(tokens.values()) > 1:
            self.fail(f"once: the task {tokens.most_common(1)[0][0]} ran twice")
        if rollout is not None and isinstance(action, RunOnce):
            self._tokens.setdefault(_key(rollout), set()).add(action.token)
            if len(self._tokens[_key(rollout)]) > 1:
                self.fail(f"once: the task of {rollout.release.id} has two names and runs twice")
        busy = [r for r in runs if r.over is None or r.over > now]
        if isinstance(action, RunOnce) and len(busy) > 1:
            self.fail(f"task: {action.token} runs beside {busy[0].action.token}")
        forward = isinstance(action, Launch) or (isinstance(action, ShiftTraffic) and action.percent > 0)
        step = rollout.steps[0] if rollout is not None and rollout.steps else None
        if rollout is None or not forward or not isinstance(step, RunTask):
            return
        if isinstance(action, Launch) and action.release.id != rollout.release.id:
            return  # the way back
        token = replace(rollout, index=0).token
        over = [run.over for run in runs if run.action.token == token and run.over]
        task = self.target.one_offs.shown(token, min([now, *over]))  # ECS forgets it after an hour
        if task is None or task.phase != "succeeded":
            self.fail(f"task: {action.kind} although the task is {task.phase if task else 'unknown'}")

    def _once(self, action: Launch | ShiftTraffic | Drain, told: object) -> None:
        """One effect per action of a rollout, unless somebody or ECS changed the slot meanwhile."""
        rollout = self.record().rollout
        if rollout is None or self._edited_since(rollout):
            return
        released = action.release.id if isinstance(action, Launch) else ""
        key: tuple[object, ...] = (_key(rollout), action.kind, self._slot(action), released)
        if isinstance(action, ShiftTraffic):
            key = (*key, action.percent)
        if isinstance(action, Launch):
            before, after = told, self.target._told[action.slot]
            if getattr(before, "launched", None) == after.launched:
                return  # more tasks of the same deployment
            fate = self.target.tasks.fate(before)  # type: ignore[arg-type]
            gave_up = fate.gave_up is not None and fate.gave_up <= self.hub.now()
            if gave_up or getattr(before, "back_at", None) is not None:
                return
        self._effects[key] += 1
        if self._effects[key] > 1:
            self.fail(
                f"once: {action.kind} of {rollout.release.id} had its effect {self._effects[key]} times"
            )

    def _no_quarantined(self, action: Action, before: dict[Slot, int]) -> None:
        """A digest in quarantine gains traffic only where it had been before the rollout."""
        record, now = self.record(), self.target.look()
        bad = {r.release.id for r in record.releases if record.quarantined(r.release.image.digest)}
        back_to = record.rollout.previous if record.rollout else None
        for slot in Slot:
            told = self.target._told[slot]
            launched = isinstance(action, Launch) and action.slot is slot and told.weight > 0
            gained = told.weight > before[slot] or launched
            release = action.release.id if isinstance(action, Launch) and launched else now.slot(slot).release
            if gained and release in bad - self.foreign and release != back_to:
                self.fail(f"quarantine: {release} is in quarantine and was given {told.weight} %")
            rollout = record.rollout
            ours = rollout is not None and release == rollout.release.id and slot is rollout.candidate
            if gained and ours and rollout is not None and rollout.condemned and release not in self.foreign:
                self.fail(f"quarantine: {release} was judged bad and was given {told.weight} %")

    def _edited_since(self, rollout: Rollout) -> bool:
        """Whether somebody changed something at the console, by whichever clock."""
        begun = rollout.started_at - timedelta(seconds=self.history.skew)
        return any(at >= begun for at in self.edits)

    @staticmethod
    def _slot(action: Launch | ShiftTraffic | Drain) -> Slot:
        return action.candidate if isinstance(action, ShiftTraffic) else action.slot

    # -- the ledger ------------------------------------------------------------------------------------------

    def wrote(self, who: Worker | None, old: LedgerRecord, new: LedgerRecord) -> None:
        """Somebody wrote the ledger."""
        if who is not None and new.fence > old.fence:
            who.fence = new.fence
        known = set(map(id, old.releases))
        for entry in new.releases:
            if id(entry) not in known:
                self._recorded(entry, new)
        if new.live is not None and new.live.id not in self.verified:
            self.fail(f"4: {new.live.id} is called live and was never verified")
        for quarantine in new.quarantine:
            if quarantine not in old.quarantine and self._harmless(quarantine.commit):
                self.fail(f"4: {quarantine.commit[:8]} is in quarantine: {quarantine.reason}")
        for restoration in new.restorations:
            if restoration not in old.restorations:
                self._restoration(restoration, old)
        if new.live is not old.live or new.restorations != old.restorations:
            self.stays = False
        ended = new.rollout is not None and new.rollout.phase is RolloutPhase.ABORTED
        if new.rollout is not None and ended and "traffic" in new.rollout.reason:
            self.stays = True
        if new.rollout is not None and (old.rollout is None or _key(old.rollout) != _key(new.rollout)):
            self._replaced(old, new, new.rollout)

    def _recorded(self, entry: ReleaseRecord, record: LedgerRecord) -> None:
        release = entry.release
        if entry.outcome is Outcome.VERIFIED:
            if not _measured(entry.verdict) and release.id not in self.verified:
                self.fail(f"4: {release.id} is verified by {entry.verdict}")
            if release.id not in self.verified or release.id not in self.restored:
                self.verified.add(release.id)
        elif entry.outcome is Outcome.FAILED and self._harmless(release.commit):
            self.fail(f"4: {release.id} is recorded as failed: {entry.reason}")

    def _harmless(self, commit: str) -> bool:
        """Nothing bad was there to be measured of this commit."""
        history = self.history
        blind = history.strict and any(e.doing == "dark" for e in history.events)
        bad = any(sample_sha(t.commit) == commit and t.behaviour not in HARMLESS for t in history.turns)
        return not (bad or commit in self.soured or blind or self.edits or self.alarmed)

    def _restoration(self, now: Restoration, old: LedgerRecord) -> None:
        if not now.restored:
            return
        if now.good not in self.verified:
            self.fail(f"way back: rolled back to {now.good}, which was never verified")
        if now.bad in self.off:
            self.fail(f"once: {now.bad} was rolled back twice")
        self.off.add(now.bad)
        self.off.discard(now.good)
        if not now.reflex:
            self.restored.add(now.good)

    def _replaced(self, old: LedgerRecord, new: LedgerRecord, rollout: Rollout) -> None:
        before = old.rollout
        if before is not None and before.phase not in (RolloutPhase.SUCCEEDED, RolloutPhase.ABORTED):
            self.fail(f"3: the rollout of {before.release.id} was {before.phase} and is forgotten")
        if before is not None and before.kind == "deploy" and before.phase is RolloutPhase.SUCCEEDED:
            entry = new.record_of(before.release.id)
            kept = entry is not None and entry.at >= before.started_at
            # Somebody who takes the traffic away at the console takes it from the judges as well.
            looked_at = self._edited_since(before) or self.judged(before.release.commit)
            if not handled(old, before) and not (kept and looked_at):
                self.fail(f"3: {before.release.id} had all the traffic, was not judged, and is forgotten")
        if rollout.kind == "deploy":
            self.off.discard(rollout.release.id)
            self.restored.discard(rollout.release.id)
            return
        begun = open_restoration(new)
        if rollout.release.id not in self.verified:
            self.fail(f"way back: on the way back to {rollout.release.id}, which was never verified")
        if begun is None:
            self.fail(f"way back: on the way back to {rollout.release.id} without a restoration")
        elif begun.bad in self.restored and "person" not in begun.by:
            self.fail(f"way back: {begun.bad} came by a rollback and is rolled back")


def _key(rollout: Rollout) -> Key:
    return f"{rollout.kind} {rollout.release.id}", rollout.started_at


def _measured(verdict: Verdict | None) -> bool:
    """Successful, each rule by something seen: samples, tasks, answers, or requests without errors."""
    if verdict is None or verdict.phase is not VerdictPhase.SUCCESSFUL:
        return False
    counted = [r for r in verdict.results if r.counts]
    compared = [r.compared for r in verdict.results if r.compared is not None and not r.dry_run]
    return bool(counted) and all(
        (r.phase is VerdictPhase.INCONCLUSIVE and _accepted(verdict, r.rule))
        or (
            r.phase is VerdictPhase.SUCCESSFUL
            and (
                r.samples
                or r.rule in ("targets", "preview")
                or "requests were counted" in r.reason
                or (r.rule == "canary" and _scored(r, compared))
            )
        )
        for r in counted
    )


def _accepted(verdict: Verdict, rule: str) -> bool:
    """A person's word stands for what nobody could tell."""
    return any(rule in word.rules and word.by.startswith("person") for word in verdict.accepted)


def _scored(canary: RuleResult, compared: Sequence[Compared]) -> bool:
    """What was compared with figures on both sides is enough of all weights to pass."""
    both = [c for c in compared if c.candidate_figure is not None and c.baseline_figure is not None]
    whole = sum(c.comparison.weight for c in compared)
    passing = canary.score.passing if canary.score else 100.0
    return whole > 0 and 100 * sum(c.comparison.weight for c in both) / whole >= passing
