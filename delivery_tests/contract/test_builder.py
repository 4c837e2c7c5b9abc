"""Images built from a folder, in memory and by the Docker engine."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from delivery.adapters.docker.builder import DockerBuilder
from delivery.core.service import ImageSpec
from delivery.errors import PrerequisiteError, RefusedError, UnavailableError
from delivery.ports import Builder
from delivery_tests.conftest import free_ports
from delivery_tests.fakes import FakeBuilder, Wire

SPEC = ImageSpec()
IN_WEB = ImageSpec("services/web", "services/web/Dockerfile")
GROUND = f"delivery/test-builder:{uuid.uuid4().hex[:12]}"


@dataclass
class Scene:
    """The port, a folder that builds, a tag nobody else uses."""

    builder: Builder
    folder: Path
    tag: str
    break_it: Callable[[], None]

    def build(self, **labels: str) -> str:
        """Build it; the image's id."""
        return self.builder.build(SPEC, self.folder, self.tag, labels, lambda line: None).image_id


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A folder whose Dockerfile is good."""
    tag = f"delivery/test-builder:{uuid.uuid4().hex[:12]}"
    if request.param == "fake":
        fake = FakeBuilder(Wire())

        def break_fake() -> None:
            fake.broken = "Step 2/2 : RUN exit 3 failed"

        yield Scene(fake, tmp_path, tag, break_fake)
        return
    image = request.getfixturevalue("python_image")
    client: docker.DockerClient = request.getfixturevalue("docker_client")
    dockerfile = tmp_path / "Dockerfile"
    (tmp_path / "app.py").write_text(f"# {tag}\n")
    dockerfile.write_text(f"FROM {image}\nCOPY app.py /app/\n")

    def break_it() -> None:
        dockerfile.write_text(
            f'FROM {image}\nLABEL {tag[-12:]}=x\nRUN ["python", "-c", "print(6 * 7); 1 / 0"]\n'
        )

    yield Scene(DockerBuilder(), tmp_path, tag, break_it)
    for found in client.images.list(filters={"reference": tag}):
        client.images.remove(found.id, force=True)


def test_what_was_built_is_found_by_its_tag(scene: Scene) -> None:
    """Before the build there is nothing; after it, the same image."""
    assert scene.builder.find(scene.tag) is None
    told: list[str] = []
    built = scene.builder.build(SPEC, scene.folder, scene.tag, {"a": "1"}, told.append)
    found = scene.builder.find(scene.tag)
    assert found is not None and (found.image_id, found.tag) == (built.image_id, scene.tag)
    assert found.reused and not built.reused and built.size > 0 and told


def test_other_labels_make_another_image(scene: Scene) -> None:
    """The commit's label is part of what is signed, so it is part of the image."""
    assert scene.build(commit="a") != scene.build(commit="b")


def test_a_broken_dockerfile_is_refused(scene: Scene) -> None:
    """The build's failure is the commit's, and its step is named; no image has the tag."""
    scene.break_it()
    with pytest.raises(RefusedError, match="Step") as caught:
        scene.build()
    assert "not built" in caught.value.what and caught.value.hint
    assert scene.builder.find(scene.tag) is None


@pytest.fixture
def ground(tmp_path: Path, python_image: str, docker_client: docker.DockerClient) -> Iterator[Path]:
    """A repository with a service in a folder of it."""
    service = tmp_path / "commit" / "services" / "web"
    service.mkdir(parents=True)
    (service / "app.py").write_text("print(1)\n")
    (service / "Dockerfile").write_text(f"FROM {python_image}\nCOPY app.py /app/\n")
    yield tmp_path / "commit"
    for found in docker_client.images.list(filters={"reference": GROUND}):
        docker_client.images.remove(found.id, force=True)


def build(spec: ImageSpec, folder: Path, tag: str = GROUND) -> list[str]:
    """Build it; what was told."""
    told: list[str] = []
    DockerBuilder().build(spec, folder, tag, {"revision": "abc"}, told.append)
    return told


@pytest.mark.sandbox
def test_the_last_lines_of_the_failing_step_are_shown(
    ground: Path, python_image: str, docker_client: docker.DockerClient
) -> None:
    """What the step printed is in the error, and no half-built container stays."""
    label = f"test-{uuid.uuid4().hex}"
    (ground / "services" / "web" / "Dockerfile").write_text(
        f'FROM {python_image}\nLABEL {label}=x\nRUN ["python", "-c", "print(6 * 7); 1 / 0"]\n'
    )
    with pytest.raises(RefusedError) as caught:
        build(IN_WEB, ground)
    assert caught.value.why.startswith("Step 3/") and "ZeroDivisionError" in caught.value.why
    assert "42" in caught.value.why
    assert docker_client.containers.list(all=True, filters={"label": label}) == []


@pytest.mark.sandbox
def test_context_and_dockerfile_are_relative_to_the_folder(
    ground: Path, docker_client: docker.DockerClient
) -> None:
    """A service in a folder of the repository; the labels are in the image, the steps are told."""
    told = build(IN_WEB, ground)
    assert any(line.startswith("Step 2/") for line in told)
    image = docker_client.images.get(GROUND)
    assert image.labels["revision"] == "abc"


@pytest.mark.sandbox
def test_build_arguments_reach_the_dockerfile(ground: Path, docker_client: docker.DockerClient) -> None:
    """The base image may be chosen by an argument."""
    web = ground / "services" / "web"
    base = (web / "Dockerfile").read_text().split()[1]
    (web / "Dockerfile").write_text("ARG BASE=nowhere.invalid/x\nFROM ${BASE}\nCOPY app.py /app/\n")
    build(ImageSpec("services/web", "services/web/Dockerfile", {"BASE": base}), ground)


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (ImageSpec("..", "services/web/Dockerfile"), "leads out"),
        (ImageSpec("/etc", "services/web/Dockerfile"), "leads out"),
        (ImageSpec("out", "services/web/Dockerfile"), "leads out"),
        (ImageSpec("services/web", "../../etc/passwd"), "leads out"),
        (ImageSpec("services/web", "nope/Dockerfile"), "no file nope/Dockerfile"),
    ],
)
def test_nothing_outside_of_the_commit_is_built(ground: Path, spec: ImageSpec, why: str) -> None:
    """Paths that leave the commit's files, also by a link, are refused before Docker is asked."""
    (ground / "out").symlink_to("/etc")
    with pytest.raises(RefusedError, match=why):
        build(spec, ground)


@pytest.mark.sandbox
def test_a_syntax_error_is_refused(ground: Path) -> None:
    """A Dockerfile that cannot be read is the commit's fault, too."""
    (ground / "services" / "web" / "Dockerfile").write_text("FORM scratch\n")
    with pytest.raises(RefusedError, match=r"(?i)unknown instruction"):
        build(IN_WEB, ground)


@pytest.mark.sandbox
def test_a_base_image_whose_registry_is_down_is_unavailable(ground: Path) -> None:
    """That says nothing of the commit: it may pass."""
    base = f"127.0.0.1:{free_ports(1)[0]}/base"
    (ground / "services" / "web" / "Dockerfile").write_text(f"FROM {base}\n")
    with pytest.raises(UnavailableError, match="FROM"):
        build(IN_WEB, ground)


def test_without_docker_it_says_how_to_start_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine is a missing prerequisite, with the next action."""
    monkeypatch.setitem(os.environ, "DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(PrerequisiteError, match="Docker engine does not answer") as caught:
        DockerBuilder().find("delivery/web:x")
    assert "systemctl start docker" in caught.value.hint
