"""Elastic Load Balancing: rules, weights and target health, as its user guide says."""

from __future__ import annotations

from functools import partial

import pytest

from delivery_tests.sandbox.stack import Stack, eventually

pytestmark = pytest.mark.sandbox


@pytest.fixture
def two_slots(stack: Stack) -> Stack:
    """Both slots serve one healthy task each; all weight on blue."""
    for slot in ("blue", "green"):
        stack.group(slot)
    stack.route(blue=100, green=0)
    for slot in ("blue", "green"):
        stack.service(slot, stack.revision(NAME=slot))
    for slot in ("blue", "green"):
        eventually(partial(stack.health, slot), lambda h: h == [("healthy", "")])
    return stack


def test_weights_are_what_real_requests_get(two_slots: Stack) -> None:
    """A forward action's weights 90 and 10 send about 90 and 10 of 100 requests to the two groups."""
    two_slots.route(blue=90, green=10)
    eventually(lambda: two_slots.ask_many(40)[200, "green"])
    counts = two_slots.ask_many(1000)
    assert set(counts) == {(200, "blue"), (200, "green")}
    assert 60 <= counts[200, "green"] <= 145  # five standard deviations round 100


def test_a_weight_of_zero_gets_nothing(two_slots: Stack) -> None:
    """A target group with weight 0 gets no request at all."""
    two_slots.route(blue=0, green=100)
    eventually(lambda: two_slots.ask()[1], lambda name: name == "green")
    assert two_slots.ask_many(200) == {(200, "green"): 200}


def test_rules_are_tried_in_order_of_priority(two_slots: Stack) -> None:
    """The header rule with the lower number comes first; requests without the header go on to the next."""
    two_slots.preview("green")
    eventually(lambda: two_slots.ask(preview=True), lambda a: a == (200, "green"))
    assert two_slots.ask() == (200, "blue")


def test_the_default_action_answers_what_no_rule_matches(stack: Stack) -> None:
    """Without a matching rule the listener's default action answers, here with a fixed response."""
    assert eventually(stack.ask, lambda answer: answer[0]) == (404, "no route")


def test_a_target_is_healthy_only_because_it_was_asked(stack: Stack) -> None:
    """A target that answers the check with 404 becomes unhealthy; the reason names the response code."""
    stack.group("blue", path="/status/404")
    stack.route(blue=100)
    stack.service("blue", stack.revision(), healthCheckGracePeriodSeconds=120)
    eventually(lambda: stack.health("blue"), lambda h: h == [("unhealthy", "Target.ResponseCodeMismatch")])
    stack.elb.modify_target_group(TargetGroupArn=stack.groups["blue"], HealthCheckPath="/health")
    eventually(lambda: stack.health("blue"), lambda h: h == [("healthy", "")])


def test_a_group_without_targets_is_answered_by_the_load_balancer(stack: Stack) -> None:
    """503 from the load balancer itself is counted as HTTPCode_ELB_5XX, never as a target's."""
    stack.group("blue")
    stack.route(blue=100)
    eventually(stack.ask, lambda answer: answer[0] == 503)
    eventually(lambda: sum(stack.total("HTTPCode_ELB_5XX_Count")))
    assert stack.total("HTTPCode_Target_5XX_Count", "blue") == []
