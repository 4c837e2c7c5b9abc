"""What only real tasks, a real proxy and AWS's own records can tell of the ECS target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
import requests

from delivery.adapters.aws.session import Aws
from delivery.adapters.ecs.target import EcsTarget
from delivery.core.release import Slot
from delivery.core.target import Drain, Launch, ShiftTraffic
from delivery.errors import NotFoundError, RefusedError, UnavailableError
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.cloud import aws_that_does_not_answer
from delivery_tests.contract.lossy import LossyProxy
from delivery_tests.contract.targets import EcsScene, candidate_in_green, live_in_blue

pytestmark = pytest.mark.sandbox


def answers(scene: EcsScene, count: int, **headers: str) -> Counter[str]:
    """How many of `count` requests each release answered; `503` and the like otherwise."""
    seen: Counter[str] = Counter()
    with requests.Session() as session:
        for _ in range(count):
            answer = session.get(
                f"http://{scene.stage.contract.load_balancer_dns}/", headers=headers, timeout=5
            )
            seen[answer.headers.get("X-Release") or str(answer.status_code)] += 1
    return seen


def test_traffic_follows_the_weights(ecs_scene: EcsScene) -> None:
    """A tenth of the weight is a tenth of the requests, and none is lost on the way."""
    old, new = live_in_blue(ecs_scene).id, candidate_in_green(ecs_scene).id
    ecs_scene.target.apply(ShiftTraffic(Slot.GREEN, 10))
    ecs_scene.until(lambda _: new in answers(ecs_scene, 40))
    seen = answers(ecs_scene, 500)
    assert set(seen) == {old, new}
    assert 23 <= seen[new] <= 77  # four standard deviations


def test_no_request_fails_while_traffic_moves_and_the_old_slot_ends(ecs_scene: EcsScene) -> None:
    """From the first share to the drained old slot every request is answered by a release."""
    old, new = live_in_blue(ecs_scene).id, candidate_in_green(ecs_scene).id
    seen: Counter[str] = Counter()
    for percent in (50, 100):
        ecs_scene.target.apply(ShiftTraffic(Slot.GREEN, percent))
        seen += answers(ecs_scene, 200)
    ecs_scene.until(lambda _: old not in answers(ecs_scene, 40))
    ecs_scene.target.apply(Drain(Slot.BLUE))
    ecs_scene.until(lambda s: bool(seen.update(answers(ecs_scene, 40))) or s.blue.running == 0)
    assert set(seen) == {old, new}


def test_the_preview_header_reaches_the_candidate(ecs_scene: EcsScene) -> None:
    """Before any traffic moved, the header leads to the new release, and only the header does."""
    old, new = live_in_blue(ecs_scene).id, candidate_in_green(ecs_scene).id
    header = {ecs_scene.stage.contract.preview_header_name: ecs_scene.stage.contract.preview_header_value}
    ecs_scene.until(lambda _: set(answers(ecs_scene, 5, **header)) == {new})
    assert set(answers(ecs_scene, 50)) == {old}


def test_a_shift_leaves_the_rest_of_the_rule_alone(ecs_scene: EcsScene) -> None:
    """Stickiness somebody configured is still there after traffic moved."""
    live_in_blue(ecs_scene)
    candidate_in_green(ecs_scene)
    rule, elb = ecs_scene.stage.contract.production_rule_arn, ecs_scene.stage.elb
    sticky = {"Enabled": True, "DurationSeconds": 90}
    [action] = ecs_scene.stage.actions(rule)
    action["ForwardConfig"]["TargetGroupStickinessConfig"] = sticky
    elb.modify_rule(RuleArn=rule, Actions=[action])
    ecs_scene.target.apply(ShiftTraffic(Slot.GREEN, 10))
    [after] = ecs_scene.stage.actions(rule)
    assert after["ForwardConfig"]["TargetGroupStickinessConfig"] == sticky
    assert [g["Weight"] for g in after["ForwardConfig"]["TargetGroups"]] == [90, 10]


def test_a_rule_without_a_forward_action_is_not_overwritten(ecs_scene: EcsScene) -> None:
    """A maintenance page somebody put in place of the production rule is left to them."""
    live_in_blue(ecs_scene)
    rule, elb = ecs_scene.stage.contract.production_rule_arn, ecs_scene.stage.elb
    page = {"StatusCode": "503", "ContentType": "text/plain", "MessageBody": "back soon"}
    elb.modify_rule(RuleArn=rule, Actions=[{"Type": "fixed-response", "FixedResponseConfig": page}])
    with pytest.raises(RefusedError, match="no forward action"):
        ecs_scene.target.apply(ShiftTraffic(Slot.BLUE, 100))
    assert ecs_scene.target.observe().blue.weight == 0


def test_a_revision_carries_the_release(ecs_scene: EcsScene) -> None:
    """The registered revision names release and commit in tags and environment, and the image by digest."""
    release = ecs_scene.release("a")
    ecs_scene.target.apply(Launch(Slot.BLUE, release, 1))
    [arn] = ecs_scene.stage.revisions()
    found = ecs_scene.stage.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    [container] = found["taskDefinition"]["containerDefinitions"]
    environment = {e["name"]: e["value"] for e in container["environment"]}
    tags = {t["key"]: t["value"] for t in found["tags"]}
    assert tags == {
        "delivery:release": release.id, "delivery:commit": release.commit, "delivery:service": "stage",
    }  # fmt: skip
    assert container["image"] == release.image.reference and "@sha256:" in container["image"]
    assert environment == {
        "DELIVERY_RELEASE": release.id, "DELIVERY_COMMIT": release.commit, "DELIVERY_COLOUR": "red",
    }  # fmt: skip


def test_one_release_is_one_revision(ecs_scene: EcsScene) -> None:
    """Launches of a release in either slot, by another process too, share one revision."""
    release = live_in_blue(ecs_scene)
    ecs_scene.target.apply(Launch(Slot.BLUE, release, 2))
    other = EcsTarget(ecs_scene.aws, ecs_scene.stage.contract, {})
    other.apply(Launch(Slot.GREEN, release, 1))
    assert len(ecs_scene.stage.revisions()) == 1


class _LosesRegistration(LossyProxy):
    """Loses the answer of the first RegisterTaskDefinition."""

    def serve(self, handler: BaseHTTPRequestHandler, upstream: str) -> None:
        """As `LossyProxy`."""
        if not self.lost and handler.headers.get("X-Amz-Target", "").endswith(".RegisterTaskDefinition"):
            self.lose("POST")
        super().serve(handler, upstream)


@pytest.fixture
def lossy(sandbox: RunningSandbox) -> Iterator[_LosesRegistration]:
    """A line to the sandbox that loses one answer."""
    proxy = _LosesRegistration(sandbox.endpoints.aws)
    with proxy:
        yield proxy


def test_a_lost_answer_makes_no_second_revision(
    ecs_scene: EcsScene, sandbox: RunningSandbox, lossy: _LosesRegistration
) -> None:
    """A registration whose answer is lost is looked for before it is asked for again."""
    aws = Aws(sandbox.endpoints.region, lossy.url, sandbox.environment)
    release = ecs_scene.release("a")
    EcsTarget(aws, ecs_scene.stage.contract, {}).apply(Launch(Slot.BLUE, release, 1))
    assert lossy.lost == 1
    assert len(ecs_scene.stage.revisions()) == 1
    assert ecs_scene.until(lambda s: s.blue.serving).blue.release == release.id


def test_bounds_move_with_the_traffic(ecs_scene: EcsScene) -> None:
    """Autoscaling is free where all the traffic is, may not shrink the rest, and lets a drained slot be."""
    free, parked, held = (1, 4), (0, 0), (2, 4)
    live_in_blue(ecs_scene)
    assert ecs_scene.stage.bounds() == {"blue": free, "green": parked}
    candidate_in_green(ecs_scene)
    assert ecs_scene.stage.bounds() == {"blue": free, "green": held}
    ecs_scene.target.apply(ShiftTraffic(Slot.GREEN, 10))
    assert ecs_scene.stage.bounds() == {"blue": held, "green": held}
    ecs_scene.target.apply(ShiftTraffic(Slot.GREEN, 100))
    assert ecs_scene.stage.bounds() == {"blue": held, "green": free}
    ecs_scene.target.apply(Drain(Slot.BLUE))
    assert ecs_scene.stage.bounds() == {"blue": parked, "green": free}


def test_a_task_out_of_memory_says_so(ecs_scene: EcsScene) -> None:
    """The memory limit is named as the cause, with the exit code it comes with."""
    ecs_scene.target.apply(Launch(Slot.GREEN, ecs_scene.release("fat", "eats"), 1))
    failure = ecs_scene.until(lambda s: s.green.failure is not None).green.failure
    assert failure is not None and failure.out_of_memory and failure.exit_code == 137
    assert failure.sentence().startswith("out of memory, exit code 137")


def test_a_task_that_answers_badly_says_so(ecs_scene: EcsScene) -> None:
    """A task the load balancer calls unhealthy has no exit code of its own, but ECS's reason."""
    ecs_scene.target.apply(Launch(Slot.GREEN, ecs_scene.release("sick", "sick"), 1))
    seen = ecs_scene.until(lambda s: s.green.failure is not None)
    failure = seen.green.failure
    assert failure is not None and failure.exit_code is None and seen.green.failed_tasks > 0
    assert "failed ELB health checks" in failure.stopped_reason and "arn:" not in failure.stopped_reason


