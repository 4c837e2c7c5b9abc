"""Scans that find what tests seeded, else nothing.

Source: ECR user guide, "Image scanning" (basic scanning, once per 24 hours); API reference, StartImageScan,
DescribeImageScanFindings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.ecr.models import Image, Repository

from delivery.sandbox.clock import CLOCK

#: AWS seconds until an image may be scanned again.
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Seed:
    """What scans of an image find, by severity; how they end, and after how many AWS seconds."""

    counts: dict[str, int] = field(default_factory=dict)
    status: str = "COMPLETE"
    seconds: float = 0.0


#: By image digest. What is not in it is scanned at once and found clean.
SEEDS: dict[str, Seed] = {}
_SAID = {"COMPLETE": "The scan was completed successfully.", "IN_PROGRESS": "The scan is in progress."}


def seed_findings(
    digest: str, counts: dict[str, int], status: str = "COMPLETE", seconds: float = 0.0
) -> None:
    """Make scans of an image find this: those to come, and the one that was made."""
    SEEDS[digest] = Seed(counts, status, seconds)


def start(image: Image) -> bool:
    """Begin a scan; False when there was one in the last 24 hours."""
    begun: float | None = getattr(image, "scan_began", None)
    if begun is not None and CLOCK.monotonic() - begun < DAY:
        return False
    image.scan_began, image.scanned_at = CLOCK.monotonic(), CLOCK.now()  # type: ignore[attr-defined]
    return True


def on_push(repository: Repository, image: Image) -> None:
    """The scan a repository with `scanOnPush` begins by itself."""
    configured: Any = repository.image_scanning_configuration or {}
    wanted = configured.get("scanOnPush")
    if wanted and "manifests" not in image.image_manifest:
        start(image)


def status(image: Image) -> dict[str, str] | None:
    """An ImageScanStatus; None for an image nobody scanned."""
    begun: float | None = getattr(image, "scan_began", None)
    if begun is None:
        return None
    seed = SEEDS.get(image.image_digest, Seed())
    name = seed.status if CLOCK.monotonic() - begun >= seed.seconds else "IN_PROGRESS"
    return {"status": name, "description": _SAID.get(name, "The scan could not be completed.")}


def findings(image: Image) -> dict[str, Any]:
    """ImageScanFindings of a scan that is complete."""
    counts = SEEDS.get(image.image_digest, Seed()).counts
    found = [
        {"name": f"CVE-2026-{number:04}", "severity": severity, "attributes": [],
         "description": "Seeded by a test.", "uri": "https://example.com"}
        for severity, count in counts.items() for number in range(count)
    ]  # fmt: skip
    at = image.scanned_at  # type: ignore[attr-defined]
    return {"findingSeverityCounts": counts, "findings": found, "imageScanCompletedAt": at,
            "vulnerabilitySourceUpdatedAt": at}  # fmt: skip
