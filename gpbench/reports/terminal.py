"""A comparison for the terminal. Colours mean what the words beside them say, never more."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gpbench.compare.comparison import Comparison
from gpbench.reports.sheets import Sheet, Tone
from gpbench.reports.summary import Remarks, summary

STYLES: dict[Tone, str] = {
    "plain": "",
    "good": "bold green",
    "bad": "bold red",
    "open": "yellow",
    "faint": "dim",
}
WIDTH = 100
"""Columns of a report that goes to a file."""


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print tables and remarks; all text is shown as it is, never read as markup."""
    report = summary(comparison)
    console.print(Text(report.title, style="bold underline"))
    for banner in report.banners:
        console.print(Panel(Text(banner), style="bold yellow", expand=False))
    parts = [
        *((sheet.title, _table(sheet)) for sheet in report.sheets),
        *((remarks.title, _list(remarks)) for remarks in report.remarks),
    ]
    for title, table in parts:
        console.print()
        console.print(Text(title, style="bold"))
        console.print(table)
    console.print()
    console.print(Text(report.foot, style="dim"))


def comparison_text(comparison: Comparison) -> str:
    """Return the same as plain text, 100 columns wide."""
    out = io.StringIO()
    print_comparison(comparison, Console(file=out, width=WIDTH, color_system=None))
    return out.getvalue()


def _table(sheet: Sheet) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for column in sheet.columns:
        if column.numeric:
            table.add_column(Text(column.name), justify="right", no_wrap=True)
        else:
            table.add_column(Text(column.name), overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(cell.text, style=STYLES[cell.tone]) for cell in row))
    return table


def _list(remarks: Remarks) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for sentence in remarks.sentences:
        grid.add_row("-", Text(sentence))
    return grid
