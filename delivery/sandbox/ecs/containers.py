"""Docker for the runner: pull, start, look, stop. Every call may take seconds; none holds moto's lock."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import Mount, Ulimit
from requests.exceptions import RequestException

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.config import SandboxConfig, SandboxError
from delivery.sandbox.ecs.definition import ContainerSpec, TaskSpec
from delivery.sandbox.ecs.health import docker_check, health_of
from delivery.sandbox.ecs.namespace import pause_image

TASK_LABEL = "delivery.sandbox.task"
CONTAINER_LABEL = "delivery.sandbox.container"
#: On the container that holds a task's network namespace, instead of TASK_LABEL.
NAMESPACE_LABEL = "delivery.sandbox.namespace"
#: An ECR repository under its name in AWS; the sandbox's registry has it, too.
_ECR = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/")


@dataclass(frozen=True, slots=True)
class Seen:
    """One container as Docker sees it now."""

    container_id: str
    task_arn: str
    running: bool
    health: str = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container ended, or that it did not."""

    exit_code: int | None
    out_of_memory: bool
    running: bool = False


class CannotStart(Exception):
    """The container could not be started; the message is what ECS would give as the stopped reason."""


def is_away(error: Exception) -> bool:
    """Whether nobody answered, so that nothing is known; Docker's refusals have classes of their own."""
    # A refusal (APIError) is both a DockerException and one of requests'.
    if isinstance(error, APIError):
        return False
    return isinstance(error, RequestException) or type(error) is DockerException


