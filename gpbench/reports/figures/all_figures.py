"""Which figures a comparison has. Pure."""

from __future__ import annotations

from gpbench.compare.comparison import Comparison
from gpbench.reports.figures.ablation import ablation
from gpbench.reports.figures.classes import class_figures
from gpbench.reports.figures.critical_difference import critical_difference
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.forest import forest
from gpbench.reports.figures.shares import shares
from gpbench.reports.figures.slopes import slopes


def figures(comparison: Comparison) -> tuple[Figure, ...]:
    """Return the figures that have something to show, the forest plot first."""
    kinds = (forest, slopes, class_figures, shares, ablation, critical_difference)
    return tuple(figure for kind in kinds for figure in kind(comparison))
