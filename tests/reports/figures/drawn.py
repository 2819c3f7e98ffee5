"""Reads what a figure has drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gpbench.compare.comparison import Comparison, Finding
from gpbench.reports.figures import Figure, figures


def figure(comparison: Comparison, name: str) -> Figure:
    """Return the comparison's figure of that name."""
    return next(each for each in figures(comparison) if each.name == name)


def lines(drawn: Any, gid: str) -> list[tuple[Sequence[float], Sequence[float]]]:
    """Return x and y of every line or set of markers with that id."""
    return [
        (list(line.get_xdata()), list(line.get_ydata()))
        for axes in drawn.axes
        for line in axes.lines
        if line.get_gid() == gid
    ]


def markers(drawn: Any, gid: str) -> list[Any]:
    return [line for axes in drawn.axes for line in axes.lines if line.get_gid() == gid]


def texts(drawn: Any) -> list[str]:
    """Return all texts, of axes too."""
    from matplotlib.text import Text

    return [text.get_text() for text in drawn.findobj(Text) if text.get_text()]


def with_finding(comparison: Comparison, finding: Finding) -> Comparison:
    """Return the comparison with another finding of its first contrast and of all its rows."""
    first, *rest = comparison.contrasts
    rows = tuple(replace(row, finding=finding) for row in first.rows)
    changed = replace(first, finding=finding, rows=rows)
    return replace(comparison, contrasts=(changed, *rest))
