"""The rules of composite alarms, without a sandbox.

Amazon CloudWatch user guide: "Create a composite alarm". API reference: "PutCompositeAlarm", AlarmRule.
"""

from __future__ import annotations

import pytest

from delivery.sandbox.cloudwatch import composite


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ALARM("a")', True), ("ALARM(a) AND OK(b)", True), ("ALARM(b) OR INSUFFICIENT_DATA(c)", True),
        ("NOT ALARM(a)", False), ("NOT (ALARM(b) OR OK(a)) AND TRUE", True), ("FALSE OR ALARM(b)", False),
        ("ALARM(b) AND ALARM(b) OR ALARM(a)", True), ("ALARM(b) AND (ALARM(b) OR ALARM(a))", False),
        ('ALARM("arn:aws:cloudwatch:us-east-1:123456789012:alarm:a")', True), ('OK("with spaces")', False),
    ],
)  # fmt: skip
def test_composite_rules(text: str, expected: bool) -> None:
    """ALARM, OK and INSUFFICIENT_DATA of names or ARNs; NOT binds tightest, then AND, then OR."""
    known = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}
    assert composite.holds(composite.parse(text), known.get) is expected


@pytest.mark.parametrize(
    "text", ["", "ALARM()", "ALARM(a", "ALARM(a) AND", "a", "(ALARM(a)", "ALARM(a) ALARM(b)"]
)
def test_what_is_no_composite_rule(text: str) -> None:
    """A text outside the grammar is refused."""
    with pytest.raises(composite.RuleError):
        composite.parse(text)
