"""A person accepts what nobody could tell: a marginal score, a rule without data, a target that is missing.

Only what is Inconclusive can be accepted, and only where the rollout is paused because of it. *Failed* is
measured and bad: it condemns, before and after a word. *Error* is "could not look": there is none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from delivery.core.analysis import Accepted, Verdict, VerdictPhase
from delivery.core.rollout import Rollout, RolloutPhase, Transition
from delivery.core.scoring import CANARY
from delivery.core.strategy import Analyze, Bake, SetWeight

#: The name of what is undecided where no rule was measured at all.
NOTHING = "nothing was measured"


def undecided(verdict: Verdict | None) -> tuple[str, ...]:
    """The rules that make a verdict inconclusive; empty when it is anything else."""
    if verdict is None or verdict.phase is not VerdictPhase.INCONCLUSIVE:
        return ()
    found = [r.rule for r in verdict.results if r.counts and r.phase is VerdictPhase.INCONCLUSIVE]
    return tuple(found) or (NOTHING,)


def accept(rollout: Rollout, by: str, reason: str, now: datetime) -> Rollout:
    """The paused rollout with a person's word for its undecided rules, at this step only.

    It is judged once more before it goes on: an analysis over its newest span, as long as the step. What is
    Failed by then condemns it, and what else is undecided by then is not accepted.
    """
    step, weight = rollout.step, rollout.weight
    what = rollout.verdict.reason if rollout.verdict else rollout.reason
    word = Accepted(by, reason, now, rollout.index, weight, rollout.undecided, what)
    entered = now
    if isinstance(step, Analyze | Bake):
        entered = max(rollout.entered_at, now - timedelta(seconds=step.seconds))
    return replace(
        rollout,
        phase=RolloutPhase.PROGRESSING,
        reason=f"accepted by {by} ({rollout.reason})",
        errors=0,
        entered_at=entered,
        served_at=None,
        undecided=(),
        accepted=(*rollout.accepted, word),
        history=(*rollout.history, Transition(now, weight, told((word,)))),
    )


def words_for(rollout: Rollout, verdict: Verdict | None) -> tuple[Accepted, ...]:
    """The words by which this step may be passed with this verdict; empty when they do not cover all of it.

    The comparison of the last share stands where the stable slot has no traffic any more (see
    `flows.canary`). Who accepted it there has accepted it here: it is the same evidence.
    """
    open_rules = set(undecided(verdict))
    if not open_rules or verdict is None:
        return ()
    found = [word for word in rollout.accepted if word.step == rollout.index]
    covered = {rule for word in found for rule in word.rules}
    if CANARY in open_rules - covered and _stands(rollout, verdict):
        since = _last_share(rollout)
        before = [w for w in rollout.accepted if CANARY in w.rules and since <= w.step < rollout.index]
        found, covered = before[-1:] + found, covered | ({CANARY} if before else set())
    return tuple(found) if open_rules <= covered else ()


def concluded(verdict: Verdict, rollout: Rollout) -> Verdict:
    """The verdict after all steps, with every word of its rollout.

    Where the last step was passed by a person's word, and nothing else is undecided, it is Successful by that
    word, and says so (`Verdict.by_word`). Failed and Error stay what they are.
    """
    last = rollout.verdict.accepted if rollout.verdict is not None else ()
    covered = {rule for word in last for rule in word.rules}
    return by_word(replace(verdict, accepted=rollout.accepted), covered, last)


def by_word(verdict: Verdict, covered: Collection[str], words: tuple[Accepted, ...]) -> Verdict:
    """Successful where all that is undecided is `covered`; else unchanged."""
    open_rules = undecided(verdict)
    if not open_rules or not set(open_rules) <= set(covered):
        return verdict
    reason = f"{told(words)}; not measured to be good: {verdict.reason}"
    return replace(verdict, phase=VerdictPhase.SUCCESSFUL, reason=reason)


def told(words: tuple[Accepted, ...]) -> str:
    """`canary accepted at 10 % by person ada: the batch job explains it`."""
    return "; ".join(f"{', '.join(w.rules)} accepted at {w.weight} % by {w.by}: {w.reason}" for w in words)


def what_continue_means(rollout: Rollout) -> str:
    """What a person's `continue` does to a rollout that waits, in half a sentence."""
    if rollout.returning:
        return "tries again to return its traffic"
    if rollout.waiting:
        return "goes on"
    if rollout.undecided:
        rules = ", ".join(rollout.undecided)
        what = f"accepts {rules}, looks once more and goes on unless it fails"
        bakes = isinstance(rollout.step, Bake)
        return f"{what}; the release is then verified by your word" if bakes else what
    return "looks again, from where it stopped"


def what_abort_means(rollout: Rollout) -> str:
    """What a person's `abort` does to it."""
    if rollout.returning:
        return "ends it where it stands"
    if rollout.kind == "restore" and rollout.previous is not None:
        has = rollout.traffic_at is not None or (bool(rollout.history) and rollout.history[-1].weight > 0)
        return f"gives {'all traffic back to' if has else 'it up, the traffic stays with'} {rollout.previous}"
    return "gives it up, its traffic goes back"


def _stands(rollout: Rollout, verdict: Verdict) -> bool:
    """Whether what is open in the score was compared at an earlier share, and not here."""
    parts = [r for r in verdict.results if r.part_of == CANARY and not r.dry_run]
    compared = [r.compared for r in parts if r.phase is not VerdictPhase.SUCCESSFUL and r.compared]
    alone = rollout.weight == 100 and not rollout.in_place
    return alone and bool(compared) and all(c.against == "stable" for c in compared)


def _last_share(rollout: Rollout) -> int:
    """The index of the last analysis at which both slots had traffic; -1 when there was none."""
    weight, found = 0, -1
    for index, step in enumerate(rollout.steps[: rollout.index]):
        if isinstance(step, SetWeight):
            weight = step.percent
        elif isinstance(step, Analyze) and 0 < weight < 100:
            found = index
    return found
