"""CloudWatch's measurements of the slots.

Metrics and their dimensions: "CloudWatch metrics for your Application Load Balancer" (ELB user guide) and
"Amazon ECS CloudWatch metrics" (ECS developer guide).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.adapters.aws.shared import Answer, SharedReads
from delivery.adapters.aws.shared.kinds import FIRING, METRICS, told
from delivery.core.infra import DeployContract
from delivery.core.release import Slot
from delivery.core.sample import Reading, Sample, Series
from delivery.errors import NotFoundError, ProviderError

#: Metrics of the service's tasks; all others are the load balancer's.
ECS_METRICS = {"CPUUtilization", "MemoryUtilization"}
#: What the load balancer counts of itself has no target group: it is the same for both slots.
BALANCER_METRICS = (
    "HTTPCode_ELB_",
    "Rejected",
    "NewConnection",
    "ActiveConnection",
    "Client",
    "ConsumedLCUs",
)
#: The witness that tells an error count of zero from a blind spot.
WITNESS = "RequestCount"
#: Shared questions start at a multiple of so many periods.
ROUND = 16


@dataclass(frozen=True, slots=True)
class _Query:
    """One metric of one slot over whole periods: seconds since the epoch, `end` exclusive, a multiple of
    `period`."""

    metric: str
    statistic: str
    slot: Slot
    period: int
    start: int
    end: int

    @property
    def witness(self) -> _Query:
        """The requests counted in the same periods."""
        return replace(self, metric=WITNESS, statistic="Sum")

    def keep(self, samples: Sequence[Sample]) -> tuple[Sample, ...]:
        """Those of its own span: all queries of a call share one, and the periods differ."""
        return tuple(s for s in samples if self.start <= s.at.timestamp() < self.end)


@dataclass(slots=True)
class _Answer:
    """What came back for one query, over all pages."""

    samples: list[Sample]
    problem: str = ""


class CloudWatchMetrics:
    """`Metrics` of the service and environment the contract describes."""

    def __init__(self, aws: Aws, contract: DeployContract, reads: SharedReads | None = None) -> None:
        self._aws, self._contract, self._reads = aws, contract, reads

    def read(self, readings: Sequence[Reading], within: float = 0.0) -> tuple[Series, ...]:
        """One series per reading, over complete periods between its two moments, all in one request.

        The answers may be `within` seconds old, but no older than 4 s; then they are shared with others.
        A provider failure comes back in `Series.error`, never as an empty series.
        """
        asked = [_query(reading) for reading in readings]
        queries = dict.fromkeys(
            q for query in asked if query.start < query.end for q in (query, query.witness)
        )
        try:
            answers = self._look(asked, tuple(queries), within)
        except (ProviderError, NotFoundError) as error:
            return tuple(
                Series(r.name, query=self._words(q), error=str(error))
                for r, q in zip(readings, asked, strict=True)
            )
        return tuple(self._series(r, q, answers) for r, q in zip(readings, asked, strict=True))

    def alarms(self, slot: Slot, within: float = 0.0) -> Mapping[str, str]:
        """`STATE: reason` of the slot's alarms by name. One that CloudWatch does not have tells nothing.

        With `within` it is only told which of them fire: all that fire are one question, asked for everybody.
        """
        names = list(self._contract.alarm_names.get(slot, ()))
        if not names:
            return {}
        if within > 0 and self._reads is not None:
            firing = self._reads.read(FIRING, {"firing": ""}, within)["firing"].value
            quiet = "INSUFFICIENT_DATA: it does not fire"
            return {name: f"ALARM: {firing[name]}" if name in firing else quiet for name in names}
        with translated(f"The alarms of {self._contract.service} could not be read"):
            pages = self._aws.client("cloudwatch").get_paginator("describe_alarms")
            found = {
                alarm["AlarmName"]: f"{alarm['StateValue']}: {alarm.get('StateReason', '')}"
                for page in pages.paginate(AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
                for alarm in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ()))
            }
        return {
            name: found.get(name, "INSUFFICIENT_DATA: CloudWatch has no alarm of this name") for name in names
        }

    def _look(
        self, asked: Sequence[_Query], queries: Sequence[_Query], within: float
    ) -> dict[_Query, _Answer]:
        """Afresh, or as it was a moment ago: the newest period may then be missing, as if not published.

        In what all ask together a query waits from the start for its first whole period.
        """
        if within <= 0 or self._reads is None:
            return self._ask(queries) if queries else {}
        specs = {q: self._spec(q) for query in asked for q in (query, query.witness)}
        found = self._reads.read(METRICS, {spec: spec for spec in specs.values()}, within)
        return {query: _as_answer(found[specs[query]]) for query in queries}

    def _ask(self, queries: Sequence[_Query]) -> dict[_Query, _Answer]:
        """One request for all (up to 500); further pages only beyond 100,800 datapoints."""
        names = {f"q{n}": query for n, query in enumerate(queries)}
        answers = {query: _Answer([], "CloudWatch did not answer this query") for query in queries}
        with translated("The metrics could not be read"):
            pages = self._aws.client("cloudwatch").get_paginator("get_metric_data")
            for page in pages.paginate(
                MetricDataQueries=[self._wire(id_, query) for id_, query in names.items()],
                StartTime=_moment(min(q.start for q in queries)),
                EndTime=_moment(max(q.end for q in queries)),
                ScanBy="TimestampAscending",
            ):
                for result in page["MetricDataResults"]:
                    _add(answers[names[result["Id"]]], result)
        return answers

    def _series(self, reading: Reading, query: _Query, answers: Mapping[_Query, _Answer]) -> Series:
        words = self._words(query)
        if query not in answers:
            return Series(reading.name, query=words)  # no period is complete yet
        answer, counted = answers[query], answers[query.witness]
        problem = answer.problem or (counted.problem if reading.counted else "")
        if problem:
            return Series(reading.name, query=words, error=problem)
        witness = () if counted.problem else query.keep(counted.samples)
        requests = None if counted.problem else sum(s.value for s in witness)
        return Series(reading.name, query.keep(answer.samples), requests, words, witness=witness)

    def _dimensions(self, metric: str, slot: Slot) -> dict[str, str]:
        contract = self._contract
        if metric in ECS_METRICS:
            return {"ClusterName": contract.cluster, "ServiceName": contract.services[slot]}
        balancer = {"LoadBalancer": contract.load_balancer_suffix}
        if metric.startswith(BALANCER_METRICS):
            return balancer
        return {"TargetGroup": contract.target_group_suffixes[slot], **balancer}

    def _spec(self, query: _Query) -> str:
        """From a round start, so that a span that moves on is the same question for a while."""
        start = query.start - query.start % (ROUND * query.period)
        return json.dumps({"start": start, "stat": self._stat(query)}, sort_keys=True)

    def _wire(self, id_: str, query: _Query) -> dict[str, Any]:
        return {"Id": id_, "MetricStat": self._stat(query), "ReturnData": True}

    def _stat(self, query: _Query) -> dict[str, Any]:
        dimensions = [{"Name": k, "Value": v} for k, v in self._dimensions(query.metric, query.slot).items()]
        metric = {"Namespace": _namespace(query.metric), "MetricName": query.metric, "Dimensions": dimensions}
        return {"Metric": metric, "Period": query.period, "Stat": query.statistic}

    def _words(self, query: _Query) -> str:
        """The query as evidence: enough to ask it again."""
        named = ", ".join(f"{k}={v}" for k, v in self._dimensions(query.metric, query.slot).items())
        span = f"{_moment(query.start):%Y-%m-%dT%H:%M:%SZ} to {_moment(query.end):%Y-%m-%dT%H:%M:%SZ}"
        return (
            f"{_namespace(query.metric)} {query.metric} {{{named}}} {query.statistic} "
            f"per {query.period} s, {span}"
        )


def _query(reading: Reading) -> _Query:
    """Periods begin at multiples of their length since the epoch; those cut at either end are left out."""
    period = max(1, round(reading.per))
    first = math.ceil(reading.start.timestamp() / period) * period
    last = math.floor(reading.end.timestamp() / period) * period
    return _Query(reading.metric, reading.statistic, reading.slot, period, first, max(first, last))


def _add(answer: _Answer, result: Mapping[str, Any]) -> None:
    """Add one page. `PartialData` says that more pages follow; the last page must say `Complete`."""
    pairs = zip(result["Timestamps"], result["Values"], strict=True)
    answer.samples += [Sample(at.astimezone(UTC), float(value)) for at, value in pairs]
    answer.problem = "" if result["StatusCode"] == "Complete" else told(result)


def _as_answer(answer: Answer) -> _Answer:
    kept = answer.value or {"samples": (), "problem": "CloudWatch did not answer this query"}
    samples = [Sample(_moment(at), float(value)) for at, value in kept["samples"]]
    return _Answer(samples, kept["problem"])


def _namespace(metric: str) -> str:
    return "AWS/ECS" if metric in ECS_METRICS else "AWS/ApplicationELB"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
