"""What idle workers look at, how old it may be, and how much of it AWS tells in one call.

Limits of a call: the API references of GetMetricData (500 queries, 100,800 datapoints), DescribeServices (10
services of one cluster), DescribeRules, DescribeTargetHealth (one target group), ListObjectsV2 (1,000 keys).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from delivery.adapters.aws.bucket import Bucket
from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.adapters.aws.shared.reader import Kind
from delivery.adapters.aws.shared.store import Row

QUERIES, DATAPOINTS = 500, 90_000
#: Seconds for which CloudWatch keeps periods of less than a minute, with some to spare (GetMetricData).
FINE = 3 * 3600 - 300


@dataclass(frozen=True, slots=True)
class _Ages:
    """See `Kind`."""

    name: str
    soonest: float
    pressed: float
    longest: float
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metrics(_Ages):
    """`spec`: JSON of a query with `start`, seconds since the epoch. Answers: samples and their `end`."""

    def choose(self, rows: list[Row], now: float) -> list[Row]:
        """As many as fit: all queries of a call share one span, so an old start makes all answers long, and
        one of more than three hours ago allows no periods of less than a minute."""
        chosen: list[Row] = []
        start, per_second, shortest = now, 0.0, math.inf
        for row in rows:
            query = json.loads(row.spec)
            since, period = min(start, query["start"]), min(shortest, query["stat"]["Period"])
            points = (per_second + 1 / query["stat"]["Period"]) * (now - since)
            fits = points <= DATAPOINTS and (period >= 60 or now - since < FINE)
            if len(chosen) < QUERIES and (fits or not chosen):
                chosen.append(row)
                start, shortest, per_second = since, period, per_second + 1 / query["stat"]["Period"]
        return chosen

    def ask(self, aws: Aws, specs: Mapping[str, str], now: float) -> dict[str, Any]:
        """Every query from its start to the end of its last whole period."""
        found = {}
        for key, spec in specs.items():
            period = json.loads(spec)["stat"]["Period"]
            found[key] = {"samples": [], "problem": "", "end": now // period * period}
        ready = [(key, q) for key, s in specs.items() if (q := json.loads(s))["start"] < found[key]["end"]]
        queries = {f"q{n}": pair for n, pair in enumerate(ready)}
        if not queries:
            return found
        with translated("The metrics could not be read"):
            pages = aws.client("cloudwatch").get_paginator("get_metric_data")
            for page in pages.paginate(
                MetricDataQueries=[
                    {"Id": id_, "MetricStat": query["stat"], "ReturnData": True}
                    for id_, (_, query) in queries.items()
                ],
                StartTime=datetime.fromtimestamp(min(q["start"] for _, q in queries.values()), UTC),
                EndTime=datetime.fromtimestamp(max(a["end"] for a in found.values()), UTC),
                ScanBy="TimestampAscending",
            ):
                for result in page["MetricDataResults"]:
                    _add(found, queries, result)
        return found


def _add(found: dict[str, Any], queries: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """One page of one query, without what is before its start or of a period that is not whole."""
    key, query = queries[result["Id"]]
    answer = found[key]
    pairs = [(at.timestamp(), float(value)) for at, value in zip(
        result["Timestamps"], result["Values"], strict=True)]  # fmt: skip
    answer["samples"] += [pair for pair in pairs if query["start"] <= pair[0] < answer["end"]]
    answer["problem"] = "" if result["StatusCode"] == "Complete" else told(result)


def told(result: Mapping[str, Any]) -> str:
    """What CloudWatch says of a query that it did not answer in whole."""
    words = "; ".join(f"{m.get('Code')}: {m.get('Value')}" for m in result.get("Messages", ()))
    return f"CloudWatch answered {result['StatusCode']}" + (f" ({words})" if words else "")


@dataclass(frozen=True, slots=True)
class Firing(_Ages):
    """All alarms in ALARM, by one key: name to reason."""

    def choose(self, rows: list[Row], now: float) -> list[Row]:
        """It is one question."""
        return rows[:1]

    def ask(self, aws: Aws, specs: Mapping[str, str], now: float) -> dict[str, Any]:
        """One paginated call."""
        with translated("The firing alarms could not be listed"):
            pages = aws.client("cloudwatch").get_paginator("describe_alarms")
            found = {
                alarm["AlarmName"]: alarm.get("StateReason", "")
                for page in pages.paginate(StateValue="ALARM", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
                for alarm in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ()))
            }
        return dict.fromkeys(specs, found)


@dataclass(frozen=True, slots=True)
class Services(_Ages):
    """ECS services; the key is `cluster/name`."""

    def choose(self, rows: list[Row], now: float) -> list[Row]:
        """Ten of the first one's cluster."""
        cluster = rows[0].key.rpartition("/")[0]
        return [row for row in rows if row.key.rpartition("/")[0] == cluster][:10]

    def ask(self, aws: Aws, specs: Mapping[str, str], now: float) -> dict[str, Any]:
        """As ECS describes them, without its long list of events."""
        pairs = [key.rpartition("/") for key in specs]
        cluster = pairs[0][0]
        with translated(f"The ECS services of cluster {cluster} could not be read"):
            answer = aws.client("ecs").describe_services(
                cluster=cluster, services=[name for _, _, name in pairs]
            )
        return {
            f"{cluster}/{service['serviceName']}": {k: service[k] for k in _USED if k in service}
            for service in answer["services"]
            if service.get("status") != "INACTIVE"
        }


