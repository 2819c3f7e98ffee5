"""A comparison as one HTML document that needs no other file and runs no script."""

from __future__ import annotations

import base64
from importlib.metadata import version
from typing import Any
from xml.etree import ElementTree as ET

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gpbench.compare.comparison import Comparison
from gpbench.reports.figures import THEME, Figure, figures, svg
from gpbench.reports.html_content import grouped, parts, unlike, values, verdict_lines
from gpbench.reports.methods import methods
from gpbench.reports.phrases import clean
from gpbench.reports.raw import comparison_csv
from gpbench.reports.sheets import Sheet
from gpbench.reports.summary import summary


def comparison_html(comparison: Comparison) -> str:
    """Return the document; every text in it is escaped, and the same input gives the same bytes."""
    report = summary(comparison)
    drawn = figures(comparison)
    raw = base64.b64encode(comparison_csv(comparison).encode("utf-8", "replace")).decode()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            comparison=comparison,
            report=report,
            verdicts=tuple(verdict_lines(comparison)),
            forest=tuple(figure for figure in drawn if _is_forest(figure)),
            more_figures=tuple(figure for figure in drawn if not _is_forest(figure)),
            results=tuple(parts(report, detail=False)),
            details=tuple(parts(report, detail=True)),
            unlike=tuple(unlike(comparison)),
            methods=methods(comparison),
            values=values(report),
            csv=f"data:text/csv;charset=utf-8;base64,{raw}",
            theme=THEME,
            version=version("gpbench"),
        )
    )


def _is_forest(figure: Figure) -> bool:
    """Return whether a figure is the forest plot, or a part of it."""
    return figure.name.partition("-")[0] == "forest"


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("gpbench.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    made.filters.update(drawn=_drawn, grouped=grouped)
    made.tests.update(sheet=lambda part: isinstance(part, Sheet))
    return made


def _shown(value: Any) -> Any:
    """Return a template value without what reorders or hides characters; markup is left alone."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _drawn(figure: Figure) -> tuple[Markup, float]:
    """Return the figure as markup, and its own width in rem: an inch is 96 pixels, a rem 16."""
    drawn = svg(figure, themed=True)
    width = ET.fromstring(drawn).get("width", "")  # noqa: S314  what `svg` has just written
    return Markup(drawn), float(width.removesuffix("pt")) / 72 * 6  # noqa: S704  escaped by `svg`
