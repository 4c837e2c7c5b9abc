"""What gates' reports come to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from delivery.adapters.docker.gates import verdict
from delivery.adapters.docker.reports import ReportProblem, cobertura, junit, sarif
from delivery.core.build import GateStatus

JUNIT = b"""<testsuites><testsuite tests="99">
<testcase name="a"/><testcase name="b"><failure/></testcase>
<testcase name="c"><error/></testcase><testcase name="d"><skipped/></testcase></testsuite></testsuites>"""


def document(*results: dict[str, Any], rules: list[dict[str, Any]] | None = None) -> bytes:
    """A SARIF document of one run."""
    driver = {"name": "tool", "rules": rules or []}
    return json.dumps({"runs": [{"tool": {"driver": driver}, "results": list(results)}]}).encode()


def test_test_cases_are_counted_not_believed() -> None:
    """The suites' own totals are not used: tools do not agree on them."""
    assert junit(JUNIT) == {"tests": 4, "failures": 1, "errors": 1, "skipped": 1}


def test_coverage_is_in_percent() -> None:
    """The line rate times a hundred, with the lines behind it."""
    report = b'<coverage line-rate="0.8375" lines-valid="80" lines-covered="67"/>'
    assert cobertura(b'<!DOCTYPE coverage SYSTEM "x.dtd">' + report) == {
        "coverage": 83.75,
        "lines": 80,
        "covered": 67,
    }


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"<coverage/>",
        b'<coverage line-rate="nan"/>',
        b'<coverage line-rate="1.5"/>',
        b'<coverage line-rate="-1"/>',
        b'<testsuite line-rate="1"/>',
        b'<coverage line-rate="1" lines-valid="0" lines-covered="0"/>',
        b'<coverage line-rate="1"',
    ],
)
def test_no_coverage_is_never_full_coverage(report: bytes) -> None:
    """No number, an impossible one, no line measured, another report: a problem."""
    with pytest.raises(ReportProblem):
        cobertura(report)


def test_levels_of_findings_may_come_from_the_rule() -> None:
    """A result without a level has its rule's, else warning; suppressed ones do not count."""
    rules = [{"id": "r1", "defaultConfiguration": {"level": "error"}}, {"id": "r2"}]
    found = sarif(
        document(
            {"ruleId": "r1"}, {"ruleId": "r2"}, {"ruleId": "r9"}, {"ruleId": "r1", "level": "note"},
            {"ruleId": "r1", "suppressions": [{"kind": "inSource"}]},
            rules=rules,
        )
    )  # fmt: skip
    assert found == {"findings": 4, "finding_errors": 1, "finding_warnings": 2, "finding_notes": 1}


@pytest.mark.parametrize("report", [b"", b"{}", b'{"runs": []}', b"[]", b'{"runs": [1]}', b"[" * 100_000])
def test_what_is_no_sarif_is_never_no_finding(report: bytes) -> None:
    """Another document, or one without a run, says nothing."""
    with pytest.raises(ReportProblem):
        sarif(report)


def test_entities_are_not_expanded() -> None:
    """A billion laughs, or somebody's file, stays outside."""
    bomb = (
        b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><testsuite><testcase>&y;</testcase></testsuite>'
    )
    with pytest.raises(ReportProblem, match="entities"):
        junit(bomb)


GOOD = {"tests": 3.0, "failures": 0.0, "errors": 0.0, "skipped": 1.0}


@pytest.mark.parametrize(
    ("code", "numbers", "unread", "status", "reason"),
    [
        (0, {}, [], GateStatus.PASSED, "passed"),
        (0, GOOD, [], GateStatus.PASSED, "2 tests passed"),
        (0, {**GOOD, "failures": 1.0}, [], GateStatus.FAILED, "1 of 3 tests failed"),
        (2, {**GOOD, "errors": 1.0}, [], GateStatus.FAILED, "1 of 3 tests failed"),
        (0, {"findings": 2.0, "finding_errors": 1.0}, [], GateStatus.FAILED, "1 findings of level error"),
        (0, {"findings": 2.0, "finding_errors": 0.0}, [], GateStatus.PASSED, "2 findings below level error"),
        (1, {}, [], GateStatus.FAILED, "exit code 1"),
        (1, GOOD, [], GateStatus.FAILED, "exit code 1"),
        (1, {}, ["no report"], GateStatus.ERROR, "no report; it ended with exit code 1"),
        (0, {}, ["no report"], GateStatus.ERROR, "no report"),
        (2, {}, [], GateStatus.ERROR, "exit code 2"),
        (5, {}, ["no report"], GateStatus.ERROR, "exit code 5; no report"),
        (127, {}, [], GateStatus.ERROR, "no such program"),
        (137, GOOD, [], GateStatus.ERROR, "killed"),
    ],
)
def test_exit_code_and_reports_make_the_verdict(
    code: int, numbers: dict[str, float], unread: list[str], status: GateStatus, reason: str
) -> None:
    """Measured and bad fails; what could not be judged is an error; only the rest passes."""
    found, why = verdict(code, numbers, unread)
    assert found is status and reason in why
