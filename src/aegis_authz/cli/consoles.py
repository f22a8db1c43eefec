"""Where tables are printed: on a terminal as wide as it is, and elsewhere without folding their lines."""

from __future__ import annotations

from rich.console import Console

WIDE = 160
"""Columns of lines that go into a pipe or a file."""


def table_console(width: int = WIDE) -> Console:
    """The console of stdout. A pipe has no width: lines are not to be folded for one, so that there it is `width`."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=width)
