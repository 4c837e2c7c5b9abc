"""`delivery sandbox status`: the world at a glance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from delivery.cli.sandbox_fault import told

World = dict[str, Any]
_GOOD = {"healthy", "OK", "RUNNING", "COMPLETED", "ACTIVE", "HEALTHY"}
_BAD = {"unhealthy", "ALARM", "FAILED", "STOPPED", "UNHEALTHY", "unavailable"}
#: Stopped tasks shown, newest first; ECS itself remembers them for an hour.
_STOPPED = 5


def rendered(world: World) -> RenderableType:
    """All of it, the empty parts left out."""
    parts: list[RenderableType] = [_head(world)]
    if world["faults"]:
        parts.append(_faults(world["faults"]))
    if world["services"]:
        parts.append(_services(world["services"]))
    if world["balancers"]:
        parts.append(_balancers(world["balancers"]))
    if world["targets"]:
        parts.append(_targets(world["targets"]))
    if world["tasks"]:
        parts.append(_tasks(world["tasks"]))
    if world["alarms"]:
        parts.append(_alarms(world["alarms"], world["now"]))
    return Group(*parts)


def _head(world: World) -> RenderableType:
    """Where it listens, and what time it is there."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for what, where in world["endpoints"].items():
        if what != "region":
            table.add_row(what, where)
    clock = datetime.fromtimestamp(world["now"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if world["scale"] != 1:
        clock += f", {world['scale']:g} times as fast as ours"
    table.add_row("clock", clock)
    where = f"process {world['pid']}, {world['endpoints']['region']}"
    title = f"[bold]{world['name']}[/bold]  [green]up[/green] ({where})"
    return Panel(table, title=title, title_align="left", border_style="dim", expand=False)


def _table(title: str, *columns: str) -> Table:
    made = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", border_style="dim",
        pad_edge=False, box=None, padding=(0, 2, 0, 0),
    )  # fmt: skip
    for name in columns:
        made.add_column(name, overflow="fold")
    return made


def _state(word: str) -> Text:
    style = "green" if word in _GOOD else "bold red" if word in _BAD else "yellow"
    return Text(word, style=style)


def _services(rows: list[World]) -> Table:
    table = _table("\nServices", "service", "tasks", "revision", "deployment", "last event")
    for row in rows:
        tasks = Text(f"{row['running']}/{row['desired']}", style=_counts(row))
        if row["pending"]:
            tasks.append(f" +{row['pending']} pending", style="yellow")
        deployment = _state(row["rollout"] or row["status"])
        if row["deployments"] > 1:
            deployment.append(f" ({row['deployments']} deployments)", style="dim")
        name = Text(row["service"]).append(f"\n{row['cluster']}", style="dim")
        table.add_row(name, tasks, row["revision"], deployment, Text(said(row), style="dim"))
    return table


def said(row: World) -> str:
    """The last event without what the line says already."""
    return str(row["event"]).replace(f"(service {row['service']}) ", "")


def _counts(row: World) -> str:
    if row["running"] == row["desired"]:
        return "green" if row["desired"] else "dim"
    return "bold red" if not row["running"] else "yellow"


def _balancers(rows: list[World]) -> Table:
    table = _table("\nLoad balancers", "listener", "priority", "when", "then")
    before = ""
    for row in rows:
        name = Text(row["balancer"]).append(f"\n{row['address']}", style="dim")
        same, before = before == row["address"], row["address"]
        when = " and ".join(row["conditions"]) or "otherwise"
        then = _weights(row["weights"]) if row["weights"] else Text(row["action"], style="dim")
        table.add_row("" if same else name, row["priority"], when, then)
    return table


def _weights(weights: dict[str, int]) -> Text:
    """Each target group with its share of the traffic, as numbers and as a bar."""
    total, text, width = sum(weights.values()), Text(), max(map(len, weights))
    for name, weight in weights.items():
        share = weight / total if total else 0.0
        text.append("\n" if text else "")
        text.append(f"{name:{width}} ", style="" if weight else "dim")
        text.append(f"{weight:>3} ", style="bold" if weight else "dim")
        text.append("█" * round(share * 10), style="cyan").append("░" * (10 - round(share * 10)), style="dim")
    return text


def _targets(rows: list[World]) -> Table:
    table = _table("\nTargets", "group", "target", "state", "reason")
    for row in sorted(rows, key=lambda r: (r["group"], r["target"])):
        table.add_row(row["group"], row["target"], _state(row["state"]), row["reason"] or "")
    return table


def _tasks(rows: list[World]) -> Table:
    alive = [r for r in rows if r["status"] != "STOPPED"]
    stopped = [r for r in rows if r["status"] == "STOPPED"]
    title = "\nTasks" + (f" [dim](and {len(stopped)} stopped)[/dim]" if len(stopped) > _STOPPED else "")
    table = _table(title, "task", "of", "status", "revision", "address", "why")
    for row in [*alive, *stopped[:_STOPPED]]:
        status = _state(row["status"])
        if row["health"] != "UNKNOWN":
            status.append(" ").append(_state(row["health"]))
        why = f"exit code {row['exit']}: {row['reason']}" if row["exit"] is not None else row["reason"]
        table.add_row(
            row["task"][:8], row["of"], status, row["revision"], row["address"], Text(why, style="dim")
        )
    return table


def _alarms(rows: list[World], now: float) -> Table:
    table = _table("\nAlarms", "alarm", "state", "for", "watches", "reason")
    for row in sorted(rows, key=lambda r: (r["state"] != "ALARM", r["alarm"])):
        since = "" if row["since"] is None else ago(now - row["since"])
        table.add_row(
            row["alarm"], _state(row["state"]), since, row["watches"], Text(row["reason"], style="dim")
        )
    return table


def _faults(rows: list[World]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        what, kind, how = told(row)
        table.add_row(Text(what, style="bold"), Text(kind, style="red"), how)
    return Panel(table, title="Faults in force", title_align="left", border_style="red", expand=False)


def ago(seconds: float) -> str:
    """`12 s`, `3 min`, `2 h`."""
    for limit, unit, size in ((90, "s", 1), (5400, "min", 60)):
        if seconds < limit:
            return f"{max(0, seconds) / size:.0f} {unit}"
    return f"{seconds / 3600:.0f} h"
