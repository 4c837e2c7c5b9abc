"""Faults in the running sandbox: what clients see, and that everything is well again afterwards.

Sources: AWS SDKs and tools reference guide, "Retry behavior"; ECS developer guide, "Stopped tasks error
codes" and "Amazon ECS task lifecycle"; ELB user guide, "Troubleshoot your Application Load Balancers"; Route
53 API reference, GetChange.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from delivery.sandbox.config import SandboxError
from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import Stack, eventually

pytestmark = pytest.mark.sandbox


@pytest.fixture(autouse=True)
def _well_again(sandbox: RunningSandbox) -> Iterator[None]:
    """No test leaves a fault behind."""
    yield
    sandbox.control.clear()


def client(sandbox: RunningSandbox, service: str, attempts: int = 1, timeout: float = 60) -> Any:
    """A boto3 client that tries so often."""
    return boto3.Session().client(  # type: ignore[call-overload]
        service, endpoint_url=sandbox.endpoints.aws, region_name=sandbox.endpoints.region,
        aws_access_key_id="sandbox", aws_secret_access_key="sandbox",
        config=Config(retries={"total_max_attempts": attempts}, read_timeout=timeout),
    )  # fmt: skip


# --- calls ------------------------------------------------------------------------

CALLS = [
    ("ecs", "list_clusters", "ThrottlingException"), ("elbv2", "describe_load_balancers", "Throttling"),
    ("cloudwatch", "describe_alarms", "Throttling"), ("ec2", "describe_vpcs", "RequestLimitExceeded"),
    ("s3", "list_buckets", "SlowDown"), ("sqs", "list_queues", "RequestThrottled"),
    ("route53", "list_hosted_zones", "Throttling"), ("iam", "list_roles", "Throttling"),
]  # fmt: skip


@pytest.mark.parametrize(("service", "call", "code"), CALLS)
def test_clients_understand_throttling_and_try_again(
    sandbox: RunningSandbox, service: str, call: str, code: str
) -> None:
    """A throttled call fails with the service's own code; a client with another attempt left succeeds."""
    operation = "".join(word.title() for word in call.split("_"))
    sandbox.control.throttle(service, operation, count=2)
    with pytest.raises(ClientError) as refused:
        getattr(client(sandbox, service), call)()
    assert refused.value.response["Error"]["Code"] == code
    getattr(client(sandbox, service, attempts=2), call)()
    assert sandbox.control.faults() == []


def test_an_operation_of_s3_is_known_by_its_name(sandbox: RunningSandbox) -> None:
    """PutObject is meant, and ListObjectsV2 is not touched."""
    s3 = client(sandbox, "s3")
    s3.create_bucket(Bucket="faulty-bucket")
    sandbox.control.fault("s3", "PutObject", status=503, code="ServiceUnavailable")
    s3.list_objects_v2(Bucket="faulty-bucket")
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        s3.put_object(Bucket="faulty-bucket", Key="k", Body=b"1")
    s3.put_object(Bucket="faulty-bucket", Key="k", Body=b"2")


def test_a_silent_connection_did_nothing(sandbox: RunningSandbox) -> None:
    """A call that hangs until the client gives up was never done; others are not held up by it."""
    sandbox.control.fault("ecs", "CreateCluster", kind="hang", seconds=5)
    ecs = client(sandbox, "ecs")
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(client(sandbox, "ecs", timeout=2).create_cluster, clusterName="never")
        eventually(lambda: sandbox.control.faults() == [])
        assert "clusterArns" in ecs.list_clusters() and not hanging.done()
        with pytest.raises(HTTPClientError):
            hanging.result()
    assert ecs.describe_clusters(clusters=["never"])["clusters"] == []


def test_a_delayed_call_holds_up_nobody(sandbox: RunningSandbox) -> None:
    """Two calls, one of them delayed: the other is answered first."""
    one, other = client(sandbox, "ecs"), client(sandbox, "ecs")
    sandbox.control.fault("ecs", "DescribeClusters", kind="delay", seconds=5)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(one.describe_clusters)
        eventually(lambda: sandbox.control.faults() == [])
        other.list_clusters()
        assert not slow.done()
        assert "clusters" in slow.result()


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1e12])
def test_a_number_that_is_none_harms_nobody(sandbox: RunningSandbox, seconds: float) -> None:
    """A clock cannot be off by what is no number of seconds; the sandbox says so, and goes on answering."""
    for call in (
        lambda: sandbox.control.skew(seconds),
        lambda: sandbox.control.fault("ecs", kind="delay", seconds=seconds),
        lambda: sandbox.control.quota(1, seconds=seconds),
    ):
        with pytest.raises(SandboxError, match=r"seconds: .* is no number below"):
            call()
    assert sandbox.client("sts").get_caller_identity()["Account"] == sandbox.config.account