def test_an_image_that_cannot_be_pulled_says_so(ecs_scene: EcsScene) -> None:
    """A task that never started tells ECS's reason, and has neither exit code nor log."""
    gone = ecs_scene.images.missing("gone", ecs_scene.stage.contract)
    ecs_scene.target.apply(Launch(Slot.GREEN, gone, 1))
    failure = ecs_scene.until(lambda s: s.green.failure is not None).green.failure
    assert failure is not None and failure.exit_code is None and failure.last_log_lines == ()
    assert "CannotPullContainerError" in failure.stopped_reason


def test_a_bad_update_in_place_is_put_back_by_ecs(ecs_scene: EcsScene) -> None:
    """In the slot that serves, ECS restores the old revision; traffic is answered throughout."""
    release = live_in_blue(ecs_scene)
    ecs_scene.target.apply(Launch(Slot.BLUE, ecs_scene.release("bad", "crashes"), 2))
    seen = ecs_scene.until(lambda s: s.blue.rolled_back)
    assert seen.blue.failed_tasks >= 3 and seen.blue.failure is not None and seen.blue.failure.exit_code == 1
    assert set(answers(ecs_scene, 50)) == {release.id}
    back = ecs_scene.until(lambda s: s.blue.settled and s.blue.serving)
    assert back.blue.release == release.id and not back.blue.failed and back.blue.failed_tasks == 0


