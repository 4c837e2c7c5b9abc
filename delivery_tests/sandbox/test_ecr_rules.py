"""Amazon ECR's rules that need no sandbox: immutable tags, logins, lifecycle policies.

ECR user guide: "Preventing image tags from being overwritten", "Private registry authentication", "Lifecycle
policy parameters", "How lifecycle policies work".
"""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import pytest

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecr import images
from delivery.sandbox.ecr.lifecycle import Held, expired
from delivery.sandbox.ecr.login import Logins
from delivery_tests.sandbox.ecr_repository import rule


@pytest.mark.parametrize(
    ("setting", "filters", "tag", "expected"),
    [
        ("MUTABLE", [], "v1", False),
        ("IMMUTABLE", [], "v1", True),
        ("IMMUTABLE_WITH_EXCLUSION", ["latest*"], "latest-2", False),
        ("IMMUTABLE_WITH_EXCLUSION", ["latest*"], "v1", True),
        ("MUTABLE_WITH_EXCLUSION", ["v*"], "v1", True),
        ("MUTABLE_WITH_EXCLUSION", ["v*"], "latest", False),
    ],
)
def test_tags_are_mutable_by_setting_and_filter(
    setting: str, filters: list[str], tag: str, expected: bool
) -> None:
    """An exclusion filter turns the setting round for the tags it matches."""
    excluded = [{"filterType": "WILDCARD", "filter": f} for f in filters]
    repository: Any = SimpleNamespace(
        image_tag_mutability=setting, image_tag_mutability_exclusion_filters=excluded
    )
    assert images.immutable(repository, tag) == expected


def test_a_token_is_the_registrys_own_and_ends() -> None:
    """Valid for the user AWS until its end; not with another end, another signature or another registry's."""
    logins = Logins()

    def valid(user: str, password: str) -> bool:
        return logins.valid(f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}")

    token, end = logins.token()
    assert valid("AWS", token) and not valid("root", token)
    assert end - CLOCK.now() == pytest.approx(12 * 3600, abs=60)
    later, signature = int(end) + 1, token.partition(".")[2]
    for forged in (f"{later}.{signature}", token[:-1] + "x", Logins().token()[0], logins.token(life=-1)[0]):
        assert not valid("AWS", forged)


def test_a_lifecycle_policy_expires_by_count_and_age() -> None:
    """The first rule that selects an image decides; of too many the oldest go."""
    day = 86400.0
    held = [
        Held("old", ("v1",), 0), Held("mid", ("v2",), 8 * day), Held("new", ("v3", "prod"), 9 * day),
        Held("loose", (), 2 * day), Held("fresh", (), 9.5 * day),
    ]  # fmt: skip
    count = {"countType": "imageCountMoreThan", "countNumber": 1}
    age = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7}
    policy = {"rules": [rule(3, "any", **age), rule(1, "untagged", **age),
                        rule(2, "tagged", tagPrefixList=["v"], **count)]}  # fmt: skip
    assert expired(policy, held, 10 * day) == {"loose": 1, "mid": 2, "old": 2}
    both = {"rules": [rule(1, "tagged", tagPatternList=["v*", "prod"], **{**count, "countNumber": 0})]}
    assert expired(both, held, 10 * day) == {"new": 1}
