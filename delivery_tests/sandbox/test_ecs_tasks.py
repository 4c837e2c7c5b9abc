"""ECS tasks with real containers.

Pages: "Task definition parameters for Fargate", "Amazon ECS task lifecycle", "Stopped tasks error codes",
"Determine task health using container health checks", "Pass sensitive data to an Amazon ECS container", "Send
Amazon ECS logs to CloudWatch", "Amazon ECS task state change events" in the ECS developer guide. The clock
runs twenty times as fast: an interval of 5 s passes in a quarter of a second.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from delivery.sandbox.ecs.namespace import pause_image
from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import Stack, eventually, messages

pytestmark = pytest.mark.sandbox

ROLE = "arn:aws:iam::123456789012:role/execution"
#: What asks the program on the same host whether it is well.
ASK = "import urllib.request as u; assert u.urlopen('http://127.0.0.1:8080/health').read() == b'app'"
LIFECYCLE = [
    "PROVISIONING", "PENDING", "ACTIVATING", "RUNNING",
    "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED",
]  # fmt: skip
WAITS = "import time\nwhile True: time.sleep(60)"


def python(code: str, name: str = "app", **more: Any) -> dict[str, Any]:
    """A container that runs this, with its output in the stack's log group."""
    return {"name": name, "command": ["python", "-c", code], **more}


class Tasks:
    """One-off tasks in a stack, made with plain boto3 calls."""

    def __init__(self, stack: Stack, image: str) -> None:
        self.stack, self.ecs, self.image = stack, stack.ecs, image
        self.network = {"awsvpcConfiguration": {"subnets": stack.subnets}}

    def define(self, *containers: dict[str, Any], **more: Any) -> str:
        """Register a task definition of these containers; its ARN."""
        options = {"awslogs-group": f"/ecs/{self.stack.name}", "awslogs-region": "us-east-1",
                   "awslogs-stream-prefix": "t"}  # fmt: skip
        log = {"logDriver": "awslogs", "options": options}
        made = self.ecs.register_task_definition(
            **{
                "family": f"{self.stack.name}-task", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
                "requiresCompatibilities": ["FARGATE"], "executionRoleArn": ROLE,
                "containerDefinitions": [
                    {"image": self.image, "logConfiguration": log, **c} for c in containers
                ],
                **more,
            }
        )  # fmt: skip
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def start(self, definition: str, **more: Any) -> str:
        """Run one task; its ARN."""
        made = self.ecs.run_task(
            cluster=self.stack.name, taskDefinition=definition, launchType="FARGATE",
            networkConfiguration=self.network, **more,
        )  # fmt: skip
        return str(made["tasks"][0]["taskArn"])

    def look(self, arn: str) -> dict[str, Any]:
        """The task as DescribeTasks shows it."""
        return dict(self.ecs.describe_tasks(cluster=self.stack.name, tasks=[arn])["tasks"][0])

    def until(self, arn: str, status: str) -> dict[str, Any]:
        """The task once it has that last status."""
        return eventually(lambda: self.look(arn), lambda t: t["lastStatus"] == status)

    def ended(self, *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The task of these containers, run to its end."""
        return self.until(self.start(self.define(*containers), **more), "STOPPED")

    def lines(self, arn: str, container: str = "app") -> list[tuple[int, str]]:
        """Times and texts of a container's log."""
        stream = f"t/{container}/{arn.rsplit('/', 1)[1]}"
        found = self.stack.logs.get_log_events(
            logGroupName=f"/ecs/{self.stack.name}", logStreamName=stream, startFromHead=True
        )
        return [(e["timestamp"], e["message"]) for e in found["events"]]


@pytest.fixture(scope="module")
def tasks(compressed: RunningSandbox, app_image: str) -> Iterator[Tasks]:
    """A stack without services, shared by the tests of this module."""
    stack = Stack(compressed, app_image)
    yield Tasks(stack, app_image)
    stack.close()


def part(task: dict[str, Any], name: str) -> dict[str, Any]:
    """One container of a task."""
    return next(c for c in task["containers"] if c["name"] == name)


def test_containers_share_localhost_and_wait_for_each_other(tasks: Tasks) -> None:
    """One that needs another HEALTHY starts then, and reaches it on localhost; the task outlives it."""
    check = {"command": ["CMD", "python", "-c", ASK], "interval": 5, "timeout": 60, "retries": 3}
    after = [{"containerName": "app", "condition": "HEALTHY"}]
    arn = tasks.start(
        tasks.define(
            {"name": "app", "healthCheck": check}, python(ASK, "asker", essential=False, dependsOn=after)
        )
    )
    task = eventually(lambda: tasks.look(arn), lambda t: part(t, "asker").get("exitCode") is not None)
    assert (part(task, "asker")["exitCode"], part(task, "asker")["lastStatus"]) == (0, "STOPPED")
    assert (task["lastStatus"], task["healthStatus"]) == ("RUNNING", "HEALTHY")
    addresses = {c["networkInterfaces"][0]["privateIpv4Address"] for c in task["containers"]}
    assert len(addresses) == 1
    tasks.ecs.stop_task(cluster=tasks.stack.name, task=arn)
    assert tasks.until(arn, "STOPPED")["stopCode"] == "UserInitiated"


def test_shutdown_goes_against_the_dependencies(tasks: Tasks) -> None:
    """`web` needs `db`: SIGTERM reaches `web` first. Who ignores it is killed after its stopTimeout: 137."""
    polite = (
        "import signal,sys,time\nsignal.signal(15, lambda *_: (print('bye'), sys.exit(0)))\nprint('up')\n"
    )
    deaf = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\n"
    on = [{"containerName": "db", "condition": "START"}]
    definition = tasks.define(
        python(polite + WAITS, "db"), python(polite + WAITS, "web", dependsOn=on),
        python(deaf + WAITS, "deaf", dependsOn=on, stopTimeout=10),
    )  # fmt: skip
    arn = tasks.start(definition)
    tasks.until(arn, "RUNNING")
    for name in ("db", "web", "deaf"):
        eventually(lambda n=name: tasks.lines(arn, n))  # type: ignore[misc]
    tasks.ecs.stop_task(cluster=tasks.stack.name, task=arn, reason="enough")
    task = tasks.until(arn, "STOPPED")
    assert [part(task, n)["exitCode"] for n in ("web", "db", "deaf")] == [0, 0, 137]
    said = {n: tasks.lines(arn, n)[-1] for n in ("web", "db")}
    assert said["web"][0] < said["db"][0] and {t for _, t in said.values()} == {"bye"}
    times = [task[n] for n in ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt",
                               "executionStoppedAt", "stoppedAt")]  # fmt: skip
    assert times == sorted(times)
    assert (task["stoppedReason"], task["desiredStatus"]) == ("enough", "STOPPED")


