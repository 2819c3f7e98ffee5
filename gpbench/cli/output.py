"""Where output goes: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console


PIPE_WIDTH = 120
"""Columns of a table that goes into a file or pipe."""


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout; NaN is refused, so that every reader can parse it."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))


def stdout() -> Console:
    """Return a console for data; it honours NO_COLOR and is plain where stdout is no terminal."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=PIPE_WIDTH)


def stderr() -> Console:
    """Return a console for progress and remarks."""
    from rich.console import Console

    return Console(stderr=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None
) -> None:
    """Print rows of text as a table on stdout."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    stdout().print(table)
