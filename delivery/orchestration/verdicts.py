"""How a verdict looks in the Dagster UI: its rules as a table, and what was compared as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from delivery.core.analysis import Accepted, RuleResult, Sample, Verdict
from delivery.core.scoring import CANARY
from delivery.orchestration import plots
from delivery.orchestration.metadata import Metadata, code, table, text, time

_BARS = "▁▂▃▄▅▆▇█"
#: More make the table wider than a screen; the pictures have them all.
_MOST_BARS = 24
COLUMNS = ("rule", "result", "candidate", "baseline", "samples", "why", "limit")


def verdict(judged: Verdict) -> Metadata:
    """The verdict and the evidence, one rule a row; what is only watched apart; a picture per comparison."""
    shown: Metadata = {
        "verdict": text(judged.phase.value),
        "reason": text(judged.reason),
        "judged": time(judged.judged_at),
        "evidence": table([_row(r) for r in judged.results if not r.dry_run], COLUMNS),
    }
    if judged.accepted:
        rows = [_word_given(word) for word in judged.accepted]
        shown["accepted by a person"] = table(rows, ("what", "at", "by", "why", "when", "verdict then"))
    watched = [_row(r) for r in judged.results if r.dry_run]
    if watched:
        shown["watched, not counted"] = table(watched, COLUMNS)
    alone = [r for r in judged.results if without_baseline(r)]
    if alone:
        shown["not compared"] = text("; ".join(dict.fromkeys(r.reason for r in alone)))
    compared = [r.compared for r in judged.results if r.compared is not None]
    pictures = [plots.markdown(each) for each in compared if plots.svg(each)]
    if pictures:
        shown["compared"] = dg.MetadataValue.md("\n\n".join(pictures))
    return shown


def without_baseline(result: RuleResult) -> bool:
    """A comparison, or the score of all, that had nothing to compare with (a first release): it does not
    count, and not because the service's file says so."""
    if not result.dry_run:
        return False
    if result.compared is None:
        return result.rule == CANARY
    return not result.compared.comparison.dry_run


def rule(result: RuleResult) -> Metadata:
    """One rule's samples, or its comparison as a picture, and the query that asked for them."""
    shown: Metadata = {"result": text(_word(result))}
    if result.limit:
        shown["limit"] = text(result.limit)
    if result.query:
        shown["query"] = dg.MetadataValue.md(code([result.query]))
    if result.samples:
        rows = [{"at": f"{s.at:%Y-%m-%d %H:%M:%S}", "value": f"{s.value:g}"} for s in result.samples]
        shown["course"] = text(sparkline(result.samples))
        shown["samples"] = table(rows, ("at", "value"))
    if result.compared is not None and plots.svg(result.compared):
        shown["compared"] = dg.MetadataValue.md(plots.markdown(result.compared))
    return shown


def sparkline(samples: Sequence[Sample]) -> str:
    """The newest samples as a line of bars from zero to the largest, with its first and its last value."""
    if not samples:
        return ""
    samples = samples[-_MOST_BARS:]
    values = [max(0.0, s.value) for s in samples]
    top = max(values) or 1.0
    bars = "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in values)
    return f"{samples[0].value:g} {bars} {samples[-1].value:g}"


def _row(result: RuleResult) -> dict[str, str]:
    compared = result.compared
    candidate = baseline = ""
    if compared is not None:
        candidate, baseline = compared.figures
    elif result.samples:
        candidate = f"{result.samples[-1].value:g}"
    return {
        "rule": result.rule,
        "result": _word(result),
        "candidate": candidate,
        "baseline": baseline,
        "why": result.reason,
        "limit": result.limit,
        "samples": sparkline(compared.candidate.samples if compared else result.samples),
    }


def _word_given(word: Accepted) -> dict[str, str]:
    return {
        "what": ", ".join(word.rules),
        "at": f"{word.weight} %",
        "by": word.by,
        "why": word.reason,
        "when": f"{word.at:%Y-%m-%d %H:%M:%S} UTC",
        "verdict then": word.what,
    }


def _word(result: RuleResult) -> str:
    """A compared metric is Pass, High, Low or Nodata; all else has a phase."""
    could_look = result.compared is not None and result.phase.value != "Error"
    return result.compared.label.value if could_look and result.compared else result.phase.value
