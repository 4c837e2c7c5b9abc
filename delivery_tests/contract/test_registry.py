"""The image registry, in memory and in ECR."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

import docker
import pytest

from delivery.adapters.aws.registry import EcrRegistry
from delivery.adapters.docker.push import Login, push
from delivery.core.build import BuiltImage
from delivery.core.release import Image
from delivery.core.service import ImageSpec
from delivery.errors import ConflictError, NotFoundError, UnavailableError
from delivery.ports import Registry
from delivery_tests.conftest import RunningSandbox, free_ports
from delivery_tests.contract.cloud import aws_of, aws_that_does_not_answer
from delivery_tests.contract.http import serving
from delivery_tests.fakes import FakeWorld


class FailingRegistry(BaseHTTPRequestHandler):
    """Says hello and nothing more."""

    def do_GET(self) -> None:
        """200 for `/v2/`, 503 for everything else."""
        self.send_response(200 if self.path == "/v2/" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Quietly."""


LABELS = {"org.opencontainers.image.revision": "a" * 40, "delivery.service": "web"}


def quiet(line: str) -> None:
    """Nobody listens."""


@dataclass
class Scene:
    """The port, an ECR repository of its own, and how to build a local image with these labels."""

    registry: Registry
    repository: str
    build: Callable[[Mapping[str, str]], BuiltImage]


class LocalImages:
    """Tiny local images, removed afterwards."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client, self.tags = client, list[str]()

    def build(self, labels: Mapping[str, str]) -> BuiltImage:
        """An image with nothing but these labels and a file of its own."""
        tag = f"delivery/test-registry:{uuid.uuid4().hex[:12]}"
        text = f"FROM scratch\nCOPY Dockerfile /{tag[-12:]}\n"
        image, _ = self._client.images.build(
            fileobj=io.BytesIO(text.encode()), tag=tag, labels=dict(labels), rm=True, custom_context=False
        )
        self.tags.append(tag)
        return BuiltImage(image.id, tag, 1, 0.0)

    def clear(self) -> None:
        """Remove them, pushed names included."""
        for tag in self.tags:
            self._client.images.remove(self._client.images.get(tag).id, force=True)


@pytest.fixture
def local_images(docker_client: docker.DockerClient, python_image: str) -> Iterator[LocalImages]:
    """Images of this test."""
    made = LocalImages(docker_client)
    yield made
    made.clear()


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """An empty repository."""
    if request.param == "fake":
        world = FakeWorld()
        folder = tmp_path_factory.mktemp("commit")

        def build(labels: Mapping[str, str]) -> BuiltImage:
            return world.builder.build(ImageSpec(), folder, uuid.uuid4().hex, labels, quiet)

        return Scene(world.registry, world.service.name, build)
    sandbox: RunningSandbox = request.getfixturevalue("sandbox")
    images: LocalImages = request.getfixturevalue("local_images")
    return Scene(EcrRegistry(aws_of(sandbox), pause=_never), new_repository(sandbox), images.build)


def new_repository(sandbox: RunningSandbox) -> str:
    """An ECR repository of its own."""
    name = f"contract-{uuid.uuid4().hex[:12]}"
    sandbox.client("ecr").create_repository(repositoryName=name)
    return name


def _never(seconds: float) -> None:
    raise AssertionError("the scan's findings were there at once")


def test_what_was_pushed_is_found_by_its_tag(scene: Scene) -> None:
    """The digest is the registry's; the labels come back from the image itself."""
    assert scene.registry.find(scene.repository, "v1") is None
    pushed = scene.registry.push(scene.build(LABELS), scene.repository, "v1", quiet)
    found = scene.registry.find(scene.repository, "v1")
    assert found is not None and found.image == pushed.image
    assert found.labels == LABELS == pushed.labels
    assert found.reused and not pushed.reused and found.pushed_at.tzinfo is not None


def test_pushing_again_is_safe(scene: Scene) -> None:
    """The same image under the same tag gives the same digest."""
    built = scene.build(LABELS)
    first = scene.registry.push(built, scene.repository, "v1", quiet)
    assert scene.registry.push(built, scene.repository, "v1", quiet).image == first.image


def test_images_are_told_apart(scene: Scene) -> None:
    """Another image, another digest; an unknown tag is nothing."""
    first = scene.registry.push(scene.build(LABELS), scene.repository, "v1", quiet)
    second = scene.registry.push(scene.build({**LABELS, "x": "y"}), scene.repository, "v2", quiet)
    assert first.image.digest != second.image.digest
    assert scene.registry.find(scene.repository, "v3") is None


