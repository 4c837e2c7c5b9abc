"""Which target groups receive traffic from which load balancers, read from listeners and rules. Pure.

Source: "Target groups for your Application Load Balancers" in the user guide: a group that no listener or
rule names is not in use, its targets are not checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from delivery.sandbox.elb.actions import groups_of


def actions_of(listener: Any) -> Iterator[dict[str, Any]]:
    """The actions of a listener and of all its rules, as data."""
    for rule in listener.rules.values():
        for action in rule.actions:
            yield dict(getattr(action, "data", action))


def groups_used_by(balancer: Any) -> set[str]:
    """The target groups a load balancer's listeners and rules name."""
    return {
        arn
        for listener in balancer.listeners.values()
        for action in actions_of(listener)
        if action.get("Type") == "forward"
        for arn, _ in groups_of(action)
    }


def used_groups(elb: Any) -> dict[str, str]:
    """Target groups in use, with the load balancer that uses them (there is at most one)."""
    return {arn: balancer.arn for balancer in elb.load_balancers.values() for arn in groups_used_by(balancer)}
