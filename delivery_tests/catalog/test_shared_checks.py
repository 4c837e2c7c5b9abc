"""Checks written once for several environments, with YAML's own anchors."""

from __future__ import annotations

from pathlib import Path

from delivery.catalog.loader import load_services, problems
from delivery_tests.catalog.files import GOOD, line_of, write

WRITTEN = GOOD[GOOD.index("      health:\n") : GOOD.index("      probe: {")]
HEALTH = WRITTEN.replace("metric: TargetResponseTime", "metric: TargetResponseTime, name: too_slow")
STAGED = "      strategy: { blue_green: { bake: 2m } }\n"
ANCHOR = HEALTH.replace("health:", "health: &checks")
USED = """\
      health:
        <<: *checks
        compare: [{ metric: CPUUtilization, per: 30s, minimum_samples: 5 }]
"""
TEXT = GOOD.replace(WRITTEN, USED).replace(STAGED, STAGED + ANCHOR)


def test_checks_are_written_once_and_changed_where_they_differ(tmp_path: Path) -> None:
    """Production has staging's triggers; what it says itself comes first."""
    write(tmp_path, TEXT)
    (service,) = load_services(tmp_path)
    staging, production = service.environments
    assert staging.rules[0].name == "too_slow" and len(staging.rules) == 3
    assert staging.rules == production.rules
    assert staging.compare is None and production.compare is not None


def test_a_mistake_in_what_is_shared_is_told_where_it_stands(tmp_path: Path) -> None:
    """Both environments are named, with the line of the shared text."""
    text = TEXT.replace("metric: HealthyHostCount, below: 1", "metric: HealthyHostCount, below: -1")
    file = write(tmp_path, text)
    found = problems(tmp_path)
    assert {p.field.split(".")[1] for p in found} == {"staging", "production"}
    assert {(p.file, p.line) for p in found} >= {(file, line_of(text, "below: -1"))}
