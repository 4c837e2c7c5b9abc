"""ECS tasks, what is decided without Docker: the documentation as functions.

Pages: "Task definition parameters for Fargate", "Task size", "Container dependency", "Determine task health
using container health checks" in the ECS developer guide.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.sandbox.ecs.definition import ContainerSpec, container_spec
from delivery.sandbox.ecs.health import docker_check, health_of, task_health
from delivery.sandbox.ecs.namespace import pause_program
from delivery.sandbox.ecs.order import Progress, next_step, stop_levels
from delivery.sandbox.ecs.validation import FARGATE_SIZES, problem_of, units_of

# --- what RegisterTaskDefinition refuses --------------------------------------------

LOG = {"logDriver": "awslogs", "options": {"awslogs-group": "/g", "awslogs-region": "r"}}


def request(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The parameters of a registration that ECS accepts, with one container unless others are given."""
    usual = {
        "family": "app", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512", "executionRoleArn": "arn:aws:iam::1:role/x",
        "containerDefinitions": list(containers) or [{"name": "app", "image": "i"}],
    }  # fmt: skip
    return {k: v for k, v in {**usual, **more}.items() if v is not None}


def box(name: str = "app", **more: Any) -> dict[str, Any]:
    """One container definition."""
    return {"name": name, "image": "i", **more}


def test_what_the_product_sends_is_accepted() -> None:
    """A Fargate task with one container, logs and secrets is registered."""
    secret = {"name": "TOKEN", "valueFrom": "/token"}
    assert problem_of(request(box(logConfiguration=LOG, secrets=[secret], stopTimeout=30))) == ""


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (request(cpu="512", memory="512"), "No Fargate configuration exists for given values: 512 CPU, 512 "),
        (request(cpu=None), "Fargate requires that 'cpu' be defined at the task level."),
        (request(memory=None), "Fargate requires that 'memory' be defined at the task level."),
        (request(networkMode="bridge"), "Fargate only supports network mode"),
        (request(networkMode=None), "Fargate only supports network mode"),
        (request(family=""), "Family should not be null or empty."),
        (request({"name": "app"}), "Container.image should not be null or empty."),
        (request(box(), box()), "Container names must be unique"),
        (request(box(essential=False)), "Invalid 'essential' setting."),
        (request(box(cpu=200), box("b", cpu=100)), "The sum of all container 'cpu' values cannot be greater"),
        (request(box(memory=1024)), "The 'memory' setting for container must be less than or equal"),
        (request(box(logConfiguration={"logDriver": "awslogs"})), "Log driver awslogs requires options: aws"),
        (request(box(logConfiguration=LOG), executionRoleArn=None), "Fargate requires task definition to"),
        (request(box(stopTimeout=121)), "The stopTimeout value must be between 0 and 120"),
        (request(box(privileged=True)), "Fargate does not support privileged containers."),
        (
            request(box(portMappings=[{"containerPort": 80, "hostPort": 81}])),
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
        ),
        (
            request(box(), box("b", dependsOn=[{"containerName": "app", "condition": "SUCCESS"}])),
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        (request(box(healthCheck={"command": ["CMD", "x"], "interval": 4})), "Invalid healthCheck interval"),
        (
            request(box(environment=[{"name": "A"}], secrets=[{"name": "A", "valueFrom": "/a"}])),
            "The secret name must be unique",
        ),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused(asked: dict[str, Any], sentence: str) -> None:
    """Bad definitions are refused with ECS's own sentence, one at a time."""
    assert problem_of(asked).startswith(sentence)


def test_dependencies_name_containers_and_form_no_circle() -> None:
    """`dependsOn` of an unknown container and a circle are refused."""
    on = lambda name: [{"containerName": name, "condition": "START"}]  # noqa: E731
    assert "does not exist" in problem_of(request(box(dependsOn=on("nobody"))))
    assert "cycle" in problem_of(request(box("a", dependsOn=on("b")), box("b", dependsOn=on("a"))))


@pytest.mark.parametrize("cpu", sorted(FARGATE_SIZES))
def test_every_documented_size_is_accepted(cpu: int) -> None:
    """Each CPU value with the smallest and largest memory of its row; one MiB beside it is refused."""
    sizes = FARGATE_SIZES[cpu]
    for memory in (sizes[0], sizes[-1]):
        assert problem_of(request(cpu=str(cpu), memory=str(memory))) == ""
    assert "No Fargate configuration" in problem_of(request(cpu=str(cpu), memory=str(sizes[-1] + 1)))


@pytest.mark.parametrize(
    ("text", "units"), [("256", 256), (".25 vCPU", 256), ("1 vcpu", 1024), ("0.5 GB", 512), ("much", None)]
)
def test_sizes_may_be_written_in_words(text: str, units: int | None) -> None:
    """`1 vCPU` is 1024 units, `0.5 GB` are 512 MiB."""
    assert units_of(text) == units


# --- order ----------------------------------------------------------------------------


def needs(name: str, **on: str) -> ContainerSpec:
    """A container that depends on others by these conditions."""
    return ContainerSpec(name, "i", depends_on=tuple(on.items()))


UP, DONE, BAD = Progress(True), Progress(True, True, 0), Progress(True, True, 2)


@pytest.mark.parametrize(
    ("condition", "other", "starts"),
    [
        ("START", Progress(), False), ("START", UP, True),
        ("COMPLETE", UP, False), ("COMPLETE", BAD, True),
        ("SUCCESS", UP, False), ("SUCCESS", DONE, True), ("SUCCESS", BAD, False),
        ("HEALTHY", UP, False), ("HEALTHY", Progress(True, health="HEALTHY"), True),
        ("HEALTHY", Progress(True, health="UNHEALTHY"), False),
    ],
)  # fmt: skip
def test_conditions_of_a_dependency(condition: str, other: Progress, starts: bool) -> None:
    """START, COMPLETE (whatever the code), SUCCESS (code 0), HEALTHY."""
    step = next_step([needs("b"), needs("a", b=condition)], {"b": other})
    assert ("a" in step.start) is starts


def test_a_dependency_that_can_never_hold_is_told() -> None:
    """One that exited with a code, or exited before it was healthy, will not do any more."""
    assert "exit code 2" in next_step([needs("b"), needs("a", b="SUCCESS")], {"b": BAD}).hopeless
    assert "before it was healthy" in next_step([needs("b"), needs("a", b="HEALTHY")], {"b": DONE}).hopeless
    assert next_step([needs("b"), needs("a", b="HEALTHY")], {"b": UP}).hopeless == ""


def test_shutdown_reverses_the_dependencies() -> None:
    """Who depends on another stops before it; containers without order stop together."""
    specs = [needs("db"), needs("web", app="START"), needs("app", db="HEALTHY"), needs("side")]
    assert stop_levels(specs) == [["web", "side"], ["app"], ["db"]]


GRAPHS = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        *[st.sets(st.integers(0, i - 1), max_size=i) if i else st.just(set()) for i in range(n)]
    )
)


