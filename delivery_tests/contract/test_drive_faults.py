"""Every AWS call of the drive loop, lost, late, torn down, throttled and refused: the rollout ends verified.

One service lives through all tests; each deploys the next commit to it, with many faults on its way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import docker
import pytest

from delivery.adapters.aws import session
from delivery.core.release import Release
from delivery.core.rollout import RolloutPhase
from delivery.core.target import EndTask, Launch, RunOnce
from delivery.errors import ProviderError, RefusedError, UnavailableError
from delivery.flows.control import abort_rollout, continue_rollout
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.drive import LIMITS, NAME, Drive, called_in_the_code
from delivery_tests.contract.faulty import FOR_EVER, FaultyLine, Kind
from delivery_tests.contract.programs import Images, push_images

#: Every call of a good canary, in the order in which they can stop one that has begun: each of these is
#: tried below with every kind of fault. Those of S3 are the ledger, without which nothing can be written.
LEDGER = ("s3.GetObject", "s3.PutObject", "s3.ListObjectsV2")
DRIVEN = (
    "ecs.ListTaskDefinitions",
    "ecs.RegisterTaskDefinition",
    "ecs.RunTask",
    "ecs.ListTasks",
    "ecs.DescribeTasks",
    "ecs.DescribeServices",
    "ecs.DescribeTaskDefinition",
    "elbv2.DescribeRules",
    "application-autoscaling.DescribeScalableTargets",
    "application-autoscaling.RegisterScalableTarget",
    "ecs.UpdateService",
    "elbv2.DescribeTargetHealth",
    "elbv2.ModifyRule",
    "cloudwatch.GetMetricData",
    "cloudwatch.DescribeAlarms",
)
#: Calls of the same adapters that a good canary does not need: tried alone, or not of a rollout at all.
ELSEWHERE = {"ecs.StopTask", "logs.GetLogEvents", "s3.HeadObject"}
#: What changes something: these may be lost again and again.
CHANGES = {
    "ecs.RegisterTaskDefinition",
    "ecs.RunTask",
    "application-autoscaling.RegisterScalableTarget",
    "ecs.UpdateService",
    "elbv2.ModifyRule",
}
#: RegisterTaskDefinition has no client token: between two attempts somebody has to look.
ONCE = "ecs.RegisterTaskDefinition"

pytestmark = pytest.mark.sandbox


class SlowClock:
    """The session's clock, which tests put forward."""

    def __init__(self) -> None:
        self._late = 0.0

    def slow(self, seconds: float) -> None:
        """So much time has passed."""
        self._late += seconds

    def monotonic(self) -> float:
        """As `time.monotonic`."""
        return time.monotonic() + self._late


@pytest.fixture(scope="module")
def images(compressed: RunningSandbox, docker_client: docker.DockerClient, python_image: str) -> Images:
    """The programs' images in the quick sandbox's registry."""
    return push_images(docker_client, python_image, compressed.client("ecr"))


@pytest.fixture(scope="module")
def service(compressed: RunningSandbox, images: Images) -> Iterator[Drive]:
    """The one service, with a release that serves."""
    with FaultyLine(compressed.endpoints.aws) as line:
        made = Drive.on(compressed, images, line, "drive")
        first = made.push("first")
        made.deploy(first)
        made.finish(first)
        yield made
        line.heal()
        made.stage.close()


@pytest.fixture
def drive(service: Drive) -> Iterator[Drive]:
    """The service before its next commit, with new clients; nothing is broken, and nothing stays so."""
    service.world.renew()
    yield service
    service.line.heal()
    if service.record.in_flight is not None:  # of a test that failed: the next one begins anew
        abort_rollout(service.op(), NAME, "the test is over")


def ends_verified(drive: Drive, sha: str) -> Release:
    """Everything took place exactly once, and nobody has anything against the release."""
    rollout = drive.deploy(sha)
    drive.line.heal()
    drive.finish(sha)
    told = "\n".join(drive.said[-40:])
    record = drive.record
    assert rollout.phase is RolloutPhase.SUCCEEDED, told
    assert record.live == rollout.release and record.lock is None
    assert drive.effects(rollout.release.id) == {"revisions": 1, "deployments": 1, "tasks": 1}, told
    assert drive.weights() == [50, 100], told
    assert drive.condemned() == []
    return rollout.release


def retries_are_bounded(drive: Drive) -> None:
    """No call is tried more often than it may be; what must not be repeated blindly is not."""
    tries = drive.line.tries()
    assert all(count <= session.ATTEMPTS for count in tries.values()), tries
    assert tries[ONCE] == 1


def test_these_are_all_calls_of_a_canary(drive: Drive) -> None:
    """A call that a canary begins to make, or an adapter learns, is missing here until it is tried."""
    ends_verified(drive, drive.push("good"))
    assert set(drive.line.operations()) == {*DRIVEN, *LEDGER}
    assert called_in_the_code() == {*DRIVEN, *LEDGER, *ELSEWHERE}


