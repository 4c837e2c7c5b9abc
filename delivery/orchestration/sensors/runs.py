"""Runs as the sensors see them: which are on their way, and how a queued one makes room for a newer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import dagster as dg

from delivery.orchestration.launcher.worker import Worker
from delivery.orchestration.operation import holder_of
from delivery.orchestration.tags import COMMIT, LOCK, PROMOTION, REASON, SUPERSEDED_BY

IN_PROGRESS = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
#: Dagster's own tag: the partition key of a run, which is a commit.
PARTITION = "dagster/partition"
#: Dagster's own: whether it will repeat a failed run, and which run another repeats.
WILL_RETRY, PARENT = "dagster/will_retry", "dagster/parent_run_id"
#: How many of a lock's newest runs are looked through for the one that holds the ledger's.
RECENT = 20
ACTIVE = (dg.DagsterRunStatus.QUEUED, *IN_PROGRESS)


def active(
    instance: dg.DagsterInstance, tags: Mapping[str, str], job: str | None = None
) -> Sequence[dg.DagsterRun]:
    """Runs with these tags that are queued or in progress."""
    return instance.get_runs(dg.RunsFilter(job_name=job, tags=dict(tags), statuses=list(ACTIVE)))


def supersede(instance: dg.DagsterInstance, job: str, commit: str) -> Iterator[str]:
    """Cancel the job's queued runs of other commits, say so in each, and yield their commits.

    One that started is never cancelled. Should the queue start one between the look and the cancel, it
    finds itself cancelled before its first step. One that finishes what was begun is not cancelled either:
    the retry of a killed run, or the backstop's. Its release has traffic that nobody would look at until
    the newer commit is built.
    """
    for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.QUEUED])):
        old = run.tags.get(COMMIT, "")
        if old == commit or _finishes(run):
            continue
        instance.add_run_tags(run.run_id, {SUPERSEDED_BY: commit})
        instance.report_run_canceled(run, f"Superseded by {commit[:8]} before it began.")
        yield old


def _finishes(run: dg.DagsterRun) -> bool:
    """Whether the run goes on with something that another began."""
    return run.parent_run_id is not None or run.tags.get(REASON, PROMOTION) != PROMOTION


def under_way(
    instance: dg.DagsterInstance, locks: Collection[str], commit: str | None = None
) -> Sequence[dg.DagsterRun]:
    """Runs under one of these locks that are queued or in progress; with `commit`, only those of it."""
    found = [run for lock in locks for run in active(instance, {LOCK: lock})]
    return [run for run in found if commit is None or commit_of(run) == commit]


def commit_of(run: dg.DagsterRun) -> str:
    """The commit a run is about: our tag, or the partition of one that a person started in the UI."""
    return run.tags.get(COMMIT) or run.tags.get(PARTITION, "")


def gone(instance: dg.DagsterInstance, holder: str, locks: Collection[str]) -> bool:
    """Whether the ledger's holder is a run of this Dagster that is over, and that nothing repeats.

    Of a holder that is no run of ours (a person, another installation) we cannot know.
    """
    found = [
        run for lock in locks for run in instance.get_runs(dg.RunsFilter(tags={LOCK: lock}), limit=RECENT)
    ]
    theirs = [run for run in found if holder_of(run) == holder]
    return bool(theirs) and all(_over(instance, run) for run in theirs)


def _over(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """A run may be marked as failed or cancelled whose process still works."""
    worker = Worker.of_run(run.run_id, run.tags)
    alive = worker is not None and worker.alive
    return run.is_finished and not alive and not _will_be_repeated(instance, run)


def _will_be_repeated(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Dagster has decided to repeat it, and has not begun to."""
    if run.tags.get(WILL_RETRY) != "true":
        return False
    return not instance.get_runs(dg.RunsFilter(tags={PARENT: run.run_id}), limit=1)


def bury(instance: dg.DagsterInstance, holder: str, locks: Collection[str]) -> bool:
    """Mark the run failed that holds the ledger's expired lock and still counts as started.

    When a run's worker and its code server die together, Dagster believes the run to be on its way for hours,
    and nothing else gets its turn. A living worker renews its lock, so an expired one tells that it is gone;
    should it only have slept, its next write is refused by the fence.
    """
    for run in under_way(instance, locks):
        if run.status is dg.DagsterRunStatus.STARTED and holder == holder_of(run):
            instance.report_run_failed(run, "Its deploy lock expired: the worker of this run is gone.")
            return True
    return False
