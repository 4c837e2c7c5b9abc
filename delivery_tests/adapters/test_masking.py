"""What is shown of the routes people are told by."""

from __future__ import annotations

import pytest

from delivery.adapters.notify import masked


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        ("slack://T0/B0/hunter2", "slack://***"),
        ("mailto://ada:hunter2@example.test", "mailto://***"),
        ("json://example.test/hunter2?token=hunter2", "json://***"),
        ("hunter2", "route://***"),
        ("hunter2 hunter2://x", "route://***"),
        ("sns://AKIA/hunter2/us-east-1/topic", "sns://***"),
        (
            "sns://arn:aws:sns:eu-central-1:123456789012:web",
            "sns://arn:aws:sns:eu-central-1:123456789012:web",
        ),
    ],
)
def test_a_route_shows_its_scheme_and_nothing_else(route: str, shown: str) -> None:
    """Every part of such a URL may be a token; a topic's name is none."""
    assert masked(route) == shown
