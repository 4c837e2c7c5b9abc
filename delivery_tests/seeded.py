"""Series of a seeded generator, as services produce them: response times, and errors of so many requests."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random

from delivery.core.comparison import Measured
from delivery.core.sample import Sample

START = datetime(2026, 1, 1, tzinfo=UTC)
PER = 60.0


def at_each_minute(values: Iterable[float]) -> tuple[Sample, ...]:
    """One sample a minute."""
    return tuple(Sample(START + timedelta(seconds=i * PER), value) for i, value in enumerate(values))


def times(random: Random, count: int, median: float = 0.2, noise: float = 0.1) -> Measured:
    """Response times: log-normal around their median; `noise` 0.1 scatters by about 10 %."""
    return Measured(at_each_minute(median * math.exp(random.gauss(0, noise)) for _ in range(count)))


def errors(random: Random, count: int, rate: float, requests: float = 60, burst: float = 0.0) -> Measured:
    """Errors at a rate of so many requests a minute (as a load that goes up and down by a fifth).

    `burst`: a minute's own rate scatters by this factor (log-normal), as errors that come together do.
    """
    counts, witness = [], []
    for _ in range(count):
        asked = round(requests * random.uniform(0.8, 1.2))
        own = rate * math.exp(random.gauss(-burst * burst / 2, burst)) if burst else rate
        counts.append(float(sum(random.random() < own for _ in range(asked))))
        witness.append(float(asked))
    kept = (s for s in at_each_minute(counts) if s.value > 0)  # CloudWatch sends no datapoint for zero
    return Measured(tuple(kept), at_each_minute(witness))