def test_a_repository_that_does_not_exist_is_not_found(scene: Scene) -> None:
    """That is no empty answer: the hint says what makes it."""
    with pytest.raises(NotFoundError) as caught:
        scene.registry.find("no-such-repository", "v1")
    assert "registry stack" in caught.value.hint
    with pytest.raises(NotFoundError):
        scene.registry.push(scene.build(LABELS), "no-such-repository", "v1", quiet)


def test_existing_is_a_matter_of_the_digest(scene: Scene) -> None:
    """What was pushed exists; another digest of the same repository does not."""
    pushed = scene.registry.push(scene.build(LABELS), scene.repository, "v1", quiet)
    assert scene.registry.exists(pushed.image)
    assert not scene.registry.exists(Image(pushed.image.repository, "sha256:" + "0" * 64))


def test_a_clean_scan_finds_nothing(scene: Scene) -> None:
    """It was looked at, and nothing was found; twice in a row is no error."""
    pushed = scene.registry.push(scene.build(LABELS), scene.repository, "v1", quiet)
    for _ in range(2):
        report = scene.registry.scan(pushed.image, quiet)
        assert report.status == "COMPLETE" and not any(report.findings.values())
        assert report.blocked == ""  # what blocks is the flow's to say


@pytest.mark.sandbox
def test_the_digest_is_the_manifests(sandbox: RunningSandbox, local_images: LocalImages) -> None:
    """What we tell is what anybody pulls by digest from the registry."""
    repository = new_repository(sandbox)
    told: list[str] = []
    pushed = EcrRegistry(aws_of(sandbox)).push(local_images.build(LABELS), repository, "v1", told.append)
    listed = sandbox.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
    assert [detail["imageDigest"] for detail in listed] == [pushed.image.digest]
    assert pushed.image.repository == f"{sandbox.endpoints.registry}/{repository}"
    assert any("layer" in line for line in told) and told[-1].startswith("pushed ")


@pytest.mark.sandbox
def test_an_image_without_labels_has_none(sandbox: RunningSandbox, local_images: LocalImages) -> None:
    """No label is an empty answer, which the flow then refuses."""
    repository = new_repository(sandbox)
    pushed = EcrRegistry(aws_of(sandbox)).push(local_images.build({}), repository, "v1", quiet)
    assert pushed.labels == {}


@pytest.mark.sandbox
def test_a_tag_that_somebody_else_moves_is_a_conflict(
    sandbox: RunningSandbox, local_images: LocalImages
) -> None:
    """Another image takes the tag between our push and our look: we do not go on with theirs."""
    repository = new_repository(sandbox)
    aws = aws_of(sandbox)
    ours, theirs = local_images.build(LABELS), local_images.build({"x": "theirs"})

    class Rival(EcrRegistry):
        """Somebody pushes just before we look."""

        def find(self, repository: str, tag: str) -> Any:
            push(theirs.image_id, self._uri(repository), tag, self._login(), quiet)
            return super().find(repository, tag)

    with pytest.raises(ConflictError, match="somebody else"):
        Rival(aws).push(ours, repository, "v1", quiet)


@pytest.mark.sandbox
def test_a_dead_registry_is_unavailable_at_once(local_images: LocalImages) -> None:
    """Asked first, it is told in seconds, before Docker begins to retry; the password is not shown."""
    host = f"127.0.0.1:{free_ports(1)[0]}"
    login = Login(f"http://{host}", "AWS", "hunter2")
    with pytest.raises(UnavailableError, match="does not answer") as caught:
        push(local_images.build({}).image_id, f"{host}/web", "v1", login, quiet)
    assert "hunter2" not in str(caught.value) + repr(login)


@pytest.mark.sandbox
def test_a_registry_that_keeps_failing_is_given_up(local_images: LocalImages) -> None:
    """It answers, but takes nothing: the engine would go on for most of a minute, we do not."""
    with serving(FailingRegistry) as host, pytest.raises(UnavailableError, match="keeps failing"):
        login = Login(f"http://{host}", "AWS", "hunter2")
        push(local_images.build({}).image_id, f"{host}/web", "v1", login, quiet, retrying=0.5)


def test_ecr_that_does_not_answer_is_unavailable() -> None:
    """Could not look is never "there is none"."""
    registry = EcrRegistry(aws_that_does_not_answer())
    image = Image("127.0.0.1:1/web", "sha256:" + "0" * 64)
    for ask in (lambda: registry.find("web", "v1"), lambda: registry.exists(image)):
        with pytest.raises(UnavailableError):
            ask()
