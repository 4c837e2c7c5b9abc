"""Data goes to stdout as a table: as wide as the terminal, and never cut off in a pipe."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

#: Columns when nobody's terminal says how many there are.
PIPE = 1000


def table_of(*columns: str) -> Table:
    """An empty table with these columns."""
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def show(table: Table) -> None:
    """Print it."""
    Console(width=None if sys.stdout.isatty() else PIPE).print(table)
