"""The ledgers of many environments at once, as the sensors look at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from delivery.core.ledger import LedgerRecord
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.errors import DeliveryError
from delivery.ports import Owner, Progress, World

Place = tuple[ServiceSpec, EnvironmentSpec]


def each_ledger(
    world: World, services: Sequence[ServiceSpec], tell: Progress | None
) -> Iterator[tuple[ServiceSpec, EnvironmentSpec, LedgerRecord]]:
    """Every ledger. With `tell`, one that cannot be read is told and passed over: it must not keep the
    others from being looked after."""
    places = [(service, spec) for service in services for spec in service.environments]
    found = world.ledger.load_all([(service.name, spec.name) for service, spec in places])
    for service, spec in places:
        answer = found[service.name, spec.name]
        if not isinstance(answer, DeliveryError):
            yield service, spec, answer.record
        elif tell is None:
            raise answer
        else:
            tell(f"{service.name} {spec.name} could not be looked at: {answer}")


def read_again(world: World, place: Place, record: LedgerRecord, tell: Progress | None) -> LedgerRecord:
    """The ledger as it is now; `record`, an older look, where it cannot be read and that is told."""
    service, spec = place
    try:
        return world.ledger.load(service.name, spec.name).record
    except DeliveryError as error:
        if tell is None:
            raise
        tell(f"{service.name} {spec.name} could not be looked at again: {error}")
        return record


def gated(services: Sequence[ServiceSpec]) -> list[Place]:
    """Environments that are reached through a gate."""
    places = [(service, spec) for service in services for spec in service.environments]
    return [(service, spec) for service, spec in places if spec.after is not None and spec.after.gated]


def around_gates(world: World, places: Sequence[Place]) -> Mapping[Owner, LedgerRecord]:
    """The ledgers before and behind these gates; raises when one cannot be read."""
    owners: list[Owner] = []
    for service, spec in places:
        before = [(service.name, spec.after.environment)] if spec.after is not None else []
        owners += [*before, (service.name, spec.name)]
    records: dict[Owner, LedgerRecord] = {}
    for owner, answer in (world.ledger.load_all(owners) if owners else {}).items():
        if isinstance(answer, DeliveryError):
            raise answer
        records[owner] = answer.record
    return records
