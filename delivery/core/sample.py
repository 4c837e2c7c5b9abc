"""What is asked of a metrics provider, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from delivery.core.release import Slot


@dataclass(frozen=True, slots=True)
class Sample:
    """One datapoint: the start of its period and its value."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One question: a metric of one slot over complete periods of `per` seconds between two moments.

    `name` is the answer's name. `counted`: the answer is worth nothing without the number of requests.
    """

    name: str
    metric: str
    statistic: str
    per: float
    slot: Slot
    start: datetime
    end: datetime
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """What the provider returned for one reading, oldest first, with the query that asked for it.

    `requests` is the number of requests counted over the same span, and `witness` the same per period: the
    witness that tells an error count of zero from a blind spot. `error` is set when the provider could not
    be asked.
    """

    rule: str
    samples: tuple[Sample, ...] = ()
    requests: float | None = None
    query: str = ""
    error: str = ""
    witness: tuple[Sample, ...] = ()
