"""What is no dashboard. Pure.

Source: "Dashboard body structure and syntax" in the Amazon CloudWatch API reference.
"""

from __future__ import annotations

import json


def problems_of(body: str) -> list[dict[str, str]]:
    """What is wrong with a dashboard's body, by its path."""
    try:
        parsed = json.loads(body)
    except ValueError as error:
        return [_problem("/", f"The field DashboardBody must be a valid JSON object: {error}")]
    if not isinstance(parsed, dict):
        return [_problem("/", "The field DashboardBody must be a valid JSON object")]
    widgets = parsed.get("widgets")
    if not isinstance(widgets, list):
        return [_problem("/", "should have required property 'widgets'")]
    problems = []
    for number, widget in enumerate(widgets):
        for name in ("type", "properties"):
            if not isinstance(widget, dict) or name not in widget:
                problems.append(_problem(f"/widgets/{number}", f"should have required property '{name}'"))
    return problems


def _problem(path: str, text: str) -> dict[str, str]:
    return {"DataPath": path, "Message": text}