def test_an_unknown_fault_is_refused_with_a_sentence(sandbox: RunningSandbox) -> None:
    """What cannot happen is not silently accepted: service, operation, field, slot."""
    for said, match in (
        ({"service": "esc"}, "Did you mean ecs"),
        ({"service": "ecs", "operation": "UpdateServiceX"}, "Did you mean UpdateService"),
        ({"service": "ecs", "kind": "explode"}, "kind: 'explode'"),
    ):
        with pytest.raises(SandboxError, match=match):
            sandbox.control.fault(**said)
    with pytest.raises(SandboxError, match="no ECS service 'nobody'"):
        sandbox.control.slot("nobody", "crash")
    with pytest.raises(SandboxError, match="state: 'broken' is none of up, down, full"):
        sandbox.control.registry("broken")


# --- slots ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(sandbox: RunningSandbox, app_image: str) -> Iterator[Stack]:
    """One service behind a load balancer, for all tests of this file."""
    stack = Stack(sandbox, app_image)
    stack.group("blue")
    stack.route(blue=100)
    stack.service("blue", stack.revision())
    yield stack
    stack.close()


@pytest.fixture
def slot(shared: Stack) -> Stack:
    """The service with one healthy task, whatever the test before did to it."""
    name = f"{shared.name}-blue"
    shared.ecs.update_service(cluster=shared.name, service=name, desiredCount=1)

    def serving() -> tuple[int, list[str]]:
        return len(shared.tasks(name)), [s for s, _ in shared.health("blue") if s != "draining"]

    eventually(serving, lambda seen: seen == (1, ["healthy"]), 60)
    return shared


def test_a_slot_turns_slow_answers_errors_and_is_well_again(slot: Stack) -> None:
    """Slow answers are late, errors come at their rate and only on their path; afterwards none is left."""
    control, name = slot.sandbox.control, f"{slot.name}-blue"
    control.slot(name, "slow", seconds=1.5, path="/slow")
    began = eventually(lambda: _seconds(slot, "/slow"), lambda seconds: seconds > 1.4)
    assert began < 10
    control.slot(name, "errors", rate=0.3, status=502, path="/x")
    control.slot(name, "errors", rate=1.0, status=500, path="/all")
    eventually(lambda: slot.ask("/all")[0], lambda status: status == 500)
    some = slot.ask_many(200, "/x")
    failed = sum(n for (status, _), n in some.items() if status == 502)
    assert 20 < failed < 110 and slot.ask("/")[0] == 200
    control.slot(name, "ok")
    eventually(lambda: slot.ask("/all")[0], lambda status: status == 200)
    assert {status for (status, _), n in slot.ask_many(100, "/x").items()} == {200}


def stopped_task(slot: Stack, arn: str) -> dict[str, Any]:
    """A task once it has stopped."""

    def look() -> dict[str, Any]:
        return dict(slot.ecs.describe_tasks(cluster=slot.name, tasks=[arn])["tasks"][0])

    return eventually(look, lambda task: task["lastStatus"] == "STOPPED", 60)


def _seconds(slot: Stack, path: str) -> float:
    began = time.monotonic()
    slot.ask(path)
    return time.monotonic() - began


def test_a_slots_tasks_crash_as_often_as_said(slot: Stack) -> None:
    """A crash is SIGKILL: exit code 137. One task was meant, and the service replaces it."""
    before = slot.tasks(f"{slot.name}-blue")[0]["taskArn"]
    slot.sandbox.control.slot(f"{slot.name}-blue", "crash", count=1)
    stopped = stopped_task(slot, before)
    assert stopped["containers"][0]["exitCode"] == 137 and stopped["stopCode"] == "EssentialContainerExited"
    assert slot.sandbox.control.faults() == []
    eventually(lambda: slot.health("blue"), lambda h: ("healthy", "") in h, 60)