def test_an_essential_container_takes_the_task_with_it(tasks: Tasks) -> None:
    """EssentialContainerExited, with the exit code of the one that ended; its neighbour is stopped."""
    task = tasks.ended(python("raise SystemExit(3)"), {"name": "server"})
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited", "Essential container in task exited",
    )  # fmt: skip
    assert part(task, "app")["exitCode"] == 3 and part(task, "server")["lastStatus"] == "STOPPED"


def test_a_dependency_that_fails_stops_the_task(tasks: Tasks) -> None:
    """A container that needs another's SUCCESS is never started when that one exits with a code."""
    on = [{"containerName": "init", "condition": "SUCCESS"}]
    task = tasks.ended(
        python("raise SystemExit(2)", "init", essential=False), {"name": "app", "dependsOn": on}
    )
    assert task["stopCode"] == "TaskFailedToStart"
    assert part(task, "init")["exitCode"] == 2 and "exitCode" not in part(task, "app")


def test_memory_is_a_hard_limit(tasks: Tasks) -> None:
    """A container above its `memory` is killed: 137, OutOfMemoryError."""
    task = tasks.ended(python("x = bytearray(300 * 2**20)\nprint(len(x))", memory=64))
    assert part(task, "app")["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert part(task, "app")["exitCode"] == 137


def test_a_container_runs_as_its_definition_says(tasks: Tasks) -> None:
    """entryPoint, command, environment, user, workingDirectory, read-only root, ulimits, volumes, init."""
    code = (
        "import os,resource,sys\n"
        "assert (os.getcwd(), os.getuid(), os.environ['A']) == ('/tmp', 1000, 'b')\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (77, 99)\n"
        "assert sys.argv[1:] == ['word'] and os.getpid() != 1\n"
        "try: open('/app/x', 'w'); sys.exit(9)\n"
        "except OSError: pass\n"
        "print(open('/shared/x').read())\n"
    )
    mount = [{"sourceVolume": "v", "containerPath": "/shared"}]
    definition = tasks.define(
        python("open('/shared/x', 'w').write('hello')", "writer", essential=False, mountPoints=mount),
        {
            "name": "app", "entryPoint": ["python", "-c", code], "command": ["word"], "user": "1000",
            "workingDirectory": "/tmp", "environment": [{"name": "A", "value": "b"}], "mountPoints": mount,
            "readonlyRootFilesystem": True, "linuxParameters": {"initProcessEnabled": True},
            "ulimits": [{"name": "nofile", "softLimit": 77, "hardLimit": 99}],
            "dependsOn": [{"containerName": "writer", "condition": "SUCCESS"}],
        },
        volumes=[{"name": "v"}],
    )  # fmt: skip
    arn = tasks.start(definition)
    assert part(tasks.until(arn, "STOPPED"), "app")["exitCode"] == 0, tasks.lines(arn)
    assert [text for _, text in tasks.lines(arn)] == ["hello"]


def test_secrets_arrive_and_are_never_shown(tasks: Tasks, docker_client: docker.DockerClient) -> None:
    """A parameter, a whole secret and a json key of one; neither DescribeTasks nor a label holds a value."""
    client, name = tasks.stack.sandbox.client, tasks.stack.name
    client("ssm").put_parameter(Name=f"/{name}/token", Value="hush-1", Type="SecureString")
    secret = client("secretsmanager").create_secret(Name=name, SecretString=json.dumps({"key": "hush-2"}))[
        "ARN"
    ]
    secrets = [
        {"name": "P", "valueFrom": f"/{name}/token"}, {"name": "S", "valueFrom": secret},
        {"name": "K", "valueFrom": f"{secret}:key::"},
    ]  # fmt: skip
    code = (
        "import os\nassert [os.environ[n] for n in 'PSK'] == ['hush-1', '{\"key\": \"hush-2\"}', 'hush-2']\n"
    )
    arn = tasks.start(tasks.define(python(code + "print('good')\n" + WAITS, secrets=secrets)))
    eventually(lambda: [t for _, t in tasks.lines(arn)] == ["good"])
    (container,) = docker_client.containers.list(filters={"label": f"delivery.sandbox.task={arn}"})
    log = (tasks.stack.sandbox.config.state_dir / "sandbox.log").read_text()
    for place in (json.dumps(tasks.look(arn), default=str), json.dumps(container.labels), log):
        assert "hush" not in place
    tasks.ecs.stop_task(cluster=name, task=arn)


def test_a_missing_secret_fails_the_start(tasks: Tasks) -> None:
    """TaskFailedToStart with ResourceInitializationError; nothing ran, so there is no exit code."""
    task = tasks.ended(python("", secrets=[{"name": "X", "valueFrom": "/nobody/has/this"}]))
    assert task["stopCode"] == "TaskFailedToStart" and "startedAt" not in task
    assert task["stoppedReason"].startswith(
        "ResourceInitializationError: unable to pull secrets or registry auth"
    )
    assert "exitCode" not in part(task, "app")


def test_log_groups_must_exist_or_be_asked_for(tasks: Tasks) -> None:
    """Without its group the task fails to start; `awslogs-create-group` makes it."""
    name = f"/new/{tasks.stack.name}"
    options = {"awslogs-group": name, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    broken = python("print('hello')", logConfiguration={"logDriver": "awslogs", "options": options})
    task = tasks.ended(broken)
    assert task["stopCode"] == "TaskFailedToStart"
    assert "The specified log group does not exist" in task["stoppedReason"]
    log = {"logDriver": "awslogs", "options": {**options, "awslogs-create-group": "true"}}
    tasks.ended(python("print('hello')", logConfiguration=log))
    events = tasks.stack.logs.filter_log_events(logGroupName=name)["events"]
    assert [e["message"] for e in events] == ["hello"]


def test_images_come_from_the_registry_by_tag_or_digest(
    tasks: Tasks, docker_client: docker.DockerClient
) -> None:
    """What was pushed is pulled, its digest is told; an unknown tag is a CannotPullContainerError."""
    repository = f"{tasks.stack.sandbox.endpoints.registry}/{tasks.stack.name}"
    ecr = tasks.stack.sandbox.client("ecr")
    ecr.create_repository(repositoryName=tasks.stack.name)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    login = dict(zip(("username", "password"), b64decode(token).decode().split(":", 1), strict=True))
    docker_client.images.get(pause_image(docker_client)).tag(repository, "one")
    pushed = docker_client.images.push(repository, "one", stream=True, decode=True, auth_config=login)
    digest = next(line["aux"]["Digest"] for line in pushed if "aux" in line)
    for image in (f"{repository}@{digest}", f"{repository}:one"):
        arn = tasks.start(tasks.define({"name": "app", "image": image, "entryPoint": ["/pause"]}))
        assert part(tasks.until(arn, "RUNNING"), "app")["imageDigest"] == digest
        tasks.ecs.stop_task(cluster=tasks.stack.name, task=arn)
    task = tasks.ended(python("", image=f"{repository}:two"))
    assert (task["stopCode"], "exitCode" in part(task, "app")) == ("TaskFailedToStart", False)
    assert task["stoppedReason"].startswith("CannotPullContainerError: pull image manifest has been retried")


def test_every_change_of_a_task_is_an_event(tasks: Tasks) -> None:
    """ "ECS Task State Change" tells each last status in its order, and the task's fields."""
    client, name = tasks.stack.sandbox.client, tasks.stack.name
    sqs, events = client("sqs"), client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"startedBy": [name]},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue}])
    arn = tasks.ended(python("raise SystemExit(4)"), startedBy=name)["taskArn"]
    told: list[dict[str, Any]] = []

    def collect() -> list[dict[str, Any]]:
        told.extend(json.loads(m["Body"])["detail"] for m in messages(sqs, url))
        return told

    eventually(collect, lambda all: len({d["lastStatus"] for d in all}) == len(LIFECYCLE))
    told.sort(key=lambda d: d["version"])
    assert list(dict.fromkeys(d["lastStatus"] for d in told)) == LIFECYCLE
    assert told[-1]["taskArn"] == arn and told[-1]["containers"][0]["exitCode"] == 4
