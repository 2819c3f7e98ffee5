"""Which figures a comparison has. Pure."""

from __future__ import annotations

from gpbench.compare.comparison import Comparison
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.forest import forest


def figures(comparison: Comparison) -> tuple[Figure, ...]:
    """Return the figures that have something to show, the forest plot first."""
    return tuple(forest(comparison))
