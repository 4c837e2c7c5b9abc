"""What the build half hands on: the source, the gates' results, the built and the pushed image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from delivery.core.release import Commit, Image


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """A commit as this service sees it. `tree` identifies the content of the service's paths only."""

    commit: Commit
    tree: str
    changed: tuple[str, ...] = ()


class GateStatus(StrEnum):
    """How a gate ended. `error` (could not judge) blocks like `failed`."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's outcome, its numbers (tests, failures, covered lines …) and its last output lines."""

    name: str
    status: GateStatus
    reason: str
    seconds: float
    numbers: Mapping[str, float] = field(default_factory=dict)
    output: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All gates of one commit. `reasons` says what stops it; empty means passed."""

    gates: tuple[GateResult, ...]
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Nothing stops the image."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """A local image: `image_id` is Docker's, `tag` the local name it can be found by."""

    image_id: str
    tag: str
    size: int
    seconds: float
    reused: bool = False


@dataclass(frozen=True, slots=True)
class ScanReport:
    """Findings per severity (upper case, as ECR counts them); `blocked` says why, if it does."""

    findings: Mapping[str, int] = field(default_factory=dict)
    status: str = "COMPLETE"
    blocked: str = ""


@dataclass(frozen=True, slots=True)
class PushedImage:
    """The image in the registry, scanned, with the labels read back from it."""

    image: Image
    tag: str
    pushed_at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    scan: ScanReport = ScanReport()
    reused: bool = False
