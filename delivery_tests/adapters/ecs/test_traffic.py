"""Weights from and to ELB's actions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.adapters.ecs.traffic import weights_of, with_weights
from delivery.core.release import Slot
from delivery_tests.adapters.ecs.answers import GROUPS, forward


@pytest.mark.parametrize(
    ("action", "blue", "green"),
    [
        (forward(100, 0), 100, 0),
        (forward(1, 0), 100, 0),
        (forward(0, 999), 0, 100),
        (forward(90, 10), 90, 10),
        (forward(9, 1), 90, 10),
        (forward(1, 2), 33, 67),
        (forward(999, 1), 99, 1),
        (forward(0, 0), 0, 0),
        (forward(None, 5), 0, 100),
        ({"Type": "forward", "TargetGroupArn": "arn:green"}, 0, 100),
        ({"Type": "forward", "TargetGroupArn": "arn:other"}, 0, 0),
        ({"Type": "fixed-response"}, 0, 0),
    ],
)
def test_weights_are_told_in_percent(action: dict[str, Any], blue: int, green: int) -> None:
    """ELB's relative weights, in all their forms, become shares of the traffic."""
    assert weights_of([action], GROUPS) == {Slot.BLUE: blue, Slot.GREEN: green}


def test_a_third_group_counts_in_the_whole() -> None:
    """What goes elsewhere is neither slot's."""
    action = forward(40, 10)
    action["ForwardConfig"]["TargetGroups"].append({"TargetGroupArn": "arn:other", "Weight": 50})
    assert weights_of([action], GROUPS) == {Slot.BLUE: 40, Slot.GREEN: 10}


@given(blue=st.integers(0, 999), green=st.integers(0, 999))
def test_shares_add_up_and_no_traffic_is_rounded_away(blue: int, green: int) -> None:
    """Two slots share 100 percent, and only a slot without weight has 0."""
    shares = weights_of([forward(blue, green)], GROUPS)
    assert sum(shares.values()) == (100 if blue or green else 0)
    assert (shares[Slot.BLUE] > 0, shares[Slot.GREEN] > 0) == (blue > 0, green > 0)


@given(percent=st.integers(0, 100))
def test_what_is_written_is_what_is_read(percent: int) -> None:
    """Every share survives the way to ELB and back."""
    weights = {Slot.BLUE: 100 - percent, Slot.GREEN: percent}
    written = with_weights([forward(1, 0)], weights, GROUPS)
    assert written is not None and weights_of(written, GROUPS) == weights


def test_only_the_weights_change() -> None:
    """Stickiness, order and an authentication before the forward stay; the short form is replaced."""
    sticky = {"Enabled": True, "DurationSeconds": 60}
    login = {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {"Issuer": "x"}}
    before = {"Order": 2, "TargetGroupArn": "arn:blue", **forward(1, 0, TargetGroupStickinessConfig=sticky)}
    after = with_weights([login, before], {Slot.BLUE: 90, Slot.GREEN: 10}, GROUPS)
    assert after == [login, {"Order": 2, **forward(90, 10, TargetGroupStickinessConfig=sticky)}]


def test_without_a_forward_action_nothing_is_written() -> None:
    """A maintenance page is not turned into traffic."""
    assert with_weights([{"Type": "fixed-response"}], {Slot.BLUE: 100, Slot.GREEN: 0}, GROUPS) is None
