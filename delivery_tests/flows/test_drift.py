"""Drift: Terraform, ECS, weights and DNS, expected against actual."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.infra import ResourceChange
from delivery.core.release import Slot
from delivery.core.service import DnsSpec
from delivery.errors import NotFoundError
from delivery.flows.drift import drift
from delivery.flows.keys import state_key
from delivery_tests.fakes import Behaviour, sample_service, sample_sha
from delivery_tests.flows.journey import Journey


def live() -> Journey:
    """Production with a name and a live release."""
    production = replace(sample_service().environment("production"), dns=DnsSpec("example.test", "www"))
    journey = Journey.start(production)
    journey.deliver("a")
    return journey


def findings(journey: Journey) -> dict[str, bool]:
    return {finding.kind: finding.ok for finding in drift(journey.op(), "production").findings}


def test_a_delivered_environment_has_no_drift() -> None:
    """After a deployment everything is as it should be, the name included."""
    journey = live()
    assert findings(journey) == {"terraform": True, "ecs": True, "weights": True, "dns": True}
    assert drift(journey.op(), "production").ok


def test_each_kind_of_drift_is_found() -> None:
    """A changed resource, a dead slot, moved weights and a moved name are each found by name."""
    journey = live()
    changed = ResourceChange("aws_lb.this", "update", ("idle_timeout",))
    journey.world.planner.pending[state_key("web", "production")] = (changed,)
    journey.target.set_weight(Slot.GREEN, 90)
    journey.world.dns.records[("example.test", "www")] = "elsewhere.example"
    journey.world.behave(sample_sha("a"), Behaviour(unhealthy=True))
    assert findings(journey) == {"terraform": False, "ecs": False, "weights": False, "dns": False}
    text = " ".join(finding.actual for finding in drift(journey.op(), "production").findings)
    assert "aws_lb.this" in text and "elsewhere.example" in text and "green 90" in text


def test_what_cannot_be_asked_is_not_ok() -> None:
    """A provider that does not answer is a finding, never silence."""
    journey = live()
    journey.world.wire.fail("target.observe")
    report = drift(journey.op(), "production")
    assert not report.ok and "could not look" in report.of("ecs")[0].actual


def test_an_environment_that_does_not_exist_has_no_drift() -> None:
    """Before the first apply there is nothing to compare."""
    with pytest.raises(NotFoundError):
        drift(Journey.start().op(), "production")
