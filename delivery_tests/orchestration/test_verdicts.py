"""How a verdict looks: both sides' figures in a table, a picture per comparison, what is watched apart."""

from __future__ import annotations

import base64
import re
from random import Random
from xml.etree import ElementTree

import dagster as dg
import pytest

from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.comparing import compare
from delivery.core.comparison import Compared, Comparison, Measured, Score
from delivery.core.judging import verdict_of
from delivery.core.scoring import result_of, score_of
from delivery.orchestration import plots, verdicts
from delivery_tests.core.states import at
from delivery_tests.seeded import at_each_minute, errors, times

TIME = Comparison("time", "TargetResponseTime", "p90")
ERRORS = Comparison("errors", "HTTPCode_Target_5XX_Count", "Sum")


def compared() -> Compared:
    """Thirty samples a side, the candidate slower by a third."""
    random = Random(3)
    return compare(TIME, "stable", times(random, 30, 0.27), times(random, 30, 0.2))


def judged(*results: RuleResult) -> Verdict:
    """Their verdict."""
    return verdict_of(results, at(0))


def test_the_table_has_both_figures_and_the_pictures_are_below() -> None:
    """Candidate and baseline in columns, an image that the UI shows, what is only watched apart."""
    slower = result_of(compared())
    watched = RuleResult("cpu", VerdictPhase.FAILED, "99 of 90", dry_run=True)
    shown = verdicts.verdict(judged(slower, score_of([slower], Score()), watched))
    rows = {r.data["rule"]: r.data for r in shown["evidence"].records}  # type: ignore[attr-defined]
    assert set(rows) == {"time_vs_stable", "canary"}
    row = rows["time_vs_stable"]
    assert row["result"] == "High" and float(row["candidate"]) > 0.24 > float(row["baseline"]) > 0.18
    dry = shown["watched, not counted"].records  # type: ignore[attr-defined]
    assert [r.data["rule"] for r in dry] == ["cpu"]
    assert isinstance(shown["compared"], dg.MarkdownMetadataValue)
    assert str(shown["compared"].value).count("](data:image/svg+xml;base64,") == 1


def test_the_picture_is_good_xml_with_both_courses() -> None:
    """What the browser gets: two lines of thirty points inside the frame, the figures in the legend."""
    text = plots.markdown(compared())
    data = re.fullmatch(r"!\[time_vs_stable: High\]\(data:image/svg\+xml;base64,(.+)\)", text)
    assert data is not None
    root = ElementTree.fromstring(base64.b64decode(data[1]))
    lines = [e for e in root if e.tag.endswith("polyline")]
    assert [len(line.attrib["points"].split()) for line in lines] == [30, 30]
    for point in (p for line in lines for p in line.attrib["points"].split()):
        x, y = map(float, point.split(","))
        assert plots.LEFT <= x <= plots.WIDTH - plots.RIGHT and plots.TOP <= y <= plots.HEIGHT - plots.BOTTOM
    words = " ".join(e.text or "" for e in root if e.tag.endswith("text"))
    assert "candidate 0.2" in words and "stable 0.1" in words and "29 min" in words


@pytest.mark.parametrize(
    ("candidate", "baseline"),
    [((), ()), ((1.0,), ()), ((0.0, 0.0), (0.0,)), ((5.0,) * 500, (1.0,))],
)
def test_degenerate_courses_are_drawn_or_left_out(
    candidate: tuple[float, ...], baseline: tuple[float, ...]
) -> None:
    """No sample, one, zeros, hundreds: a picture without nonsense, or a sentence."""
    sides = [Measured(at_each_minute(values)) for values in (candidate, baseline)]
    text = plots.svg(compare(TIME, "previous", *sides))
    assert bool(text) == bool(candidate or baseline) and "nan" not in text and "inf" not in text


def test_errors_are_drawn_as_shares_of_the_requests() -> None:
    """The scale is in percent."""
    random = Random(3)
    picture = plots.svg(compare(ERRORS, "stable", errors(random, 20, 0.05), errors(random, 20, 0.01, 540)))
    assert picture.count("%</text>") >= 3
