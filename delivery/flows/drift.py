"""Drift of one environment: Terraform, ECS, weights and DNS, expected against actual."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from delivery.core.drift import DriftReport, Finding, Kind, of_dns, of_plan, of_slots
from delivery.core.ledger import LedgerRecord
from delivery.errors import DeliveryError
from delivery.flows.keys import state_key
from delivery.flows.operation import Operation, contract_of
from delivery.flows.plan import variables


def drift(op: Operation, environment: str) -> DriftReport:
    """Compare everything there is. What cannot be asked is a finding that is not ok: silence is no success.

    NotFoundError before the environment was ever provisioned.
    """
    record = op.record(environment)
    contract_of(record)
    findings = [
        *_asked("terraform", lambda: [_plan(op, environment)]),
        *_asked("ecs", lambda: _slots(op, record)),
        *_asked("dns", lambda: _dns(op, environment, record)),
    ]
    return DriftReport(tuple(findings))


def _asked(kind: Kind, ask: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from list(ask())
    except DeliveryError as error:  # a service that is gone as well
        yield Finding(kind, False, "an answer", f"could not look: {error}")


def _plan(op: Operation, environment: str) -> Finding:
    key = state_key(op.service.name, environment)
    terraform = op.spec(environment).terraform
    return of_plan(op.world.planner.drift(terraform, key, variables(op, environment), op.progress))


def _slots(op: Operation, record: LedgerRecord) -> Iterable[Finding]:
    return of_slots(record, op.ports(contract_of(record)).target.observe())


def _dns(op: Operation, environment: str, record: LedgerRecord) -> Iterable[Finding]:
    spec = op.spec(environment).dns
    if spec is None or record.live is None:
        return ()  # no name to follow, or nothing that it should name yet
    return (of_dns(contract_of(record).load_balancer_dns, op.world.dns.current(spec.zone, spec.record)),)
