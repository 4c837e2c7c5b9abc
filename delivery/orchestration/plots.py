"""A picture of one comparison for the Dagster UI: the candidate's course against the baseline's.

Dagster renders images in Markdown metadata from `data:` addresses, so a small SVG needs no server and no
library, and stays with the event it belongs to. It brings its own background: the UI may be dark.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from delivery.core.comparison import Compared, Measured

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 220, 70, 20, 46, 30
#: Told apart by people who do not see red and green, and by the dashes on paper.
COLOURS = {"candidate": "#0b5cad", "baseline": "#c2570c"}

Course = Sequence[tuple[float, float]]  # seconds from the side's first sample, value


def markdown(compared: Compared) -> str:
    """The picture as an image in Markdown; a sentence where there are no samples."""
    picture = svg(compared)
    if not picture:
        return f"{compared.name}: no samples"
    data = base64.b64encode(picture.encode()).decode()
    return f"![{compared.name}: {compared.label}](data:image/svg+xml;base64,{data})"


def svg(compared: Compared) -> str:
    """The picture; empty without samples.

    Times are counted from each side's first sample: a previous release served at another time.
    """
    counted = compared.comparison.counted
    sides = {
        name: _course(side, counted)
        for name, side in (("candidate", compared.candidate), ("baseline", compared.baseline))
    }
    points = [point for course in sides.values() for point in course]
    if not points:
        return ""
    top = max(value for _, value in points) * 1.1 or 1.0
    long = max(at for at, _ in points) or 1.0
    title = f"{compared.name}: {compared.label}"
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="18" font-size="14" font-weight="bold" fill="#1a1a1a">{escape(title)}</text>',
        *_axes(top, long, counted),
    ]
    for number, (name, course) in enumerate(sides.items()):
        drawn += _line(name, course, top, long)
        label = name if name == "candidate" else compared.against
        drawn.append(_legend(number, name, f"{label} {_figure(compared, name)}".strip()))
    return "".join([*drawn, "</svg>"])


def _course(side: Measured, counted: bool) -> Course:
    values = {s.at: s.value for s in side.samples}
    if counted:
        values = {r.at: values.get(r.at, 0.0) / r.value for r in side.requests if r.value > 0}
    first = min(values, default=None)
    return [((at - first).total_seconds(), value) for at, value in sorted(values.items())] if first else []


def _axes(top: float, long: float, counted: bool) -> list[str]:
    """Three lines with their values, and how long it took."""
    drawn = []
    for share in (0.0, 0.5, 1.0):
        y = _y(share * top, top)
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d9d9d9"/>')
        text = _number(share * top, counted)
        drawn.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#595959">{text}</text>')
    end = f"{long:.3g} s" if long < 120 else f"{long / 60:.3g} min"
    drawn.append(f'<text x="{LEFT}" y="{HEIGHT - 10}" fill="#595959">0</text>')
    drawn.append(
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 10}" text-anchor="end" fill="#595959">{escape(end)}</text>'
    )
    return drawn


def _line(name: str, course: Course, top: float, long: float) -> list[str]:
    """The course as a line with its samples as dots."""
    places = [(LEFT + at / long * (WIDTH - LEFT - RIGHT), _y(value, top)) for at, value in course]
    colour, dashes = COLOURS[name], "" if name == "candidate" else ' stroke-dasharray="6 4"'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places]
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>', *dots]


def _legend(number: int, name: str, text: str) -> str:
    x, colour = LEFT + number * 240, COLOURS[name]
    dashes = "" if name == "candidate" else ' stroke-dasharray="6 4"'
    return (
        f'<line x1="{x}" x2="{x + 24}" y1="33" y2="33" stroke="{colour}" stroke-width="2"{dashes}/>'
        f'<text x="{x + 30}" y="37" fill="#1a1a1a">{escape(text)}</text>'
    )


def _figure(compared: Compared, name: str) -> str:
    value = compared.candidate_figure if name == "candidate" else compared.baseline_figure
    return "" if value is None else _number(value, compared.comparison.counted)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - max(0.0, value) / top * (HEIGHT - TOP - BOTTOM)


def _number(value: float, counted: bool) -> str:
    return f"{value:.2%}" if counted else f"{value:.3g}"