class Containers:
    """The tasks' containers of one sandbox, in a network of their own."""

    #: Whether the engine answers; False is the fault `docker stopped`.
    available = True

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        try:
            self._engine = docker.from_env(timeout=60)
            self._engine.ping()
        except DockerException as error:
            raise SandboxError(
                "The sandbox cannot run tasks",
                f"Docker does not answer ({error})",
                "Start the Docker engine, e.g. `systemctl start docker`, and try again.",
            ) from None
        if not self._docker.networks.list(names=[config.network]):
            self._docker.networks.create(config.network, driver="bridge", labels=config.labels)

    @property
    def _docker(self) -> docker.DockerClient:
        if not self.available:
            raise DockerException("Cannot connect to the Docker daemon. Is the docker daemon running?")
        return self._engine

    @property
    def client(self) -> docker.DockerClient:
        """The Docker client, for those who measure."""
        return self._docker

    # --- images -------------------------------------------------------------------

    def place_of(self, image: str) -> str:
        """The name under which Docker finds an image: those of ECR lie in the sandbox's registry."""
        return _ECR.sub(f"{self._config.endpoints.registry}/", image)

    def pull(self, image: str) -> str:
        """Have the image here; its digest, or nothing for one that was never in a registry.

        As on Fargate nothing is kept between tasks: what lies in the sandbox's registry is asked for again.
        """
        place = self.place_of(image)
        try:
            if not place.startswith(f"{self._config.endpoints.registry}/"):
                with contextlib.suppress(ImageNotFound):
                    return _digest(self._docker.images.get(place), place)
            return _digest(self._docker.images.pull(place), place)
        except (DockerException, RequestException) as error:
            if is_away(error):
                raise
            raise CannotStart(
                f"CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                f"failed to resolve ref {image}: {_short(error)}"
            ) from None

    # --- starting -----------------------------------------------------------------

    def namespace(self, task_arn: str) -> tuple[str, str]:
        """Start the container that holds a task's network namespace; its id and address."""
        labels = {**self._config.labels, NAMESPACE_LABEL: task_arn}
        made = self._create(
            pause_image(self._docker), entrypoint=["/pause"], labels=labels, network=self._config.network
        )
        return made, self.begin(made)

    def create(
        self,
        task_arn: str,
        task: TaskSpec,
        spec: ContainerSpec,
        secrets: Mapping[str, str],
        namespace: str = "",
    ) -> str:
        """Create one container of a task, in a namespace that another holds or in its own; its id."""
        own = {**self._config.labels, TASK_LABEL: task_arn, CONTAINER_LABEL: spec.name}
        memory = spec.memory or task.memory_bytes
        network = (
            {"network_mode": f"container:{namespace}"} if namespace else {"network": self._config.network}
        )
        return self._create(
            self.place_of(spec.image),
            command=list(spec.command) or None,
            entrypoint=list(spec.entrypoint) or None,
            environment={**dict(spec.environment), **secrets},
            working_dir=spec.working_directory or None,
            user=spec.user or None,
            labels={**dict(spec.labels), **own},
            mem_limit=memory,
            memswap_limit=memory,
            mem_reservation=spec.memory_reservation or None,
            nano_cpus=int(task.cores * 1e9),
            cpu_shares=max(2, spec.cpu) if spec.cpu else None,
            read_only=spec.read_only,
            init=spec.init or None,
            tmpfs=dict(spec.tmpfs) or None,
            ulimits=[Ulimit(name=n, soft=s, hard=h) for n, s, h in spec.ulimits] or None,
            mounts=[self._mount(task_arn, task, m) for m in spec.mounts],
            healthcheck=docker_check(spec.health_check, CLOCK.real),
            security_opt=["no-new-privileges"],
            **network,
        )

    def _create(self, image: str, **options: Any) -> str:
        try:
            return str(self._docker.containers.create(image, **options).id)
        except (DockerException, RequestException) as error:
            if is_away(error):
                raise
            raise CannotStart(f"CannotCreateContainerError: {_short(error)}") from None

    def _mount(self, task_arn: str, task: TaskSpec, mount: tuple[str, str, bool]) -> Mount:
        """A volume of the task. One that only a single container sees goes with that container."""
        volume, path, read_only = mount
        shared = sum(any(m[0] == volume for m in c.mounts) for c in task.containers) > 1
        source = self.volume(task_arn, volume) if shared else None
        return Mount(path, source, read_only=read_only, labels=self._config.labels)

    def volume(self, task_arn: str, volume: str) -> str:
        """Docker's name of a volume that containers of a task share."""
        return f"{self._config.network}-{task_arn.rsplit('/', 1)[-1]}-{volume}"

    def begin(self, container_id: str) -> str:
        """Start a created container; its address, empty when its network is another's."""
        try:
            self._docker.api.start(container_id)
            attrs = self._docker.api.inspect_container(container_id)
        except (DockerException, RequestException) as error:
            if is_away(error):
                raise
            self.remove(container_id)
            raise CannotStart(f"CannotStartContainerError: {_short(error)}") from None
        networks = attrs["NetworkSettings"]["Networks"] or {}
        return str((networks.get(self._config.network) or {}).get("IPAddress", ""))

    # --- looking ------------------------------------------------------------------

    def seen(self) -> dict[str, Seen]:
        """All task containers by id, running or not."""
        filters = {"label": [f"{k}={v}" for k, v in self._config.labels.items()]}
        found = self._docker.api.containers(all=True, filters=filters)
        return {
            c["Id"]: Seen(
                c["Id"], c["Labels"].get(TASK_LABEL, ""), c["State"] == "running", health_of(c["Status"])
            )
            for c in found
        }

    def ending(self, container_id: str) -> Ending:
        """How it ended; an unknown container ended without a code."""
        try:
            state = self._docker.api.inspect_container(container_id)["State"]
        except NotFound:
            return Ending(None, False)
        return Ending(state.get("ExitCode"), bool(state.get("OOMKilled")), bool(state.get("Running")))

    # --- stopping -----------------------------------------------------------------

    def stop(self, container_id: str, timeout: float) -> None:
        """The image's stop signal (SIGTERM), then SIGKILL after `timeout` AWS seconds."""
        with contextlib.suppress(NotFound):
            config = self._docker.api.inspect_container(container_id)["Config"]
            if not self._signal(container_id, config.get("StopSignal") or "SIGTERM", CLOCK.real(timeout)):
                self._signal(container_id, "SIGKILL", 60)

    def _signal(self, container_id: str, signal: str, seconds: float) -> bool:
        """Whether the container ended within so many (real) seconds of a signal."""
        try:
            self._docker.api.kill(container_id, signal)
        except NotFound:
            return True
        except APIError as error:
            if error.status_code == 409:  # it does not run any more
                return True
            raise
        try:
            self._docker.api.wait(container_id, timeout=max(0.05, seconds))  # type: ignore[arg-type]
        except RequestException:
            return False
        return True

    def remove(self, container_id: str) -> None:
        """Forget the container."""
        with contextlib.suppress(DockerException, RequestException):
            self._docker.api.remove_container(container_id, force=True, v=True)

    def remove_volume(self, name: str) -> None:
        """Forget a volume, if there is one."""
        with contextlib.suppress(DockerException, RequestException):
            self._docker.api.remove_volume(name, force=True)

    # --- logs ---------------------------------------------------------------------

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
                    _hand(raw, line)
        if rest:  # a last line without an end
            _hand(rest, line)


def _hand(raw: bytes, line: Callable[[datetime, str], None]) -> None:
    stamp, _, text = raw.decode(errors="replace").partition(" ")
    with contextlib.suppress(ValueError):
        line(_moment(stamp), text)


def _moment(stamp: str) -> datetime:
    """Docker's nanosecond timestamp, cut to what Python keeps."""
    return datetime.fromisoformat(stamp[:26].rstrip("Z") + "+00:00")


def _digest(image: Any, place: str) -> str:
    """The digest under which the image lies in the repository it was named from."""
    repository = place.partition("@")[0]
    if ":" in repository.rsplit("/", 1)[-1]:
        repository = repository.rpartition(":")[0]
    for name in image.attrs.get("RepoDigests") or ():
        found, _, digest = name.partition("@")
        if found == repository:
            return str(digest)
    return ""


def _short(error: Exception) -> str:
    explanation = getattr(error, "explanation", None) or str(error)
    return (str(explanation).strip().splitlines() or [type(error).__name__])[0][:300]
