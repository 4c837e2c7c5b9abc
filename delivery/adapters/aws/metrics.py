"""CloudWatch's measurements of one slot.

Metrics and their dimensions: "CloudWatch metrics for your Application Load Balancer" (ELB user guide) and
"Amazon ECS CloudWatch metrics" (ECS developer guide).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.core.analysis import Rule, Sample, Series
from delivery.core.infra import DeployContract
from delivery.core.release import Slot
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


@dataclass(frozen=True, slots=True)
class _Query:
    """One metric over whole periods: seconds since the epoch, `end` exclusive, a multiple of `period`."""

    id: str
    metric: str
    statistic: str
    period: int
    start: int
    end: int

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

    def __init__(self, aws: Aws, contract: DeployContract) -> None:
        self._aws, self._contract = aws, contract

    def read(self, rules: Sequence[Rule], slot: Slot, start: datetime, end: datetime) -> Mapping[str, Series]:
        """One series per rule name, over complete periods between the two moments, in one request.

        A provider failure comes back in `Series.error`, never as an empty series.
        """
        asked = {rule.name: _query(f"m{n}", rule, start, end) for n, rule in enumerate(rules)}
        witnesses = {
            q.period: _Query(f"w{q.period}", WITNESS, "Sum", q.period, q.start, q.end) for q in asked.values()
        }
        queries = [q for q in (*asked.values(), *witnesses.values()) if q.start < q.end]
        try:
            answers = self._ask(queries, slot) if queries else {}
        except (ProviderError, NotFoundError) as error:
            return {
                r.name: Series(r.name, query=self._words(asked[r.name], slot), error=str(error))
                for r in rules
            }
        return {
            rule.name: self._series(rule, slot, asked[rule.name], witnesses[asked[rule.name].period], answers)
            for rule in rules
        }

    def alarms(self, slot: Slot) -> Mapping[str, str]:
        """`STATE: reason` of the slot's alarms by name. One that CloudWatch does not have tells nothing."""
        names = list(self._contract.alarm_names.get(slot, ()))
        if not names:
            return {}
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

    def _ask(self, queries: Sequence[_Query], slot: Slot) -> dict[str, _Answer]:
        """One request for all; further pages only beyond 100,800 datapoints."""
        answers = {q.id: _Answer([], "CloudWatch did not answer this query") for q in queries}
        with translated("The metrics could not be read"):
            pages = self._aws.client("cloudwatch").get_paginator("get_metric_data")
            for page in pages.paginate(
                MetricDataQueries=[self._wire(q, slot) for q in queries],
                StartTime=_moment(min(q.start for q in queries)),
                EndTime=_moment(max(q.end for q in queries)),
                ScanBy="TimestampAscending",
            ):
                for result in page["MetricDataResults"]:
                    _add(answers[result["Id"]], result)
        return answers

    def _series(
        self, rule: Rule, slot: Slot, query: _Query, witness: _Query, answers: Mapping[str, _Answer]
    ) -> Series:
        words = self._words(query, slot)
        if query.id not in answers:
            return Series(rule.name, query=words)  # no period is complete yet
        answer, counted = answers[query.id], answers[witness.id]
        problem = answer.problem or (counted.problem if rule.no_data == "zero" else "")
        if problem:
            return Series(rule.name, query=words, error=problem)
        requests = None if counted.problem else sum(s.value for s in witness.keep(counted.samples))
        return Series(rule.name, query.keep(answer.samples), requests, words)

    def _dimensions(self, metric: str, slot: Slot) -> dict[str, str]:
        contract = self._contract
        if metric in ECS_METRICS:
            return {"ClusterName": contract.cluster, "ServiceName": contract.services[slot]}
        balancer = {"LoadBalancer": contract.load_balancer_suffix}
        if metric.startswith(BALANCER_METRICS):
            return balancer
        return {"TargetGroup": contract.target_group_suffixes[slot], **balancer}

    def _wire(self, query: _Query, slot: Slot) -> dict[str, Any]:
        dimensions = [{"Name": k, "Value": v} for k, v in self._dimensions(query.metric, slot).items()]
        metric = {"Namespace": _namespace(query.metric), "MetricName": query.metric, "Dimensions": dimensions}
        stat = {"Metric": metric, "Period": query.period, "Stat": query.statistic}
        return {"Id": query.id, "MetricStat": stat, "ReturnData": True}

    def _words(self, query: _Query, slot: Slot) -> str:
        """The query as evidence: enough to ask it again."""
        named = ", ".join(f"{k}={v}" for k, v in self._dimensions(query.metric, slot).items())
        span = f"{_moment(query.start):%Y-%m-%dT%H:%M:%SZ} to {_moment(query.end):%Y-%m-%dT%H:%M:%SZ}"
        return (
            f"{_namespace(query.metric)} {query.metric} {{{named}}} {query.statistic} "
            f"per {query.period} s, {span}"
        )


def _query(id_: str, rule: Rule, start: datetime, end: datetime) -> _Query:
    """Periods begin at multiples of their length since the epoch; those cut at either end are left out."""
    period = max(1, round(rule.per))
    first = math.ceil(start.timestamp() / period) * period
    last = math.floor(end.timestamp() / period) * period
    return _Query(id_, rule.metric, rule.statistic, period, first, max(first, last))


def _add(answer: _Answer, result: Mapping[str, Any]) -> None:
    """Add one page. `PartialData` says that more pages follow; the last page must say `Complete`."""
    pairs = zip(result["Timestamps"], result["Values"], strict=True)
    answer.samples += [Sample(at.astimezone(UTC), float(value)) for at, value in pairs]
    answer.problem = ""
    if result["StatusCode"] != "Complete":
        told = "; ".join(f"{m.get('Code')}: {m.get('Value')}" for m in result.get("Messages", ()))
        answer.problem = f"CloudWatch answered {result['StatusCode']}" + (f" ({told})" if told else "")


def _namespace(metric: str) -> str:
    return "AWS/ECS" if metric in ECS_METRICS else "AWS/ApplicationELB"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
