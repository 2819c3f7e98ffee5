"""A comparison for the terminal. Colours mean what the words beside them say, never more."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gpbench.compare.comparison import Comparison
from gpbench.reports.phrases import clean
from gpbench.reports.sheets import TONES, Sheet, Tone
from gpbench.reports.summary import Summary, summary

STYLES: dict[Tone, str] = {
    "plain": "",
    "good": "bold green",
    "bad": "bold red",
    "open": "yellow",
    "faint": "dim",
}
LEAST_WIDTH = 12
"""Columns of words, which fold; numbers never do."""
GAP = 2
"""Columns between two cells: one of padding, one of the box."""
WIDTH = 100
"""Columns of a report that goes to a file."""


def print_comparison(
    comparison: Comparison, console: Console, *, detailed: bool, needed: bool = False
) -> None:
    """Print the report, verdict first; all text is shown as it is, never read as markup.

    Args:
        comparison: What to print.
        console: Where.
        detailed: Whether to print what does not fit on a screen too.
        needed: Whether to print what a larger design would decide in any case.
    """
    tones = [TONES[contrast.finding.verdict] for contrast in comparison.contrasts]
    print_summary(summary(comparison, needed=needed), tones, console, detailed=detailed)


def print_summary(
    report: Summary, tones: Sequence[Tone], console: Console, *, detailed: bool
) -> None:
    """Print a report.

    Args:
        report: What to print.
        tones: Of its verdicts.
        console: Where.
        detailed: Whether to print what does not fit on a screen too.
    """
    console.print(Text(report.title, style="bold underline"))
    for banner in report.banners:
        console.print(Panel(Text(banner), style="bold yellow", expand=False))
    for tone, sentence in zip(tones, report.verdicts, strict=False):
        console.print(_item(sentence, STYLES[tone]))
    for part in report.parts:
        if part.detail and not detailed:
            continue
        console.print()
        console.print(Text(part.title, style="bold"))
        if isinstance(part, Sheet):
            _print_table(console, _table(part))
        else:
            for sentence in part.sentences:
                console.print(_item(sentence))
    console.print()
    more = "" if detailed else " | -v shows more"
    console.print(Text(f"{report.foot}{more}", style="dim"))


def comparison_text(comparison: Comparison, *, detailed: bool, needed: bool = False) -> str:
    """Return the same as plain text, 100 columns wide where tables need no more."""
    return plain_text(
        lambda console: print_comparison(comparison, console, detailed=detailed, needed=needed)
    )


def plain_text(print_report: Callable[[Console], None]) -> str:
    """Return what is printed on a console of 100 columns, without colours."""
    out = io.StringIO()
    print_report(Console(file=out, width=WIDTH, color_system=None))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _print_table(console: Console, table: Table) -> None:
    """Print a table whole: one that needs more columns than there are is not cut, but runs over."""
    width = console.width
    console.width = max(width, sum((each.min_width or 0) + GAP for each in table.columns))
    console.print(table)
    console.width = width


def _table(sheet: Sheet) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for at, column in enumerate(sheet.columns):
        if column.numeric:
            texts = (column.name, *(row[at].text for row in sheet.rows))
            widest = max(map(cell_len, texts))
            table.add_column(Text(column.name), justify="right", no_wrap=True, min_width=widest)
        else:
            table.add_column(Text(column.name), overflow="fold", min_width=LEAST_WIDTH)
    for row in sheet.rows:
        table.add_row(*(Text(_shown(cell.text), style=STYLES[cell.tone]) for cell in row))
    return table


def _shown(text: str) -> str:
    """Return a cell on one line, as far indented as it was."""
    return f"{text[: len(text) - len(text.lstrip(' '))]}{clean(text)}"


def _item(sentence: str, style: str = "") -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("-", Text(clean(sentence), style=style))
    return grid