@given(GRAPHS)
def test_everything_starts_and_stops_once(graph: tuple[set[int], ...]) -> None:
    """Without a circle all containers start, each after those it needs, and stop in the opposite order."""
    specs = [needs(f"c{i}", **{f"c{j}": "START" for j in on}) for i, on in enumerate(graph)]
    seen: dict[str, Progress] = {}
    while True:
        step = next_step(specs, seen)
        if not step.start:
            break
        for name in step.start:
            assert all(f"c{j}" in seen for j in graph[int(name[1:])])
        seen |= dict.fromkeys(step.start, UP)
    assert not step.waiting and len(seen) == len(specs)
    gone: set[str] = set()
    for level in stop_levels(specs):
        assert not gone & set(level)
        for name in level:
            users = {f"c{i}" for i, on in enumerate(graph) if int(name[1:]) in on}
            assert users <= gone
        gone |= set(level)
    assert gone == set(seen)


# --- health ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("containers", "health"),
    [
        ([(True, True, "HEALTHY"), (False, True, "UNHEALTHY")], "HEALTHY"),
        ([(True, True, "HEALTHY"), (True, True, "UNKNOWN")], "UNKNOWN"),
        ([(True, True, "UNKNOWN"), (True, True, "UNHEALTHY")], "UNHEALTHY"),
        ([(True, False, "UNKNOWN")], "UNKNOWN"),
    ],
)
def test_a_tasks_health_is_that_of_its_essential_containers(
    containers: list[tuple[bool, bool, str]], health: str
) -> None:
    """One UNHEALTHY makes the task so; all must be HEALTHY; without any check it is UNKNOWN."""
    assert task_health(containers) == health


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 3 seconds (health: starting)", "UNKNOWN"), ("Up 3 seconds (healthy)", "HEALTHY"),
        ("Up 1 hour (unhealthy)", "UNHEALTHY"), ("Up 3 seconds", "UNKNOWN"),
        ("Exited (0) 1 s ago", "UNKNOWN"),
    ],
)  # fmt: skip
def test_health_is_dockers_own(status: str, health: str) -> None:
    """ECS tells what Docker's health check found."""
    assert health_of(status) == health


def test_times_of_a_health_check_are_aws_seconds() -> None:
    """Interval, timeout and start period shrink with the clock; defaults are 30 s, 5 s, 3 retries, none."""
    spec = container_spec(box(healthCheck={"command": ["CMD", "x"], "startPeriod": 60}))
    asked = docker_check(spec.health_check, lambda seconds: seconds / 20)
    assert asked == {
        "test": ["CMD", "x"], "retries": 3, "interval": 1_500_000_000, "timeout": 250_000_000,
        "start_period": 3_000_000_000,
    }  # fmt: skip
    assert docker_check(None, float) == {"test": ["NONE"]}


# --- network namespace ---


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_pause_program_is_an_elf(machine: str) -> None:
    """One loadable segment that starts behind the headers."""
    program = pause_program(machine)
    assert program.startswith(b"\x7fELF\x02\x01\x01") and len(program) < 200