def test_a_slots_tasks_leak_until_the_kernel_ends_them(slot: Stack) -> None:
    """The container's memory is really full: OutOfMemoryError and 137, as ECS tells it."""
    before = slot.tasks(f"{slot.name}-blue")[0]["taskArn"]
    slot.sandbox.control.slot(f"{slot.name}-blue", "leak", seconds=3, count=1)
    ended = stopped_task(slot, before)["containers"][0]
    assert ended["exitCode"] == 137 and ended["reason"].startswith("OutOfMemoryError")


def test_lost_docker_condemns_nothing(slot: Stack, sandbox: RunningSandbox) -> None:
    """While the engine does not answer, tasks stay as they were; what was asked is done afterwards."""
    name = f"{slot.name}-blue"
    before = [t["taskArn"] for t in slot.tasks(name)]
    failed = slot.look(name)["deployments"][0]["failedTasks"]
    sandbox.control.docker(False)
    slot.ecs.stop_task(cluster=slot.name, task=before[0])
    slot.ecs.update_service(cluster=slot.name, service=name, desiredCount=2)
    stays = [slot.ecs.describe_tasks(cluster=slot.name, tasks=before)["tasks"][0] for _ in range(20)]
    assert {t["lastStatus"] for t in stays}.isdisjoint({"STOPPED"})
    sandbox.control.docker(True)
    eventually(lambda: slot.look(name)["runningCount"], lambda n: n == 2, 60)
    assert stopped_task(slot, before[0])["stopCode"] == "UserInitiated"
    assert slot.look(name)["deployments"][0]["failedTasks"] == failed


# --- the rest ---------------------------------------------------------------------


def test_a_stuck_dns_change_stays_pending(sandbox: RunningSandbox) -> None:
    """A change stays PENDING until DNS is well again, and is INSYNC then."""
    route53 = sandbox.client("route53")
    zone = route53.create_hosted_zone(Name="stuck.test", CallerReference="stuck")["HostedZone"]["Id"]
    sandbox.control.dns_stuck(True)
    record = {"Name": "a.stuck.test", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "127.0.0.9"}]}
    change = route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    )["ChangeInfo"]["Id"]
    states = [route53.get_change(Id=change)["ChangeInfo"]["Status"] for _ in range(10)]
    assert set(states) == {"PENDING"}
    sandbox.control.dns_stuck(False)
    eventually(lambda: route53.get_change(Id=change)["ChangeInfo"]["Status"], lambda s: s == "INSYNC")


def test_the_registry_is_full_down_and_up_again(sandbox: RunningSandbox) -> None:
    """Down: nobody answers. Full: it answers, and takes no upload. What is in force is told."""
    url = f"http://{sandbox.endpoints.registry}/v2/"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except urllib.error.HTTPError:
            return True  # it wants a login: it is there
        except OSError:
            return False

    assert answers()
    sandbox.control.registry("down")
    assert not answers() and sandbox.control.faults() == [{"what": "registry", "kind": "down"}]
    sandbox.control.registry("full")
    assert answers() and sandbox.control.faults() == [{"what": "registry", "kind": "full"}]
    sandbox.control.clear()
    assert answers() and sandbox.control.faults() == []


def test_the_status_is_one_look_at_everything(slot: Stack, sandbox: RunningSandbox) -> None:
    """Services, tasks, weights, targets and faults of one moment, as AWS's clients are told them."""
    sandbox.control.throttle("ecs", "RunTask")
    world = json.loads(json.dumps(sandbox.control.status()))
    service = next(s for s in world["services"] if s["service"] == f"{slot.name}-blue")
    assert (service["desired"], service["running"]) == (1, 1)
    assert any(t["of"] == f"{slot.name}-blue" and t["status"] == "RUNNING" for t in world["tasks"])
    rules = [r for r in world["balancers"] if r["balancer"] == slot.name]
    assert [(r["priority"], r["weights"]) for r in rules] == [
        ("100", {f"{slot.name}-blue": 100}), ("default", {}),
    ]  # fmt: skip
    assert "healthy" in [t["state"] for t in world["targets"] if t["group"] == f"{slot.name}-blue"]
    assert [f["what"] for f in world["faults"]] == ["ecs RunTask"]