#: What a look at services uses. `events` are asked for afresh where they matter.
_USED = ("serviceName", "taskDefinition", "desiredCount", "runningCount", "deployments")


@dataclass(frozen=True, slots=True)
class Rules(_Ages):
    """Listener rules by their ARN."""

    def choose(self, rows: list[Row], now: float) -> list[Row]:
        """Well within what a request may be long."""
        return rows[:50]

    def ask(self, aws: Aws, specs: Mapping[str, str], now: float) -> dict[str, Any]:
        """As ELB describes them."""
        with translated("The listener rules could not be read"):
            answer = aws.client("elbv2").describe_rules(RuleArns=list(specs))
        return {rule["RuleArn"]: rule for rule in answer["Rules"]}


@dataclass(frozen=True, slots=True)
class TargetHealth(_Ages):
    """The targets of a target group with their health, by its ARN."""

    def choose(self, rows: list[Row], now: float) -> list[Row]:
        """ELB tells of one at a time."""
        return rows[:1]

    def ask(self, aws: Aws, specs: Mapping[str, str], now: float) -> dict[str, Any]:
        """As ELB describes them."""
        (group,) = specs
        with translated("The health of the targets could not be read"):
            answer = aws.client("elbv2").describe_target_health(TargetGroupArn=group)
        return {group: list(answer["TargetHealthDescriptions"])}


@dataclass(frozen=True, slots=True)
class Tags(_Ages):
    """The ETags of all ledgers of a bucket, by its name; the spec is the prefix."""

    def choose(self, rows: list[Row], now: float) -> list[Row]:
        """One bucket at a time."""
        return rows[:1]

    def ask(self, aws: Aws, specs: Mapping[str, str], now: float) -> dict[str, Any]:
        """A call for each thousand documents."""
        ((bucket, prefix),) = specs.items()
        return {bucket: Bucket(aws, bucket).tags(prefix)}


METRICS: Kind = Metrics("metrics", 1.5, 2.5, 4.0)
FIRING: Kind = Firing("firing", 3.5, 4.5, 8.0)
TAGS: Kind = Tags("tags", 2.5, 3.5, 6.0)
RULES: Kind = Rules("rules", 7.5, 30.0, 45.0)
SERVICES: Kind = Services("services", 3.5, 150.0, 180.0, ("health",))
HEALTH: Kind = TargetHealth("health", 3.5, 150.0, 180.0, ("services",))
#: Nothing depends on the health of a slot without traffic: it is looked at afresh before it gets any.
WARM: Kind = TargetHealth("warm", 120.0, 300.0, 600.0)
