"""Where output goes: data on stdout, everything else on stderr."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console


PIPE_WIDTH = 120


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout; NaN is refused, so that every reader can parse it."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))


def stdout() -> Console:
    """Return a console for data; it honours NO_COLOR and COLUMNS, and is plain in a pipe."""
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        return console
    return Console(file=cast("IO[str]", _Piped(sys.stdout)), width=pipe_width())


def pipe_width() -> int:
    """Return the columns of what goes into a file or pipe: COLUMNS, where that is above 0."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else PIPE_WIDTH


def stderr() -> Console:
    """Return a console for progress and remarks."""
    from rich.console import Console

    return Console(stderr=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None
) -> None:
    """Print rows of text as a table on stdout and a blank line; wide cells fold between words."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console, cells = stdout(), [list(row) for row in rows]
    frame = 2 * len(columns) - 1
    table = Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column, width in zip(
        columns, column_widths([columns, *cells], console.width - frame), strict=True
    ):
        table.add_column(column, overflow="fold", width=width)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    console.print()


def number(count: int, noun: str) -> str:
    """Return a count and what is counted, such as `1 stage` or `1,200 stages`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def column_widths(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return how wide the columns of a table are to be; only the widest ones lose anything.

    Words are broken only where the longest ones of all columns have no room side by side.

    Args:
        rows: The cells, headings among them.
        room: Characters for all columns together.
    """
    from rich.cells import cell_len

    columns = list(zip(*rows, strict=True))
    lines = [
        max(cell_len(line) for cell in column for line in cell.splitlines() or [""])
        for column in columns
    ]
    words = [
        max(cell_len(word) for cell in column for word in cell.split() or [""])
        for column in columns
    ]
    wanted, least = (lines, words) if sum(words) <= room else (words, [1] * len(words))
    for most in range(max(wanted, default=1), 0, -1):
        widths = [max(low, min(want, most)) for low, want in zip(least, wanted, strict=True)]
        if sum(widths) <= room:
            break
    return widths


class _Piped(io.TextIOBase):
    """Passes text on without the blanks that fill its lines up."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    @property
    def encoding(self) -> str:  # type: ignore[override]  # rich asks which characters there are
        return self._file.encoding

    def write(self, text: str) -> int:
        return self._file.write(re.sub(r"[ ]+$", "", text, flags=re.MULTILINE))

    def flush(self) -> None:
        self._file.flush()