def test_a_placeholder_that_fails_as_well_does_not_hide_the_release(ecs_scene: EcsScene) -> None:
    """In a slot that nothing ever ran in, ECS goes back to the placeholder of Terraform, which exits as well.

    Long after, with the release's deployment listed no more, the cause is still that of the release.
    """
    ecs_scene.target.apply(Launch(Slot.GREEN, ecs_scene.release("bad", "crashes"), 2))
    name = ecs_scene.stage.contract.services["green"]

    def given_up() -> bool:
        told = ecs_scene.stage.ecs.describe_services(cluster=ecs_scene.stage.name, services=[name])
        states = [(d["taskDefinition"], d["rolloutState"]) for d in told["services"][0]["deployments"]]
        return states == [(ecs_scene.stage.bootstrap, "FAILED")]

    ecs_scene.until(lambda _: given_up())
    green = ecs_scene.target.observe().green
    assert green.failed and green.rolled_back and green.failed_tasks >= 3
    assert green.failure is not None and green.failure.exit_code == 1
    assert "put back failed as well" in green.reason


def test_while_a_slot_changes_only_the_new_tasks_count(ecs_scene: EcsScene) -> None:
    """Healthy targets of the release a slot is leaving do not speak for the one that is coming."""
    live_in_blue(ecs_scene)
    candidate_in_green(ecs_scene, "b")
    ecs_scene.target.apply(Launch(Slot.GREEN, ecs_scene.release("sick", "sick"), 2))
    seen = ecs_scene.until(lambda s: s.green.failed_tasks > 0)
    assert seen.green.healthy == 0 and not seen.green.serving
    assert len(ecs_scene.stage.healthy("green")) == 2  # the old ones are still there


def test_something_else_in_a_slot_is_not_nothing(ecs_scene: EcsScene) -> None:
    """A revision that is not ours but runs has its own name, so that nobody takes its slot for empty."""
    ecs_scene.stage.ecs.update_service(
        cluster=ecs_scene.stage.name, service=ecs_scene.stage.contract.services["blue"], desiredCount=1
    )
    assert ecs_scene.target.observe().blue.release == f"{ecs_scene.stage.name}:1"


def test_a_missing_service_is_named(ecs_scene: EcsScene) -> None:
    """A service that was deleted is an error with its name, not an empty slot."""
    name = ecs_scene.stage.contract.services["green"]
    ecs_scene.stage.ecs.delete_service(cluster=ecs_scene.stage.name, service=name, force=True)
    gone = ecs_scene.stage.ecs.get_waiter("services_inactive")
    gone.wait(cluster=ecs_scene.stage.name, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    with pytest.raises(NotFoundError, match=name):
        ecs_scene.target.observe()


def test_silence_is_could_not_look(ecs_scene: EcsScene) -> None:
    """An endpoint that does not answer says nothing of the release."""
    target = EcsTarget(aws_that_does_not_answer(), ecs_scene.stage.contract, {})
    with pytest.raises(UnavailableError):
        target.observe()
