"""`delivery status`: what the ledger says of every environment."""

from __future__ import annotations

from datetime import datetime

import click
from rich.markup import escape

from delivery.cli.installation import Installation, pass_installation
from delivery.cli.tables import show, table_of
from delivery.core.accepting import told as told_words
from delivery.core.accepting import what_abort_means, what_continue_means
from delivery.core.ledger import LedgerRecord
from delivery.core.pausing import unanswered
from delivery.core.rollout import RolloutPhase
from delivery.core.wording import where


@click.command()
@click.argument("service", required=False)
@pass_installation
def status(installation: Installation, service: str | None) -> None:
    """What is live, in flight, held and quarantined, of SERVICE or of all."""
    chosen = (installation.service(service),) if service else installation.services
    table = table_of("Service", "Environment", "Live", "State")
    now = installation.world.clock.now()
    for spec in chosen:
        for environment in spec.environments:
            record = installation.world.ledger.load(spec.name, environment.name).record
            table.add_row(*map(escape, (spec.name, environment.name, *cells(record, now))))
    show(table)


def cells(record: LedgerRecord, now: datetime) -> tuple[str, str]:
    """The live release of one environment; then rollout, hold, lock and quarantine, a line each."""
    hold, lock = record.hold, record.lock
    lines = [_rollout(record, now)]
    if hold:
        lines.append(f"held since {_at(hold.since)} by {hold.by}: {hold.reason}")
    if lock:
        expired = " (expired)" if lock.expires_at <= now else ""
        lines.append(f"locked by {lock.holder} until {_at(lock.expires_at)}{expired}")
    lines += [f"quarantined {q.digest[:19]} ({q.commit[:8]}): {q.reason}" for q in record.quarantine]
    return _live(record), "\n".join(line for line in lines if line)


def _live(record: LedgerRecord) -> str:
    if record.live is None:
        return "nothing verified yet"
    entry = record.record_of(record.live.id)
    word = " by a person's word" if entry and entry.by_word else ""
    since = f", {entry.outcome}{word} {_at(entry.at)}" if entry else ""
    return f"{record.live.id}{since}"


def _rollout(record: LedgerRecord, now: datetime) -> str:
    """The rollout in flight; else how the last one ended."""
    rollout = record.in_flight
    if rollout is None:
        last = record.rollout
        return f"last rollout: {last.release.id} {last.phase}" if last else ""
    step = f", {where(rollout, now)}" if rollout.step else ""
    told = f": {rollout.reason}" if rollout.reason else ""
    lines = [f"{rollout.kind} {rollout.release.id} {rollout.phase} at {rollout.weight} %{step}{told}"]
    if rollout.phase is RolloutPhase.PAUSED or unanswered(rollout):
        lines.append(f"`delivery continue`: {what_continue_means(rollout)}")
        lines.append(f"`delivery abort`: {what_abort_means(rollout)}")
    lines += [f"accepted: {told_words((word,))}" for word in rollout.accepted]
    return "\n".join(lines)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
