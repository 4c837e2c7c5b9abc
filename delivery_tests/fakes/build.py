"""Gates, builder, registry and signer in memory."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from delivery.core.attestation import Signature
from delivery.core.build import BuiltImage, GateResult, GateStatus, PushedImage, ScanReport
from delivery.core.release import Image
from delivery.core.service import GateSpec, ImageSpec
from delivery.errors import NotFoundError, RefusedError
from delivery.ports import Progress
from delivery_tests.fakes.clock import VirtualClock
from delivery_tests.fakes.samples import REPOSITORY_URL
from delivery_tests.fakes.wire import Wire


class FakeGates:
    """`results` by gate name; what is not named passes."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.results: dict[str, GateResult] = {}

    def fail(self, name: str, reason: str, status: GateStatus = GateStatus.FAILED) -> None:
        """That gate comes out so from now on."""
        self.results[name] = GateResult(name, status, reason, 1.0, output=(reason,))

    def run(self, gate: GateSpec, folder: Path, progress: Progress) -> GateResult:
        """The gate's result."""
        with self._wire.call("gates.run"):
            assert folder.is_dir()
            progress(f"{gate.name}: running")
            numbers = {"coverage": 91.0, "tests": 12.0} if gate.coverage else {}
            passed = GateResult(gate.name, GateStatus.PASSED, "passed", 1.0, numbers)
            return self.results.get(gate.name, passed)


class FakeBuilder:
    """Local images by tag; `broken` makes every build fail so; `forget()` is another machine."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.broken = ""
        self.images: dict[str, tuple[BuiltImage, dict[str, str]]] = {}

    def build(
        self, spec: ImageSpec, folder: Path, tag: str, labels: Mapping[str, str], progress: Progress
    ) -> BuiltImage:
        """Build and tag."""
        with self._wire.call("builder.build"):
            assert folder.is_dir()
            if self.broken:
                raise RefusedError("The image was not built", self.broken, "Mend the Dockerfile.")
            image_id = "sha256:" + hashlib.sha256(f"{tag}{sorted(labels.items())}".encode()).hexdigest()
            built = BuiltImage(image_id, tag, 35_000_000, 1.8)
            self.images[tag] = (built, dict(labels))
            progress(f"built {tag}")
            return built

    def find(self, tag: str) -> BuiltImage | None:
        """The local image."""
        with self._wire.call("builder.find"):
            kept = self.images.get(tag)
            return replace(kept[0], reused=True) if kept else None

    def forget(self) -> None:
        """As if on another machine."""
        self.images.clear()


class FakeRegistry:
    """One ECR repository. `findings` by digest; `remove` deletes an image."""

    def __init__(
        self, wire: Wire, clock: VirtualClock, builder: FakeBuilder, repository: str = "web"
    ) -> None:
        self._wire, self._clock, self._builder = wire, clock, builder
        self.repositories = {repository}
        self.images: dict[tuple[str, str], PushedImage] = {}
        self.findings: dict[str, Mapping[str, int]] = {}
        self.removed: set[str] = set()

    def find(self, repository: str, tag: str) -> PushedImage | None:
        """The image under this tag."""
        with self._wire.call("registry.find"):
            self._check(repository)
            kept = self.images.get((repository, tag))
            return replace(kept, reused=True) if kept and kept.image.digest not in self.removed else None

    def push(self, built: BuiltImage, repository: str, tag: str, progress: Progress) -> PushedImage:
        """Push the local image."""
        with self._wire.call("registry.push"):
            self._check(repository)
            _, labels = self._builder.images[built.tag]
            image = Image(REPOSITORY_URL, "sha256:" + hashlib.sha256(built.image_id.encode()).hexdigest())
            pushed = PushedImage(image, tag, self._clock.now(), labels)
            self.images[(repository, tag)] = pushed
            progress(f"pushed {image.reference}")
            return pushed

    def seed(self, pushed: PushedImage, repository: str = "web") -> None:
        """As if it had been pushed."""
        self.images[(repository, pushed.tag)] = pushed

    def scan(self, image: Image, progress: Progress) -> ScanReport:
        """The findings."""
        with self._wire.call("registry.scan"):
            return ScanReport(self.findings.get(image.digest, {}))

    def exists(self, image: Image) -> bool:
        """Whether it has the digest."""
        with self._wire.call("registry.exists"):
            known = {pushed.image.digest for pushed in self.images.values()}
            return image.digest in known - self.removed

    def remove(self, image: Image) -> None:
        """The lifecycle policy took it."""
        self.removed.add(image.digest)

    def _check(self, repository: str) -> None:
        if repository not in self.repositories:
            raise NotFoundError(
                f"The repository {repository} does not exist",
                "ECR does not know it",
                "Apply the registry stack.",
            )


class FakeSigner:
    """Signs with a secret of its own."""

    def __init__(self, wire: Wire, secret: bytes = b"secret") -> None:
        self._wire, self.secret = wire, secret

    def sign(self, payload: bytes) -> Signature:
        """Sign."""
        with self._wire.call("signer.sign"):
            return Signature("alias/fake", self._value(payload))

    def verify(self, payload: bytes, signature: Signature) -> bool:
        """Whether it is ours."""
        with self._wire.call("signer.verify"):
            return hmac.compare_digest(signature.value.encode(), self._value(payload).encode())

    def _value(self, payload: bytes) -> str:
        return base64.b64encode(hmac.digest(self.secret, payload, "sha256")).decode()
