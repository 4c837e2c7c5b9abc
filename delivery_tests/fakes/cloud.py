"""AWS behind boto3's clients, in memory and with every call counted: ECS, ELB, scaling, CloudWatch and S3.

It stands where boto3 stands, so that the real adapters run on it in virtual time. It tells what they read and
takes what they write; what it does not know it refuses.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from delivery.adapters.aws.session import Aws
from delivery.core.infra import DeployContract
from delivery_tests.fakes.clock import VirtualClock

START = timedelta(seconds=4)  # until a new deployment has arrived


@dataclass
class CountedAws(Aws):
    """A session whose clients are these. `counts` by `service.operation`; each page counts."""

    clock: VirtualClock
    counts: Counter[str] = field(default_factory=Counter)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)  # target group to service
    suffixes: dict[str, str] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    revisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    bad_since: dict[str, float] = field(default_factory=dict)  # service to when its answers turn slow
    failing: dict[str, ClientError] = field(default_factory=dict)  # operation to what it answers
    on_call: Any = None
    region: str = "eu-central-1"
    delay: float = 0.0  # seconds until a datapoint is published

    def __post_init__(self) -> None:
        super().__init__(self.region)

    def namespace(self) -> str:
        """Of this world alone."""
        return "counted"

    def client(self, service: str, attempts: int = 4) -> Any:
        """The client of one service."""
        return _Client(self, service)

    def add(self, contract: DeployContract) -> None:
        """One environment: an old release in blue with all the traffic, nothing in green."""
        for slot, name in contract.services.items():
            arn = f"arn:aws:ecs:eu-central-1:1:task-definition/{contract.task_family}:1"
            self.revisions.setdefault(arn, {"taskDefinitionArn": arn, "tags": []})
            count = 2 if slot == "blue" else 0
            self.services[f"{contract.cluster}/{name}"] = self._service(name, arn, count)
            self.groups[contract.target_groups[slot]] = f"{contract.cluster}/{name}"
            self.suffixes[contract.target_group_suffixes[slot]] = f"{contract.cluster}/{name}"
        for arn, weights in ((contract.production_rule_arn, (100, 0)), (contract.preview_rule_arn, (0, 100))):
            listed = [
                {"TargetGroupArn": group, "Weight": weight}
                for group, weight in zip(contract.target_groups.values(), weights, strict=True)
            ]
            action = {"Type": "forward", "ForwardConfig": {"TargetGroups": listed}}
            self.rules[arn] = {"RuleArn": arn, "Actions": [action]}

    def now(self) -> datetime:
        """The virtual moment."""
        return self.clock.now()

    def calls(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    def _service(self, name: str, arn: str, count: int) -> dict[str, Any]:
        service = {"serviceName": name, "status": "ACTIVE", "desiredCount": count, "events": []}
        return {**service, **self._deployed(arn, self.now() - START)}

    def _deployed(self, arn: str, at: datetime) -> dict[str, Any]:
        began = {"id": f"ecs-svc/{at.timestamp()}", "status": "PRIMARY", "createdAt": at, "failedTasks": 0}
        return {"taskDefinition": arn, "deployments": [began]}

    def shown(self, key: str) -> dict[str, Any]:
        """A service as it is described now."""
        kept = self.services[key]
        (began,) = kept["deployments"]
        arrived = self.now() >= began["createdAt"] + START
        deployment = {**began, "rolloutState": "COMPLETED" if arrived else "IN_PROGRESS"}
        running = kept["desiredCount"] if arrived else 0
        return {**kept, "runningCount": running, "deployments": [deployment]}

    def addresses(self, key: str) -> list[str]:
        """Of its running tasks."""
        number = list(self.services).index(key)
        return [f"10.{number // 200}.{number % 200}.{n}" for n in range(self.shown(key)["runningCount"])]


class _Client:
    """Any client: an operation by its name, and paginators of one page."""

    def __init__(self, cloud: CountedAws, service: str) -> None:
        self._cloud, self._service = cloud, service

    def __getattr__(self, operation: str) -> Any:
        answer = getattr(_Answers(self._cloud), f"{self._service.replace('-', '_')}_{operation}")

        def call(**given: Any) -> Any:
            name = f"{self._service}.{operation}"
            self._cloud.counts[name] += 1
            if self._cloud.on_call is not None:
                self._cloud.on_call(name, given)
            if name in self._cloud.failing:
                raise self._cloud.failing[name]
            return answer(**given)

        return call

    def get_paginator(self, operation: str) -> Any:
        return _Paginator(getattr(self, operation))


@dataclass
class _Paginator:
    call: Any

    def paginate(self, **given: Any) -> Iterator[Any]:
        given.pop("PaginationConfig", None)
        yield self.call(**given)


@dataclass
class _Answers:
    """What each operation says and does."""

    cloud: CountedAws

    def ecs_describe_services(self, cluster: str, services: list[str]) -> Any:
        if len(services) > 10:
            raise refused("InvalidParameterException", "Services cannot be more than 10")
        keys = [f"{cluster}/{name}" for name in services]
        return {"services": [self.cloud.shown(key) for key in keys if key in self.cloud.services]}

    def ecs_update_service(self, cluster: str, service: str, **change: Any) -> Any:
        kept = self.cloud.services[f"{cluster}/{service}"]
        kept["desiredCount"] = change.get("desiredCount", kept["desiredCount"])
        arn = change.get("taskDefinition", kept["taskDefinition"])
        kept.update(self.cloud._deployed(arn, self.cloud.now()))
        return {}

    def ecs_list_task_definitions(self, familyPrefix: str, **_: Any) -> Any:
        return {"taskDefinitionArns": [a for a in self.cloud.revisions if f"/{familyPrefix}:" in a][::-1]}

    def ecs_describe_task_definition(self, taskDefinition: str, **_: Any) -> Any:
        found = self.cloud.revisions[taskDefinition]
        return {"taskDefinition": found, "tags": found["tags"]}

    def ecs_register_task_definition(self, family: str, tags: Any, **_: Any) -> Any:
        number = sum(f"/{family}:" in arn for arn in self.cloud.revisions) + 1
        arn = f"arn:aws:ecs:eu-central-1:1:task-definition/{family}:{number}"
        self.cloud.revisions[arn] = {"taskDefinitionArn": arn, "tags": tags}
        return {"taskDefinition": self.cloud.revisions[arn]}

    def ecs_list_tasks(self, cluster: str, serviceName: str, desiredStatus: str) -> Any:
        key = f"{cluster}/{serviceName}"
        return {"taskArns": self.cloud.addresses(key) if desiredStatus == "RUNNING" else []}

    def ecs_describe_tasks(self, cluster: str, tasks: list[str]) -> Any:
        mine = [key for key in self.cloud.services if key.startswith(f"{cluster}/")]
        owners = {a: self.cloud.services[k]["taskDefinition"] for k in mine for a in self.cloud.addresses(k)}
        shown = [{"networkInterfaces": [{"privateIpv4Address": address}]} for address in tasks]
        pairs = zip(tasks, shown, strict=True)
        return {"tasks": [{"taskDefinitionArn": owners[a], "containers": [c]} for a, c in pairs]}

    def elbv2_describe_rules(self, RuleArns: list[str]) -> Any:
        missing = [arn for arn in RuleArns if arn not in self.cloud.rules]
        if missing:
            raise refused("RuleNotFoundException", f"One or more rules not found: {missing[0]}")
        return {"Rules": [self.cloud.rules[arn] for arn in RuleArns]}

    def elbv2_modify_rule(self, RuleArn: str, Actions: Any) -> Any:
        self.cloud.rules[RuleArn] = {"RuleArn": RuleArn, "Actions": Actions}
        return {"Rules": [self.cloud.rules[RuleArn]]}

    def elbv2_describe_target_health(self, TargetGroupArn: str) -> Any:
        ids = self.cloud.addresses(self.cloud.groups[TargetGroupArn])
        healthy = {"TargetHealth": {"State": "healthy"}}
        return {"TargetHealthDescriptions": [{"Target": {"Id": a}, **healthy} for a in ids]}

    def application_autoscaling_describe_scalable_targets(self, **_: Any) -> Any:
        return {"ScalableTargets": []}

    def cloudwatch_describe_alarms(self, **_: Any) -> Any:
        return {"MetricAlarms": []}

    def cloudwatch_get_metric_data(
        self, MetricDataQueries: Any, StartTime: datetime, EndTime: datetime, **_: Any
    ) -> Any:
        if len(MetricDataQueries) > 500:
            raise refused("ValidationError", "The collection must have at most 500 members")
        span = (StartTime.timestamp(), min(EndTime, self.cloud.now()).timestamp() - self.cloud.delay)
        return {"MetricDataResults": [self._result(query, *span) for query in MetricDataQueries]}

    def _result(self, query: Mapping[str, Any], start: float, end: float) -> Any:
        stat = query["MetricStat"]
        period, metric = stat["Period"], stat["Metric"]["MetricName"]
        dimensions = {d["Name"]: d["Value"] for d in stat["Metric"]["Dimensions"]}
        if dimensions.get("TargetGroup") == "poison":
            raise refused("ValidationError", "The metric cannot be asked for")
        key = self.cloud.suffixes.get(dimensions.get("TargetGroup", ""), "")
        bad = self.cloud.bad_since.get(key, float("inf"))
        values = {"TargetResponseTime": 0.05, "RequestCount": 600.0, "HealthyHostCount": 2.0}
        first = int(-(-start // period) * period)
        times = range(first, int(end) - period + 1, period) if metric in values else ()
        slow = {t: 9.0 if metric == "TargetResponseTime" and t >= bad else values[metric] for t in times}
        stamps = [datetime.fromtimestamp(at, UTC) for at in slow]
        return {
            "Id": query["Id"], "StatusCode": "Complete", "Timestamps": stamps, "Values": list(slow.values())
        }  # fmt: skip

    def s3_get_object(self, Bucket: str, Key: str) -> Any:
        if Key not in self.cloud.objects:
            raise refused("NoSuchKey", "The specified key does not exist")
        return {"Body": io.BytesIO(self.cloud.objects[Key]), "ETag": self._tag(Key)}

    def s3_put_object(self, Bucket: str, Key: str, Body: bytes, **given: Any) -> Any:
        held = self._tag(Key) if Key in self.cloud.objects else None
        if given.get("IfMatch", held) != held or ("IfNoneMatch" in given and held is not None):
            raise refused("PreconditionFailed", "At least one of the pre-conditions did not hold")
        self.cloud.objects[Key] = Body
        return {"ETag": self._tag(Key)}

    def s3_head_object(self, Bucket: str, Key: str) -> Any:
        if Key not in self.cloud.objects:
            raise refused("404", "Not Found")
        return {}

    def s3_list_objects_v2(self, Bucket: str, Prefix: str = "", **_: Any) -> Any:
        keys = sorted(key for key in self.cloud.objects if key.startswith(Prefix))
        return {"Contents": [{"Key": key, "ETag": self._tag(key)} for key in keys]}

    def _tag(self, key: str) -> str:
        return f'"{hashlib.md5(self.cloud.objects[key], usedforsecurity=False).hexdigest()}"'


def refused(code: str, message: str) -> ClientError:
    """What botocore raises when AWS says no."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "operation")
