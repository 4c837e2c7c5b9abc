"""A load balancer with target groups of addresses, made with plain boto3 calls. No containers."""

from __future__ import annotations

import http.client
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import eventually
from delivery_tests.sandbox.upstream import Upstream

NOT_FOUND = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no route"}


@dataclass
class Edge:
    """One load balancer with one listener on port 80; groups are checked as often as AWS allows."""

    sandbox: RunningSandbox
    name: str = field(default_factory=lambda: f"e{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self.elb, self.cloudwatch = self.sandbox.client("elbv2"), self.sandbox.client("cloudwatch")
        ec2 = self.sandbox.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        zones = ("us-east-1a", "us-east-1b")
        self.subnets = [
            made["Subnet"]["SubnetId"]
            for n, z in enumerate(zones)
            for made in [ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.7.{n}.0/24", AvailabilityZone=z)]
        ]
        made = self.elb.create_load_balancer(Name=self.name, Subnets=self.subnets)["LoadBalancers"][0]
        self.balancer, self.address = made["LoadBalancerArn"], made["DNSName"]
        self.listener = self.listen(80, [{"Type": "fixed-response", "FixedResponseConfig": NOT_FOUND}])
        self._groups, self._upstreams, self._priority = 0, [], 0  # type: ignore[var-annotated]

    def listen(self, port: int, actions: list[dict[str, Any]], **more: Any) -> str:
        """One more listener."""
        more.setdefault("Protocol", "HTTP")
        made = self.elb.create_listener(
            LoadBalancerArn=self.balancer, Port=port, DefaultActions=actions, **more
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def group(self, *upstreams: Upstream, **more: Any) -> str:
        """A target group with these targets."""
        self._groups += 1
        settings = {
            "Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "TargetType": "ip",
            "HealthCheckPath": "/health",
            "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 4, "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2, **more,
        }  # fmt: skip
        made = self.elb.create_target_group(Name=f"{self.name}-{self._groups}", **settings)
        arn = str(made["TargetGroups"][0]["TargetGroupArn"])
        self.register(arn, *upstreams)
        return arn

    def register(self, group: str, *upstreams: Upstream) -> None:
        """Into the group."""
        if upstreams:
            targets = [{"Id": "127.0.0.1", "Port": u.port} for u in upstreams]
            self.elb.register_targets(TargetGroupArn=group, Targets=targets)

    def upstream(self, name: str = "one") -> Upstream:
        """A target's program, stopped with the load balancer."""
        self._upstreams.append(Upstream(name))
        return self._upstreams[-1]

    def rule(self, conditions: list[dict[str, Any]], action: dict[str, Any], priority: int = 0) -> str:
        """A rule, after the ones made before it."""
        self._priority = priority or self._priority + 10
        made = self.elb.create_rule(
            ListenerArn=self.listener, Priority=self._priority, Conditions=conditions, Actions=[action]
        )
        return str(made["Rules"][0]["RuleArn"])

    def health(self, group: str) -> list[dict[str, str]]:
        """What DescribeTargetHealth says of its targets."""
        found = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [t["TargetHealth"] for t in found]

    def healthy(self, *groups: str) -> None:
        """Once all of their targets are."""
        for group in groups:
            eventually(partial(self._states, group), lambda s: s == {"healthy"})

    def _states(self, group: str) -> set[str]:
        return {t["State"] for t in self.health(group)}

    def ask(
        self, path: str = "/", method: str = "GET", headers: Mapping[str, str] | None = None,
        body: bytes = b"", port: int = 80,
    ) -> tuple[int, dict[str, str], str]:  # fmt: skip
        """Status, headers (names in small letters) and body of one request."""
        connection = http.client.HTTPConnection(self.address, port, timeout=20)
        try:
            connection.request(method, path, headers=dict(headers or {}), body=body or None)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, text
        except OSError:
            return 0, {}, ""
        finally:
            connection.close()

    def said(self, path: str = "/", **more: Any) -> str:
        """The body of one answer."""
        return self.ask(path, **more)[2]

    def count(self, number: int, path: str = "/") -> Counter[str]:
        """Who answered how many of so many requests."""
        with ThreadPoolExecutor(8) as pool:
            return Counter(pool.map(lambda _: self.said(path), range(number)))

    def total(self, metric: str, group: str = "", statistic: str = "Sum", **others: str) -> float:
        """The metric over the last hour; nothing counted is 0."""
        spans = {"LoadBalancer": self.balancer.split(":loadbalancer/")[1], **others}
        if group:
            spans["TargetGroup"] = group.rsplit(":", 1)[1]
        spans = {k: v for k, v in spans.items() if v}
        now = self.sandbox.now()
        found = self.cloudwatch.get_metric_statistics(
            Namespace="AWS/ApplicationELB", MetricName=metric, StartTime=now - 3600, EndTime=now + 36000,
            Dimensions=[{"Name": k, "Value": v} for k, v in spans.items()], Period=86400,
            Statistics=[statistic],
        )  # fmt: skip
        return sum(float(p[statistic]) for p in found["Datapoints"])

    def close(self) -> None:
        """Take it down."""
        self.elb.delete_load_balancer(LoadBalancerArn=self.balancer)
        for upstream in self._upstreams:
            upstream.stop()


def forward(*weights: tuple[str, int], sticky: int = 0) -> dict[str, Any]:
    """A forward action."""
    config: dict[str, Any] = {"TargetGroups": [{"TargetGroupArn": a, "Weight": w} for a, w in weights]}
    if sticky:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky}
    return {"Type": "forward", "ForwardConfig": config}


def fixed(body: str = "", status: str = "200", kind: str = "text/plain") -> dict[str, Any]:
    """A fixed response."""
    config = {"StatusCode": status, "ContentType": kind, "MessageBody": body}
    return {"Type": "fixed-response", "FixedResponseConfig": {k: v for k, v in config.items() if v}}


def redirect(code: int = 301, **parts: str) -> dict[str, Any]:
    """A redirect; parts in small letters."""
    config = {name.capitalize(): value for name, value in parts.items()}
    return {"Type": "redirect", "RedirectConfig": {"StatusCode": f"HTTP_{code}", **config}}


def path(*values: str) -> dict[str, Any]:
    """A path condition."""
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


@dataclass
class Shop:
    """An edge with one group and one rule."""

    edge: Edge
    group: str
    rule: str

    def rule_with(self, action: dict[str, Any], *conditions: dict[str, Any], priority: int = 900) -> Any:
        """CreateRule."""
        return self.edge.elb.create_rule(
            ListenerArn=self.edge.listener, Priority=priority, Conditions=list(conditions) or [path("/x")],
            Actions=[action],
        )  # fmt: skip


def refused(call: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[str, str]:
    """Code and message of a refusal."""
    with pytest.raises(ClientError) as error:
        call(*args, **kwargs)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]
