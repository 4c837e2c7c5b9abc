"""Many callers at once: what each does over and over, and what must be true of it all afterwards."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from delivery.sandbox import Endpoints

#: How many call at once, and for how long: in the suite, and in the benchmark (seconds).
CALLERS, BRIEFLY, FOR_A_MINUTE = 50, 30.0, 60.0
_COUNTERS = 2


@dataclass
class Crowd:
    """Callers of one sandbox. What they believe to have done is counted here, and compared at the end."""

    endpoints: Endpoints
    repository: str
    name: str = field(default_factory=lambda: f"c{uuid.uuid4().hex[:8]}")
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)
    received: set[str] = field(default_factory=set)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    #: What a caller does, in turn; pushing is one caller's.
    acts = ("count", "message", "weights", "revision", "alarm", "look", "status", "push")

    def __post_init__(self) -> None:
        #: Plain clients that never try again: an error of the server must be seen.
        self.client: Callable[[str], Any] = lambda service: boto3.client(
            service, endpoint_url=self.endpoints.aws, region_name=self.endpoints.region,
            aws_access_key_id="sandbox", aws_secret_access_key="sandbox",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=CALLERS),
        )  # fmt: skip
        services = ("ecs", "elbv2", "cloudwatch", "s3", "sqs", "ecr")
        self.ecs, self.elb, self.cloudwatch, self.s3, self.sqs, self.ecr = map(self.client, services)
        self.hub = requests.Session()
        self.hub.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=CALLERS))
        self.hub.headers["Authorization"] = "Bearer sandbox-token"

    def prepare(self) -> None:
        """What they work on: a cluster, a rule with weights, counters, a queue, an alarm, a repository."""
        self.ecs.create_cluster(clusterName=self.name)
        self.s3.create_bucket(Bucket=self.name)
        self.queue = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.ecr.create_repository(repositoryName=self.name)
        for number in range(_COUNTERS):
            self.s3.put_object(Bucket=self.name, Key=f"n{number}", Body=b"0")
        self.cloudwatch.put_metric_alarm(
            AlarmName=self.name, Namespace="Crowd", MetricName="Errors", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
            ActionsEnabled=False,
        )  # fmt: skip
        self.groups = self._balancer()

    def _balancer(self) -> list[str]:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
        zones = ("us-east-1a", "us-east-1b")
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.5.{n}.0/24", AvailabilityZone=z)["Subnet"]["SubnetId"]
            for n, z in enumerate(zones)
        ]
        balancer = self.elb.create_load_balancer(Name=self.name, Subnets=subnets)["LoadBalancers"][0]
        self.balancer = balancer["LoadBalancerArn"]
        groups = [
            self.elb.create_target_group(
                Name=f"{self.name}-{n}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            for n in range(2)
        ]  # fmt: skip
        listener = self.elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": groups[0]}],
        )["Listeners"][0]["ListenerArn"]  # fmt: skip
        self.rule = self.elb.create_rule(
            ListenerArn=listener, Priority=1, Actions=[{"Type": "forward", "TargetGroupArn": groups[0]}],
            Conditions=[{"Field": "path-pattern", "Values": ["/crowd/*"]}],
        )["Rules"][0]["RuleArn"]  # fmt: skip
        return groups

    def hammer(self, seconds: float, push: Callable[[int], None]) -> None:
        """All at once for so long. `push(n)` pushes one more commit; one caller at a time does that."""
        deadline = time.monotonic() + seconds
        acts = [getattr(self, f"_{name}") for name in self.acts if name != "push"]

        def caller(number: int) -> None:
            turn = 0
            while time.monotonic() < deadline:
                if number == 0:
                    self._timed("push", lambda turn=turn: push(turn))
                else:
                    act = acts[(number + turn) % len(acts)]
                    self._timed(act.__name__.strip("_"), lambda act=act, turn=turn: act(number, turn))
                turn += 1

        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(caller, range(CALLERS)))

    def _timed(self, what: str, act: Callable[[], None]) -> None:
        begun = time.monotonic()
        try:
            act()
        except Exception as error:
            with self.lock:
                self.wrong.append(f"{what}: {error!r}"[:500])
        took = time.monotonic() - begun
        with self.lock:
            self.done[what] += 1
            self.slowest = max(self.slowest, took)

    def _count(self, caller: int, turn: int) -> None:
        """Add one to a counter that everybody adds to, with `If-Match`; again until it was ours to add."""
        key = f"n{turn % _COUNTERS}"
        while True:
            seen = self.s3.get_object(Bucket=self.name, Key=key)
            more = str(int(seen["Body"].read()) + 1).encode()
            try:
                self.s3.put_object(Bucket=self.name, Key=key, Body=more, IfMatch=seen["ETag"])
            except ClientError as error:
                if error.response["Error"]["Code"] not in (
                    "PreconditionFailed",
                    "ConditionalRequestConflict",
                ):
                    raise
                continue
            with self.lock:
                self.done[key] += 1
            return

    def _message(self, caller: int, turn: int) -> None:
        """Send a message, and take some out."""
        body = f"{caller}-{turn}"
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)
        with self.lock:
            self.sent.add(body)
        self.drain_once()

    def drain_once(self) -> int:
        """Receive and delete up to ten messages; how many there were."""
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        with self.lock:
            self.received.update(m["Body"] for m in found)
        return len(found)

    def _weights(self, caller: int, turn: int) -> None:
        """Move the rule's weights; whoever reads sees both weights of one writer."""
        first = (caller * 7 + turn) % 101
        pairs = [
            {"TargetGroupArn": g, "Weight": w} for g, w in zip(self.groups, (first, 100 - first), strict=True)
        ]
        self.elb.modify_rule(
            RuleArn=self.rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": pairs}}]
        )
        (rule,) = self.elb.describe_rules(RuleArns=[self.rule])["Rules"]
        seen = [g["Weight"] for g in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]]
        assert sum(seen) == 100, seen

    def _revision(self, caller: int, turn: int) -> None:
        """Register a revision of one's own family; they are numbered without a gap."""
        family = f"{self.name}-{caller}"
        container = {"name": "app", "image": "none", "memory": 64}
        made = self.ecs.register_task_definition(family=family, containerDefinitions=[container])
        assert made["taskDefinition"]["revision"] == self.done[family] + 1
        self.done[family] += 1
        assert self.ecs.describe_clusters(clusters=[self.name])["clusters"][0]["status"] == "ACTIVE"

    def _alarm(self, caller: int, turn: int) -> None:
        """Set the alarm's state, put a metric, look at the alarm."""
        state = ("OK", "ALARM")[turn % 2]
        self.cloudwatch.set_alarm_state(AlarmName=self.name, StateValue=state, StateReason="crowd")
        self.cloudwatch.put_metric_data(
            Namespace="Crowd", MetricData=[{"MetricName": f"M{caller}", "Value": float(turn)}]
        )
        (alarm,) = self.cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"]
        assert alarm["StateValue"] in ("OK", "ALARM", "INSUFFICIENT_DATA")

    def _look(self, caller: int, turn: int) -> None:
        """Read what others write."""
        assert self.ecr.describe_images(repositoryName=self.name)["imageDetails"] == []
        assert (
            self.elb.describe_target_health(TargetGroupArn=self.groups[0])["TargetHealthDescriptions"] == []
        )
        assert len(self.s3.list_objects_v2(Bucket=self.name)["Contents"]) == _COUNTERS

    def _status(self, caller: int, turn: int) -> None:
        """State something about the branch's head on GitHub; the newest of one's context is what one said."""
        url = f"{self.endpoints.github}/repos/{self.repository}"
        sha = self._get(f"{url}/commits/main")["sha"]
        context = f"caller-{caller}"
        body = {"state": "success", "context": context, "description": str(turn)}
        answer = self.hub.post(f"{url}/statuses/{sha}", data=json.dumps(body), timeout=30)
        assert answer.status_code == 201, answer.text
        seen = {
            s["context"]: s["description"]
            for s in self._get(f"{url}/commits/{sha}/status?per_page=100")["statuses"]
        }
        assert seen[context] == str(turn)

    def _get(self, url: str) -> Any:
        answer = self.hub.get(url, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def counters(self) -> dict[str, int]:
        """What the counters say now."""
        keys = [f"n{n}" for n in range(_COUNTERS)]
        return {k: int(self.s3.get_object(Bucket=self.name, Key=k)["Body"].read()) for k in keys}

    def close(self) -> None:
        """Take away what would make work for the next."""
        self.elb.delete_load_balancer(LoadBalancerArn=self.balancer)
