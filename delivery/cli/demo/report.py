"""How the demo tells its story: headings, live lines, and a table at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

_STYLES = {"good": "green", "bad": "red", "load": "cyan", "push": "bold magenta", "note": "dim", "step": ""}


@dataclass
class Act:
    """One act: what it must show, what was measured, and what went against the script."""

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """It ended as it should."""
        return not self.wrongs

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what is wrong unless it holds."""
        if not holds:
            self.wrongs.append(otherwise)


class Teller:
    """Writes to a terminal or a file; every line carries the seconds since the act began."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = datetime.now(UTC)

    def act(self, number: int, title: str, text: str) -> Act:
        """Open an act."""
        self._began = datetime.now(UTC)
        self._console.print()
        heading = f"[bold]Act {number}: {escape(title)}[/bold]"
        self._console.print(Panel(escape(text), title=heading, title_align="left", expand=True))
        return Act(title)

    def say(self, text: str, kind: str = "step") -> None:
        """One line now."""
        seconds = (datetime.now(UTC) - self._began).total_seconds()
        style = _STYLES[kind]
        line = f"[{style}]{escape(text)}[/{style}]" if style else escape(text)
        self._console.print(f"[dim]{seconds:6.1f} s[/dim]  {line}", highlight=False, soft_wrap=True)

    def close(self, act: Act) -> None:
        """Say how the act ended."""
        for wrong in act.wrongs:
            self.say(f"not as it should be: {wrong}", "bad")
        if act.ok:
            self.say("as it should be", "good")

    def summary(self, acts: list[Act], url: str) -> None:
        """The table of all acts, and where to look."""
        table = Table(title="What was measured", title_justify="left", show_lines=True)
        for column in ("act", "measured", "ended"):
            table.add_column(column, overflow="fold")
        for act in acts:
            facts = "\n".join(f"{name}: {value}" for name, value in act.facts.items())
            wrong = escape("; ".join(act.wrongs))
            ended = "[green]as it should[/green]" if act.ok else f"[red]{wrong}[/red]"
            table.add_row(escape(act.title), escape(facts), ended)
        self._console.print()
        self._console.print(table)
        self._console.print(f"Dagster: [link={url}]{url}[/link]", highlight=False)


def seconds_between(start: datetime, end: datetime) -> str:
    """A duration as people read it."""
    return f"{(end - start).total_seconds():.1f} s"
