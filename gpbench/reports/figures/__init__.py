"""Figures of a comparison, as SVG and PNG. matplotlib is imported when one is drawn."""

from gpbench.reports.figures.all_figures import figures
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.files import write_plots
from gpbench.reports.figures.render import png, svg
from gpbench.reports.figures.style import THEME

__all__ = ["THEME", "Figure", "figures", "png", "svg", "write_plots"]
