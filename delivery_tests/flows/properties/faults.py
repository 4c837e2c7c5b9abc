"""The wire of a history: on the n-th call of a port's method something breaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from delivery.errors import DeliveryError, ProviderError
from delivery_tests.fakes import Killed, Wire, unavailable
from delivery_tests.flows.properties.history import Fault
from delivery_tests.flows.properties.hub import Hub, worker

#: So many calls in one history: somebody spins.
TOO_MANY = 60_000


class FaultyWire(Wire):
    """Every call of every port passes here. `race` is called before the ledger write that loses one."""

    def __init__(self, hub: Hub, faults: tuple[Fault, ...], race: Callable[[], None]) -> None:
        super().__init__()
        self.hub, self.race = hub, race
        self.number = 0
        self.on_spin: Callable[[], None] = lambda: None
        self._by_name: dict[str, list[Fault]] = {}
        for fault in faults:
            self._by_name.setdefault(fault.name, []).append(fault)

    def heal(self) -> None:
        """No more faults."""
        self._by_name = {}

    def refuse(self, name: str, times: int) -> None:
        """The next so many calls are refused."""
        fault = Fault(name, self.counts[name] + 1, "refuse", times)
        self._by_name.setdefault(name, []).append(fault)

    def call(self, name: str) -> _Call:  # type: ignore[override]
        """Around the effect of one call."""
        self.counts[name] += 1
        self.number += 1
        if self.number > TOO_MANY:
            self.on_spin()
            if worker() is not None:
                raise Killed("too many calls")
        faults = self._by_name.get(name)
        if not faults:
            return _NOTHING
        count = self.counts[name]
        return _Broken(self, name, [f for f in faults if f.on <= count < f.on + f.times])

    def sleep(self, seconds: int) -> None:
        """The call takes time."""
        if worker() is not None:
            self.hub.sleep_until(self.hub.now() + timedelta(seconds=seconds))


class _Call:
    """A call that nothing happens to."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class _Broken(_Call):
    def __init__(self, wire: FaultyWire, name: str, faults: list[Fault]) -> None:
        self._wire, self._name, self._faults = wire, name, faults

    def __enter__(self) -> None:
        for fault in self._faults:
            match fault.breaking:
                case "stall":
                    self._wire.sleep(fault.seconds)
                case "race":
                    self._wire.race()
                case "refuse":
                    raise unavailable(self._name)
                case "error":
                    raise _denied(self._name)
                case "kill" if worker() is not None:
                    raise Killed(self._name)
                case _:
                    pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        for fault in self._faults:
            match fault.breaking:
                case "late":
                    self._wire.sleep(fault.seconds)
                case "lose":
                    raise unavailable(self._name)
                case "die" if worker() is not None:
                    raise Killed(self._name)
                case _:
                    pass


_NOTHING = _Call()


def _denied(name: str) -> DeliveryError:
    return ProviderError(f"{name} failed", "access denied (fake)", "Look at the policy.")
