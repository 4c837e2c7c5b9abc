"""The ECS scheduler's decisions, without a sandbox.

Sources, all in the ECS developer guide: "Deploy Amazon ECS services by replacing tasks", "Amazon ECS
services", "How the Amazon ECS deployment circuit breaker detects failures", "Amazon ECS service throttle
logic"; and "DeploymentConfiguration" in the ECS API reference.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.sandbox.ecs.plan import ServiceView, Stage, TaskView, backoff, breaker_threshold, next_moves

STARTING, SERVING, STOPPING = Stage.STARTING, Stage.SERVING, Stage.STOPPING


def task(name: str, revision: str = "new", stage: Stage = SERVING, unhealthy: bool = False) -> TaskView:
    """One living task."""
    return TaskView(name, revision, stage, unhealthy)


def old(count: int, **more: bool) -> list[TaskView]:
    """Serving tasks of the deployment that is being replaced."""
    return [TaskView(f"o{n}", "old", SERVING, **more) for n in range(count)]


def test_a_new_service_starts_all_its_tasks() -> None:
    """Nothing runs: the desired count is started."""
    assert next_moves(ServiceView("new", 3), []).start == 3


def test_old_tasks_stay_until_new_ones_serve() -> None:
    """Minimum 100 %: while the new task only starts, no serving old task is stopped."""
    moves = next_moves(ServiceView("new", 2), [*old(2), task("n1", stage=STARTING)])
    assert (moves.stop, moves.start) == ((), 1)


@pytest.mark.parametrize(
    ("desired", "minimum", "maximum", "stopped", "started"),
    [
        (4, 0, 100, 4, 0),  # everything is stopped first, then started
        (4, 50, 200, 2, 4),  # two may go, four may come
        (4, 100, 200, 0, 4),
        (3, 50, 100, 1, 0),  # 1.5 is rounded up to 2 healthy ones
        (3, 100, 150, 0, 1),  # 4.5 is rounded down to 4 tasks
        (5, 100, 120, 0, 1),
        (1, 0, 100, 1, 0),
        (7, 33, 133, 4, 2),
    ],
)
def test_the_percentages_say_how_many(
    desired: int, minimum: int, maximum: int, stopped: int, started: int
) -> None:
    """minimumHealthyPercent is rounded up, maximumPercent is rounded down."""
    moves = next_moves(ServiceView("new", desired, minimum, maximum), old(desired))
    assert (len(moves.stop), moves.start) == (stopped, started)


@pytest.mark.parametrize(
    ("desired", "minimum", "maximum"), [(2, 100, 100), (1, 100, 150), (1, 50, 100), (3, 67, 110)]
)
def test_a_configuration_that_allows_neither_is_stuck(desired: int, minimum: int, maximum: int) -> None:
    """When no task can be stopped and none started, the deployment cannot go on, and that is told."""
    moves = next_moves(ServiceView("new", desired, minimum, maximum), old(desired))
    assert (moves.start, moves.stop, moves.stuck) == (0, (), True)


def test_waiting_is_not_being_stuck() -> None:
    """While a new task starts, or an old one stops, there is room to come."""
    service = ServiceView("new", 2, 50, 100)
    assert not next_moves(service, [*old(1), task("n1", stage=STARTING)]).stuck
    assert not next_moves(service, [*old(2)[:1], task("o9", "old", STOPPING), task("n1")]).stuck


def test_a_settled_service_does_nothing() -> None:
    """Every task runs the newest revision and serves."""
    moves = next_moves(ServiceView("new", 2), [task("n1"), task("n2")])
    assert moves.settled and not moves.start and not moves.stop


def test_a_service_has_not_settled_while_old_connections_drain() -> None:
    """The old deployment is there until its last task has stopped."""
    moves = next_moves(ServiceView("new", 1), [task("n1"), task("o1", "old", STOPPING)])
    assert not moves.settled and not moves.start and not moves.stop


def test_a_replacement_is_started_before_an_unhealthy_task_is_stopped() -> None:
    """With room for it, the replacement comes first; the unhealthy task goes when it is healthy."""
    service, sick = ServiceView("new", 1), task("n1", unhealthy=True)
    moves = next_moves(service, [sick])
    assert (moves.start, moves.stop) == (1, ())
    assert next_moves(service, [sick, task("n2", stage=STARTING)]).stop == ()
    assert next_moves(service, [sick, task("n2")]).stop == ("n1",)


def test_without_room_unhealthy_tasks_are_stopped_one_by_one() -> None:
    """Maximum 100 %: one unhealthy task is stopped to make room for its replacement."""
    sick = [task("n1", unhealthy=True), task("n2", unhealthy=True)]
    assert next_moves(ServiceView("new", 2, 100, 100), sick).stop == ("n1",)
    one = [replace(sick[0], stage=STOPPING), sick[1]]
    assert next_moves(ServiceView("new", 2, 100, 100), one).start == 1


def test_a_task_that_never_became_healthy_is_stopped_at_once() -> None:
    """A new task that fails its health checks is no replacement for anything."""
    moves = next_moves(ServiceView("new", 1), [*old(1), task("n1", stage=STARTING, unhealthy=True)])
    assert (moves.stop, moves.start) == (("n1",), 0)


def test_unhealthy_old_tasks_do_not_count_and_go_first() -> None:
    """The minimum is of healthy tasks: an unhealthy old one keeps no healthy one alive."""
    tasks = [task("o0", "old", unhealthy=True), task("o1", "old"), task("n1")]
    assert next_moves(ServiceView("new", 2), tasks).stop == ("o0",)


def test_unhealthy_old_tasks_stay_while_there_is_nothing_better() -> None:
    """Below the minimum of healthy tasks, and with room for new ones, even unhealthy tasks are kept."""
    tasks = [*old(2, unhealthy=True), task("n1", stage=STARTING), task("n2", stage=STARTING)]
    assert next_moves(ServiceView("new", 2), tasks).stop == ()


def test_two_older_deployments_are_both_replaced() -> None:
    """A deployment in the middle of another: what only starts goes at once, what serves goes later."""
    tasks = [*old(2), task("m1", "middle", STARTING), task("m2", "middle")]
    moves = next_moves(ServiceView("new", 2), tasks)
    assert set(moves.stop) == {"m1", "o0"} and moves.start == 0


def test_scaling_in_during_a_rollout_keeps_to_the_new_count() -> None:
    """The percentages are of the desired count as it is now."""
    tasks = [*old(4), task("n1"), task("n2")]
    moves = next_moves(ServiceView("new", 2), tasks)
    assert set(moves.stop) == {"o0", "o1", "o2", "o3"} and moves.start == 0


def test_a_failed_deployment_moves_nothing() -> None:
    """FAILED launches no tasks, and the old ones are left alone, whatever the minimum."""
    service = ServiceView("new", 2, 0, 200, given_up=True)
    moves = next_moves(service, old(2))
    assert (moves.start, moves.stop) == (0, ())
    assert next_moves(replace(service, desired=1), [*old(2), task("n1", stage=STARTING)]).stop == ("n1", "o0")


def test_nothing_is_started_while_backing_off() -> None:
    """A service that is not startable waits, and goes on stopping."""
    moves = next_moves(ServiceView("new", 0, startable=False), [task("n1")])
    assert moves.start == 0 and moves.stop == ("n1",)


def test_protected_tasks_are_not_scaled_in() -> None:
    """UpdateTaskProtection: scaling in and deployments leave a protected task alone."""
    kept = TaskView("n1", "new", SERVING, protected=True)
    assert next_moves(ServiceView("new", 1), [kept, task("n2")]).stop == ("n2",)
    assert (
        next_moves(ServiceView("new", 1), [TaskView("o1", "old", SERVING, protected=True), task("n1")]).stop
        == ()
    )


STAGES = st.sampled_from([STARTING, SERVING, STOPPING])
TASKS = st.lists(
    st.builds(TaskView, st.uuids().map(str), st.sampled_from(["new", "old"]), STAGES, st.booleans()),
    max_size=12,
)


@given(st.integers(0, 6), st.integers(0, 100), st.integers(100, 200), TASKS)
def test_limits_hold_whatever_is_there(low: int, minimum: int, maximum: int, tasks: list[TaskView]) -> None:
    """No start goes above the maximum; stops of old tasks leave the minimum of healthy ones."""
    service = ServiceView("new", low, minimum, maximum)
    moves = next_moves(service, tasks)
    alive = [t for t in tasks if t.stage is not STOPPING]
    assert moves.start == 0 or len(alive) + moves.start <= service.ceiling
    healthy = [t for t in alive if t.stage is SERVING and not t.unhealthy]
    gone = [t for t in healthy if t.task_id in moves.stop and t.revision == "old"]
    assert not gone or len(healthy) - len(gone) >= service.floor


@given(
    st.integers(1, 6), st.integers(0, 100), st.integers(100, 200), st.lists(st.integers(0, 5), max_size=40)
)
def test_a_rollout_arrives_or_says_that_it_cannot(
    desired: int, minimum: int, maximum: int, order: list[int]
) -> None:
    """Whatever the percentages and whichever task is ready first: healthy tasks never fall below the
    minimum, tasks never pass the maximum, and in the end the service has settled or is stuck."""
    service, tasks = ServiceView("new", desired, minimum, maximum), old(desired)
    ready = iter(order)
    for turn in range(60):
        moves = next_moves(service, tasks)
        if moves.settled or moves.stuck:
            break
        tasks = [t for t in tasks if t.task_id not in moves.stop]
        tasks += [task(f"n{turn}-{n}", stage=STARTING) for n in range(moves.start)]
        assert len(tasks) <= max(service.ceiling, desired)
        assert sum(t.stage is SERVING for t in tasks) >= min(service.floor, desired)
        starting = [t for t in tasks if t.stage is STARTING]
        if starting:
            chosen = starting[next(ready, 0) % len(starting)]
            tasks = [replace(t, stage=SERVING) if t is chosen else t for t in tasks]
    assert moves.settled or (moves.stuck and service.floor == desired == service.ceiling)


@pytest.mark.parametrize(("desired", "failed"), [(1, 3), (6, 3), (20, 10), (25, 13), (1000, 200)])
def test_the_breakers_threshold(desired: int, failed: int) -> None:
    """Half the desired count, at least 3 and at most 200."""
    assert breaker_threshold(desired) == failed


@pytest.mark.parametrize(
    ("kind", "value", "desired", "failed"),
    [("COUNT", 2, 50, 2), ("BOUNDED_PERCENT", 10, 10, 3), ("BOUNDED_PERCENT", 100, 500, 200),
     ("UNBOUNDED_PERCENT", 10, 10, 1), ("UNBOUNDED_PERCENT", 100, 500, 500)],
)  # fmt: skip
def test_the_breakers_threshold_can_be_configured(kind: str, value: int, desired: int, failed: int) -> None:
    """thresholdConfiguration: a number of tasks, or a percentage with the bounds or without."""
    assert breaker_threshold(desired, {"type": kind, "value": value}) == failed


def test_restarts_are_throttled() -> None:
    """The first failures restart at once, later ones wait longer and longer, up to 27 minutes."""
    waits = [backoff(n) for n in range(40)]
    assert waits[:3] == [0, 0, 0] and waits == sorted(waits) and waits[-1] == 1620
