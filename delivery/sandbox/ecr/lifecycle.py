"""Lifecycle policies: which images they would expire. Pure; nothing is deleted by itself here.

Source: ECR user guide, "Lifecycle policy parameters", "How lifecycle policies work": rules by priority, an
image is expired by the first that matches it; what a rule of a higher priority keeps, no later one expires.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Held:
    """An image: its tags, and when it was pushed (seconds since the epoch)."""

    digest: str
    tags: tuple[str, ...]
    pushed: float


def expired(policy: Mapping[str, Any], images: Sequence[Held], now: float) -> dict[str, int]:
    """The digests the policy expires, each with the priority of the rule that does."""
    done: dict[str, int] = {}
    judged: set[str] = set()
    for rule in sorted(policy["rules"], key=lambda r: int(r["rulePriority"])):
        chosen = [i for i in images if i.digest not in judged and _selected(rule["selection"], i)]
        newest_first = sorted(chosen, key=lambda i: i.pushed, reverse=True)
        for image in _beyond(rule["selection"], newest_first, now):
            done[image.digest] = int(rule["rulePriority"])
        judged |= {i.digest for i in chosen}
    return done


def _selected(selection: Mapping[str, Any], image: Held) -> bool:
    """A tagged image must have a tag for every prefix or pattern of the list."""
    status = selection["tagStatus"]
    if status == "any":
        return True
    if status == "untagged" or not image.tags:
        return status == "untagged" and not image.tags
    patterns = [f"{p}*" for p in selection.get("tagPrefixList", ())]
    patterns += selection.get("tagPatternList", ())
    return all(any(fnmatch.fnmatchcase(t, p) for t in image.tags) for p in patterns)


def _beyond(selection: Mapping[str, Any], images: Sequence[Held], now: float) -> Sequence[Held]:
    """What is too many, or too old."""
    number = int(selection["countNumber"])
    if selection["countType"] == "imageCountMoreThan":
        return images[number:]
    return [i for i in images if now - i.pushed > number * DAY]
