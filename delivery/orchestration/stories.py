"""The story of a rollout whose run ends before it is through: on the run, and on the asset `deployment`.

A step that fails materializes nothing, so the steps, the shares and the reasons would be in the ledger alone,
and whoever has to answer a pause looks in the UI first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from delivery.core.accepting import what_abort_means, what_continue_means
from delivery.core.ledger import LedgerRecord
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.errors import DeliveryError, UnavailableError
from delivery.flows.operation import Operation
from delivery.orchestration import metadata, verdicts
from delivery.orchestration.ending import Context, ended
from delivery.orchestration.metadata import Metadata
from delivery.orchestration.stage import key

#: What is seen where the step failed, whose row in the run's log has little room. The asset has the whole.
FIRST = ("continue", "abort", "story", "evidence", "compared")


@contextmanager
def with_story(context: Context, op: Operation, environment: str) -> Iterator[None]:
    """What ends in here says how far the rollout came. An unavailable provider is asked again first."""
    try:
        yield
    except UnavailableError:
        raise
    except DeliveryError as error:
        shown = _shown(context, op, environment)
        if shown:
            here = key(op.service.name, "deployment", environment)
            context.log_event(dg.AssetObservation(here, partition=context.partition_key, metadata=shown))
        raise ended(context, error, {name: shown[name] for name in FIRST if name in shown}) from None


def story(record: LedgerRecord, rollout: Rollout) -> Metadata:
    """What a person can answer, if the rollout waits for that; its story; its last verdict, rule by rule."""
    shown = {**(_answers(record, rollout) if _waits(rollout) else {}), **metadata.rollout(rollout)}
    if rollout.verdict is None:
        return shown
    judged = verdicts.verdict(rollout.verdict)
    judged["verdict"] = metadata.text(f"{rollout.verdict.phase}: {judged.pop('reason').value}")
    return {**shown, **judged}


def _shown(context: Context, op: Operation, environment: str) -> Metadata:
    """Of this commit's rollout, or of the paused one that stands in its way."""
    try:
        record = op.record(environment)
    except DeliveryError as error:
        context.log.warning(f"how far the rollout came could not be read: {error}")
        return {}
    rollout = record.rollout
    if rollout is None or not (_waits(rollout) or rollout.release.commit == context.partition_key):
        return {}
    return story(record, rollout)


def _waits(rollout: Rollout) -> bool:
    return rollout.phase is RolloutPhase.PAUSED


def _answers(record: LedgerRecord, rollout: Rollout) -> Metadata:
    """Both commands, and what each of them does."""
    meanings = {"continue": what_continue_means(rollout), "abort": what_abort_means(rollout)}
    return {
        word: metadata.text(f"delivery {word} {record.service} {record.environment}   ({meaning})")
        for word, meaning in meanings.items()
    }
