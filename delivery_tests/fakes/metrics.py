"""Metrics, alarms and preview requests that follow from what the fake target's slots really served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from delivery.core.analysis import ProbeResult
from delivery.core.infra import DeployContract
from delivery.core.release import Slot
from delivery.core.sample import Reading, Sample, Series
from delivery.ports import FiringAlarm
from delivery_tests.fakes.target import FakeTarget
from delivery_tests.fakes.wire import Wire


class FakeAlarms:
    """All alarms of the account; tests make them fire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._firing: dict[str, FiringAlarm] = {}

    def fire(self, name: str, since: datetime, reason: str = "Threshold Crossed", span: float = 0.0) -> None:
        """The alarm goes to ALARM; `span`: seconds its datapoints reach back."""
        self._firing[name] = FiringAlarm(name, since, reason, timedelta(seconds=span))

    def clear(self, name: str) -> None:
        """The alarm goes back to OK."""
        self._firing.pop(name, None)

    def firing(self) -> tuple[FiringAlarm, ...]:
        """Every alarm in ALARM."""
        with self._wire.call("alarms.firing"):
            return tuple(self._firing[name] for name in sorted(self._firing))

    def state(self, name: str) -> str:
        """`STATE: reason` of one alarm."""
        alarm = self._firing.get(name)
        return f"ALARM: {alarm.reason}" if alarm else "OK: "


#: A period's sample, and its requests.
Period = tuple[Sample | None, Sample | None]


class FakeMetrics:
    """`dark`: nothing published; `error`: cannot be asked; `delay`: seconds to publication; `lag`: how old a
    reading is that may be old."""

    def __init__(self, wire: Wire, target: FakeTarget, contract: DeployContract, alarms: FakeAlarms) -> None:
        self._wire, self._target, self._contract, self._alarms = wire, target, contract, alarms
        self.requests_per_second = 50.0
        self.dark = False
        self.error = ""
        self.delay = 0.0
        self._measured: dict[tuple[Slot, str, float, float], dict[int, Period]] = {}
        self.lag = 0.0

    def read(self, readings: Sequence[Reading], within: float = 0.0) -> tuple[Series, ...]:
        """One series per reading over complete, published periods; `lag` seconds ago, if that will do."""
        with self._wire.call("metrics.read"):
            return tuple(self._series(reading, min(within, self.lag)) for reading in readings)

    def alarms(self, slot: Slot, within: float = 0.0) -> Mapping[str, str]:
        """The slot's alarms by name."""
        with self._wire.call("metrics.alarms"):
            return {name: self._alarms.state(name) for name in self._contract.alarm_names[slot]}

    def _series(self, reading: Reading, age: float) -> Series:
        query = f"{reading.statistic} {reading.metric} of {reading.slot} per {reading.per:g} s"
        if self.error:
            return Series(reading.name, query=query, error=self.error)
        if self.dark:
            return Series(reading.name, query=query)
        published = min(reading.end, self._target.clock.now() - timedelta(seconds=self.delay + age))
        # Complete periods do not change any more: each is measured once.
        key = (reading.slot, reading.metric, reading.per, self.requests_per_second)
        known = self._measured.setdefault(key, {})
        periods = [
            known.get(number) or known.setdefault(number, self._period(reading, number))
            for number in _periods(reading.start, published, reading.per)
        ]
        samples = tuple([sample for sample, _ in periods if sample])
        witness = tuple([counted for _, counted in periods if counted])
        requests = sum([counted.value for counted in witness])
        return Series(reading.name, samples, requests, query, witness=witness)

    def _period(self, reading: Reading, number: int) -> Period:
        """The value and the requests of the period with that number."""
        at = datetime.fromtimestamp(number * reading.per, UTC)
        value, counted = self._measure(reading, at + timedelta(seconds=reading.per / 2))
        return None if value is None else Sample(at, value), Sample(at, counted) if counted else None

    def _measure(self, reading: Reading, moment: datetime) -> tuple[float | None, float]:
        served = self._target.served(reading.slot, moment)
        requests = self.requests_per_second * reading.per * served.weight / 100 if served.healthy else 0.0
        if served.release is None:
            return None, 0.0
        behaviour = self._target.behaviours.at(served.release, moment)
        match reading.metric:
            case "HealthyHostCount":
                return float(served.healthy), requests
            case "RequestCount":
                return requests or None, requests
            case "TargetResponseTime":
                return (behaviour.latency if requests else None), requests
            case "HTTPCode_Target_5XX_Count":
                return (requests * behaviour.error_rate) or None, requests
            case _:
                return None, requests


class FakeProber:
    """Preview requests, answered by the release behind the preview rule."""

    def __init__(self, wire: Wire, target: FakeTarget) -> None:
        self._wire, self._target = wire, target

    def probe(self, path: str, count: int, timeout: float) -> tuple[ProbeResult, ...]:
        """`count` requests; the release's `preview_error_rate` of them answers 500."""
        with self._wire.call("prober.probe"):
            now = self._target.clock.now()
            served = self._target.served(self._target.preview, now)
            good = ProbeResult(f"http://preview{path}", 200, 0.05)
            if served.release is None or not served.healthy:
                return tuple(replace(good, status=503) for _ in range(count))
            behaviour = self._target.behaviours.at(served.release, now)
            bad = round(count * behaviour.preview_error_rate)
            return tuple(replace(good, status=500) if i < bad else good for i in range(count))


def _periods(start: datetime, end: datetime, per: float) -> range:
    """The numbers of complete periods between the two moments, aligned as CloudWatch aligns them."""
    first = int(-(-start.timestamp() // per))
    return range(first, first + int((end.timestamp() - first * per) // per))
