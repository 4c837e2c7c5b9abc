"""Infrastructure: plan once, check the policy, apply exactly that plan, hand the contract to the deployer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from delivery.core.infra import DeployContract, Infrastructure, PlanSummary
from delivery.core.ledger import LedgerRecord
from delivery.errors import NotFoundError, RefusedError, StalePlanError
from delivery.flows import keys
from delivery.flows.operation import Operation
from delivery.flows.records import change

_DESTROYING = ("delete", "replace")


def variables(op: Operation, environment: str) -> Mapping[str, Any]:
    """What every service stack is told beside its own variable files."""
    repository = op.service.image.repository or op.service.name
    return {"service": op.service.name, "environment": environment, "repository_name": repository}


def plan(op: Operation, environment: str, sha: str) -> PlanSummary:
    """Plan the environment's stack; summary and plan file are kept for review and for `infrastructure`."""
    summary, file = _plan(op, environment)
    op.world.artifacts.put(keys.plan_file(op.service.name, sha, environment), file)
    op.world.artifacts.save(keys.of_environment(op.service.name, sha, environment, "plan"), summary)
    return summary


def plan_problems(summary: PlanSummary) -> tuple[str, ...]:
    """What our policy says against a plan: it may not destroy or replace what holds data."""
    return tuple(
        f"{change.address} holds data and would be {change.action}d"
        + (f" ({change.reason})" if change.reason else "")
        for change in summary.changes
        if change.stateful and change.action in _DESTROYING
    )


def infrastructure(op: Operation, environment: str, sha: str) -> Infrastructure:
    """Apply exactly the reviewed plan, or say that there is nothing to apply; record the deploy contract.

    StalePlanError when it is too old or no longer fits the state; RefusedError when the policy is against it.
    The same plan is applied once, however often this is called.
    """
    store, name = op.world.artifacts, op.service.name
    summary = store.load(keys.of_environment(name, sha, environment, "plan"), PlanSummary)
    done_key = keys.of_environment(name, sha, environment, "infrastructure")
    done = _done(op, done_key, summary)
    if done is not None:
        _keep(op, environment, done.contract)
        return done
    _check(op, environment, summary)
    if not summary.empty:
        file = store.get(keys.plan_file(name, sha, environment))
        _apply(op, environment, summary, file)
    contract = _contract(op, environment)
    result = Infrastructure(contract, not summary.empty, summary.sentence(), summary.plan_id)
    _keep(op, environment, contract)
    store.save(done_key, result)
    return result


def provision(op: Operation, environment: str) -> DeployContract:
    """Plan and apply in one go, without a commit (the first time, from the command line)."""
    summary, file = _plan(op, environment)
    _check(op, environment, summary)
    if not summary.empty:
        _apply(op, environment, summary, file)
    contract = _contract(op, environment)
    _keep(op, environment, contract)
    return contract


def _plan(op: Operation, environment: str) -> tuple[PlanSummary, bytes]:
    key = keys.state_key(op.service.name, environment)
    terraform = op.spec(environment).terraform
    return op.world.planner.plan(terraform, key, variables(op, environment), op.progress)


def _check(op: Operation, environment: str, summary: PlanSummary) -> None:
    problems = plan_problems(summary)
    what = f"The plan of {op.service.name} {environment} was not applied"
    if problems:
        raise RefusedError(what, "; ".join(problems), "Change the code, or do this by hand after a backup.")
    age = (op.world.clock.now() - summary.created_at).total_seconds()
    limit = op.spec(environment).terraform.plan_max_age
    if age > limit:
        why = f"it is {age / 60:.0f} min old, older than the {limit / 60:.0f} min a review holds"
        raise StalePlanError(what, why, "Rerun from the asset `plan`.")


def _apply(op: Operation, environment: str, summary: PlanSummary, file: bytes) -> None:
    key = keys.state_key(op.service.name, environment)
    op.world.planner.apply(op.spec(environment).terraform, key, summary, file, op.progress)


def _contract(op: Operation, environment: str) -> DeployContract:
    key = keys.state_key(op.service.name, environment)
    return op.world.planner.contract(op.spec(environment).terraform, key)


def _done(op: Operation, key: str, summary: PlanSummary) -> Infrastructure | None:
    """What this very plan gave when it was applied before."""
    try:
        done = op.world.artifacts.load(key, Infrastructure)
    except NotFoundError:
        return None
    return done if done.plan_id == summary.plan_id else None


def _keep(op: Operation, environment: str, contract: DeployContract) -> None:
    def kept(record: LedgerRecord) -> LedgerRecord:
        return replace(record, contract=contract)

    change(op, environment, kept)
