"""What a gate's reports say: JUnit, Cobertura and SARIF, read with nothing but the standard library.

The files come from untrusted code. What is missing, too big, no report, or says nothing (no test ran, no
line was measured) is a `ReportProblem`: the gate could not judge, which is not a pass.
"""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping
from typing import Any

#: Bytes of the largest report that is read.
LARGEST = 20 * 2**20


class ReportProblem(Exception):
    """The report does not judge; says why."""


def junit(content: bytes) -> Mapping[str, float]:
    """`tests`, `failures`, `errors`, `skipped` of a JUnit report; at least one test must have run.

    The test cases are counted, not the suites' own totals: tools do not agree on those.
    """
    cases = list(_xml(content).iter("testcase"))
    found = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    if not cases:
        raise ReportProblem("it has no test: 0 tests is not a pass")
    if found["skipped"] == len(cases):
        raise ReportProblem(f"all {len(cases)} tests were skipped")
    return {name: float(value) for name, value in found.items()}


def cobertura(content: bytes) -> Mapping[str, float]:
    """`coverage` in percent of lines, and `lines`, `covered` where the report has them."""
    root = _xml(content)
    if root.tag != "coverage":
        raise ReportProblem(f"it is no Cobertura report: its root is <{root.tag[:40]}>")
    rate = _number(root, "line-rate")
    if rate is None or not 0 <= rate <= 1:
        raise ReportProblem("it has no usable line-rate")
    found = {"coverage": round(100 * rate, 2)}
    lines, covered = _number(root, "lines-valid"), _number(root, "lines-covered")
    if lines is not None and covered is not None:
        found |= {"lines": lines, "covered": covered}
        if not lines:
            raise ReportProblem("no line was measured")
    return found


def sarif(content: bytes) -> Mapping[str, float]:
    """`findings`, and how many of them are `finding_errors`, `finding_warnings`, `finding_notes`.

    A result without a level has its rule's, else `warning` (SARIF 2.1.0, 3.27.10); suppressed ones do not
    count. A report without a run says nothing.
    """
    try:
        document = json.loads(content)
        runs = document["runs"]
        levels = Counter(level for run in runs for level in _levels(run))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReportProblem("it is no SARIF report") from None
    if not runs:
        raise ReportProblem("it has no run")
    return {
        "findings": float(levels.total()),
        "finding_errors": float(levels["error"]),
        "finding_warnings": float(levels["warning"]),
        "finding_notes": float(levels["note"]),
    }


def _levels(run: Mapping[str, Any]) -> list[str]:
    rules = run["tool"]["driver"].get("rules") or []
    defaults = {
        rule["id"]: (rule.get("defaultConfiguration") or {}).get("level", "warning") for rule in rules
    }
    return [
        str(result.get("level") or defaults.get(result.get("ruleId"), "warning"))
        for result in run.get("results") or []
        if not result.get("suppressions")
    ]


def _xml(content: bytes) -> ElementTree.Element:
    if not content.strip():
        raise ReportProblem("it is empty")
    if b"<!ENTITY" in content:
        raise ReportProblem("it declares entities, which no test tool does")
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ReportProblem(f"it is no XML: {str(error)[:100]}") from None


def _number(element: ElementTree.Element, name: str) -> float | None:
    try:
        value = float(element.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