@pytest.mark.parametrize("kinds", [("throttled", "late"), ("500", "503", "reset")], ids="-".join)
def test_a_call_that_fails_at_first_holds_nothing_up(
    drive: Drive, kinds: tuple[Kind, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every operation fails, once in each of these ways in a row, and nothing is asked of anybody."""
    monkeypatch.setattr(session, "READ_TIMEOUT", 1.0)
    drive.world.renew()
    sha = drive.push("-".join(kinds))
    drive.line.breaks(kinds, (*DRIVEN, *LEDGER))
    ends_verified(drive, sha)
    assert drive.line.hit() == dict.fromkeys((*DRIVEN, *LEDGER), len(kinds))
    retries_are_bounded(drive)


def test_answers_that_are_always_lost_do_nothing_twice(drive: Drive) -> None:
    """Every answer to a change is lost, for ever, and every other one to a question: what is done is seen."""
    sha = drive.push("lost")
    drive.line.breaks(("lost",), CHANGES, FOR_EVER)
    drive.line.breaks(("lost",), {*DRIVEN, *LEDGER} - CHANGES, FOR_EVER, every=2)
    ends_verified(drive, sha)
    assert set(drive.line.hit()) == {*DRIVEN, *LEDGER}
    retries_are_bounded(drive)


def test_a_fault_without_end_is_a_stated_pause_each_time(drive: Drive) -> None:
    """One operation after the other fails for ever: the rollout pauses, says why, and can be continued."""
    sha = drive.push("ever")
    ways: tuple[Kind, ...] = ("503", "500", "reset")
    for operation in DRIVEN:
        before = len(drive.line.attempts)
        drive.line.breaks(ways, (operation,), FOR_EVER)
        with pytest.raises(RefusedError, match="is paused: could not"):
            drive.deploy(sha)
        rollout, tried = drive.rollout, drive.line.attempts[before:]
        assert rollout.phase is RolloutPhase.PAUSED and not rollout.condemned, operation
        assert drive.record.lock is None and drive.condemned() == []
        failed = len([a for a in tried if a.operation == operation and a.fault])
        looks = LIMITS.error_budget + 2  # an error of a look that may be old is looked at afresh
        assert 0 < failed <= looks * session.ATTEMPTS, (operation, failed)
        drive.line.heal()
        continue_rollout(drive.op(), NAME)
    ends_verified(drive, sha)
    retries_are_bounded(drive)


@pytest.mark.parametrize("operation", LEDGER[:2])
def test_without_the_ledger_nothing_is_done(drive: Drive, operation: str) -> None:
    """What was decided and cannot be written down is not done; the run says so and another one goes on."""
    sha = drive.push(f"ledger-{operation}")
    drive.when("running before the switch", lambda: drive.line.breaks(("503",), (operation,), FOR_EVER))
    if operation == "s3.GetObject":
        drive.line.breaks(("503",), (operation,), FOR_EVER)
    with pytest.raises(ProviderError, match="ServiceUnavailable"):
        drive.deploy(sha)
    drive.line.heal()
    assert drive.condemned() == []
    ends_verified(drive, sha)


def test_a_ledger_write_whose_every_answer_is_lost_is_found(drive: Drive) -> None:
    """Its repetitions met it and nobody was told: reading it shows that it is ours."""
    ledger = drive.world.ledger
    before = ledger.load(drive.service.name, NAME)
    drive.line.attempts.clear()
    drive.line.breaks(("lost",), ("s3.PutObject",), FOR_EVER)
    written = ledger.store(before.record, before.etag)
    assert drive.line.hit() == {"s3.PutObject": session.ATTEMPTS}
    assert written.etag != before.etag and ledger.load(drive.service.name, NAME) == written


def test_a_task_is_stopped_once_and_its_log_is_no_must(drive: Drive) -> None:
    """A lost answer to StopTask stops no second task; a log that cannot be read says so in its place."""
    sha = drive.push("alone")
    release, target = drive.release(sha), drive.target()
    hangs = RunOnce("drive-hangs", release, ("python", "-c", "import time; time.sleep(600)"))
    fails = RunOnce("drive-fails", release, ("python", "-c", "import sys; sys.exit('no database')"))
    drive.line.breaks(("lost", "503"), ("ecs.StopTask",))
    drive.line.breaks(("503",), ("logs.GetLogEvents",), FOR_EVER)
    target.apply(hangs)
    target.apply(fails)
    drive.until(lambda: drive.task(hangs.token).started)
    target.apply(EndTask(hangs.token))
    drive.until(lambda: drive.task(hangs.token).phase == "interrupted")
    drive.until(lambda: drive.task(fails.token).phase == "failed")
    failure = drive.task(fails.token).failure
    assert failure is not None and failure.exit_code == 1
    assert "could not be read" in failure.last_log_lines[0]
    stopped = {answer["task"]["taskArn"] for answer in drive.answers("ecs.StopTask")}
    assert len(stopped) == 1 and drive.line.hit()["ecs.StopTask"] == 2


def test_an_action_that_takes_too_long_is_not_finished(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its reads take longer than the lock is sure to last, nothing is changed any more."""
    clock = SlowClock()
    monkeypatch.setattr(session, "time", clock)
    sha = drive.push("slow")
    drive.line.after("elbv2.DescribeRules", lambda: clock.slow(session.PROMPT + 1))
    with pytest.raises(UnavailableError, match="its time was over"):
        drive.target().apply(Launch(drive.rollout.candidate.other, drive.release(sha), 1))
    assert not {"ecs.UpdateService", "elbv2.ModifyRule"} & set(drive.line.operations())


def test_a_scale_out_while_a_launch_is_asked_for_survives(drive: Drive) -> None:
    """What autoscaling adds between the launch's first look and its update stays."""
    live, slot = drive.record.live, drive.rollout.candidate
    assert live is not None
    now = drive.target().observe().slot(slot).desired
    between = "application-autoscaling.DescribeScalableTargets"
    drive.line.after(between, lambda: drive.scale(slot, now + 2))
    drive.target().apply(Launch(slot, live, now + 1))
    assert drive.target().observe().slot(slot).desired == now + 2
