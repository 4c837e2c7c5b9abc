"""Docker for the scheduler: start, look, stop. Every call may take seconds; none holds moto's lock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from delivery.sandbox.config import SandboxConfig, SandboxError
from delivery.sandbox.ecs.model import ContainerSpec

TASK_LABEL = "delivery.sandbox.task"


@dataclass(frozen=True, slots=True)
class Seen:
    """One container as Docker sees it now."""

    container_id: str
    task_arn: str
    running: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container ended."""

    exit_code: int | None
    out_of_memory: bool


class CannotStart(Exception):
    """The container could not be started; the message is what ECS would give as the stopped reason."""


class Containers:
    """The tasks' containers of one sandbox, in a network of their own."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        try:
            self._docker = docker.from_env(timeout=60)
            self._docker.ping()
        except DockerException as error:
            raise SandboxError(
                "The sandbox cannot run tasks",
                f"Docker does not answer ({error})",
                "Start the Docker engine, e.g. `systemctl start docker`, and try again.",
            ) from None
        if not self._docker.networks.list(names=[config.network]):
            self._docker.networks.create(config.network, driver="bridge", labels=config.labels)

    @property
    def client(self) -> docker.DockerClient:
        """The Docker client, for those who measure."""
        return self._docker

    def start(self, task_arn: str, spec: ContainerSpec) -> tuple[str, str]:
        """Run the container; its id and its address. CannotStart tells why not."""
        self._pull(spec.image)
        try:
            container = self._docker.containers.create(
                spec.image,
                command=list(spec.command) or None,
                entrypoint=list(spec.entrypoint) or None,
                environment=dict(spec.environment),
                user=spec.user or None,
                labels={**self._config.labels, TASK_LABEL: task_arn},
                network=self._config.network,
                mem_limit=spec.memory,
                memswap_limit=spec.memory,
                nano_cpus=int(spec.cores * 1e9),
                read_only=spec.read_only,
                security_opt=["no-new-privileges"],
            )
        except (APIError, DockerException) as error:
            raise CannotStart(f"CannotCreateContainerError: {_short(error)}") from None
        try:
            container.start()
            container.reload()
        except (APIError, DockerException) as error:
            container.remove(force=True)
            raise CannotStart(f"CannotStartContainerError: {_short(error)}") from None
        networks = container.attrs["NetworkSettings"]["Networks"]
        return str(container.id), str(networks[self._config.network]["IPAddress"])

    def _pull(self, image: str) -> None:
        try:
            self._docker.images.get(image)
            return
        except ImageNotFound:
            pass
        try:
            self._docker.images.pull(image)
        except (APIError, DockerException) as error:
            raise CannotStart(f"CannotPullContainerError: {_short(error)}") from None

    def seen(self) -> dict[str, Seen]:
        """All task containers by id, running or not."""
        filters = {"label": [f"{k}={v}" for k, v in self._config.labels.items()]}
        found = self._docker.api.containers(all=True, filters=filters)
        return {
            c["Id"]: Seen(c["Id"], c["Labels"].get(TASK_LABEL, ""), c["State"] == "running") for c in found
        }

    def ending(self, container_id: str) -> Ending:
        """How it ended; an unknown container ended without a code."""
        try:
            state = self._docker.api.inspect_container(container_id)["State"]
        except NotFound:
            return Ending(None, False)
        return Ending(state.get("ExitCode"), bool(state.get("OOMKilled")))

    def stop(self, container_id: str, timeout: int) -> None:
        """SIGTERM, then SIGKILL after `timeout` seconds."""
        with contextlib.suppress(NotFound):
            self._docker.api.stop(container_id, timeout=timeout)

    def remove(self, container_id: str) -> None:
        """Forget the container."""
        with contextlib.suppress(NotFound, APIError):
            self._docker.api.remove_container(container_id, force=True, v=True)

    def follow(self, container_id: str, line: Callable[[datetime, str], None]) -> threading.Thread:
        """Hand every line the container writes to `line`, from a thread that ends with the container."""
        reader = threading.Thread(target=self._follow, args=(container_id, line), daemon=True, name="logs")
        reader.start()
        return reader

    def _follow(self, container_id: str, line: Callable[[datetime, str], None]) -> None:
        rest = b""
        with contextlib.suppress(DockerException, OSError):
            stream = self._docker.api.logs(container_id, stream=True, follow=True, timestamps=True)
            for chunk in stream:
                *whole, rest = (rest + chunk).split(b"\n")
                for raw in whole:
                    stamp, _, text = raw.decode(errors="replace").partition(" ")
                    line(_moment(stamp), text)


def _moment(stamp: str) -> datetime:
    """Docker's nanosecond timestamp, cut to what Python keeps."""
    return datetime.fromisoformat(stamp[:26].rstrip("Z") + "+00:00")


def _short(error: Exception) -> str:
    explanation = getattr(error, "explanation", None) or str(error)
    return str(explanation).strip().splitlines()[0][:300]
