"""A release as a task definition, and the bounds of a slot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.adapters.ecs.capacity import bounds_for
from delivery.adapters.ecs.task_definition import container, registration
from delivery_tests.fakes import sample_contract, sample_release

RELEASE = sample_release("a")


def test_the_reviewed_template_is_kept() -> None:
    """What Terraform reviewed comes back unchanged; image, environment and label are all that is added."""
    contract = sample_contract()
    made = container(contract, RELEASE, {})
    assert {k: made[k] for k in contract.task_template} == dict(contract.task_template)
    assert set(made) - set(contract.task_template) == {"image", "environment", "dockerLabels"}
    assert made["image"] == RELEASE.image.reference


def test_variables_win_over_the_template_but_not_over_the_release() -> None:
    """The installation's variables replace the template's; nobody gives a release another name."""
    template = {"name": "app", "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}
    contract = replace(sample_contract(), task_template=template)
    made = container(contract, RELEASE, {"B": "2", "DELIVERY_RELEASE": "forged"})
    environment = {e["name"]: e["value"] for e in made["environment"]}
    assert environment == {
        "A": "1", "B": "2", "DELIVERY_RELEASE": RELEASE.id, "DELIVERY_COMMIT": RELEASE.commit,
    }  # fmt: skip
    assert len(made["environment"]) == len(environment)


def test_a_registration_is_named_by_its_release() -> None:
    """Family, size and roles are the contract's; the tags are the release's."""
    contract = sample_contract()
    made = registration(contract, RELEASE, {})
    assert (made["family"], made["cpu"], made["memory"]) == (contract.task_family, "256", "512")
    assert {t["key"]: t["value"] for t in made["tags"]}["delivery:release"] == RELEASE.id


@pytest.mark.parametrize(
    ("weight", "count", "bounds"),
    [
        (100, 3, (2, 6)),
        (50, 3, (3, 6)),
        (0, 3, (3, 6)),
        (0, 1, (2, 6)),
        (10, 8, (8, 8)),
        (0, 0, (0, 0)),
        (100, 0, (2, 6)),
    ],
)
def test_bounds_follow_traffic_and_count(weight: int, count: int, bounds: tuple[int, int]) -> None:
    """Free with all the traffic, not below its count with less, parked with neither."""
    assert bounds_for(weight, count, 2, 6) == bounds
