"""Page -> HTML text: the one place where values are escaped and rid of absolute paths."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gpbench.reports.wording import probability
from gpbench_leaderboard.page import Page
from gpbench_leaderboard.privacy import without_paths

MINUS = "\N{MINUS SIGN}"


def render(page: Page) -> str:
    """Return the HTML document of a page."""
    return environment().get_template("index.html.j2").render(page=page)


def environment() -> Environment:
    """Return templates that escape and scrub every value and refuse unknown names."""
    made = Environment(
        loader=PackageLoader("gpbench_leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=shown,
    )
    made.filters.update(
        points=points, signed=signed, tick=tick, p_value=probability, share=share, slug=slug
    )
    return made


def shown(value: Any) -> Any:
    """Return a template value without absolute paths; what is already markup is left alone."""
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return without_paths(value) if is_text else value


def points(value: float) -> str:
    """Return percent points with two decimals: 61.35."""
    return f"{value:.2f}".replace("-", MINUS)


def signed(value: float) -> str:
    """Return a difference of percent points with its sign: +1.20; a rounded 0 has none."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", MINUS)


def tick(value: float) -> str:
    """Return the shortest text of a round number: 2.5, -10."""
    return f"{value + 0.0:g}".replace("-", MINUS)


def share(value: float) -> str:
    """Return a fraction in percent: 0.01 -> 1 %."""
    return f"{value * 100:g} %"


def slug(value: str) -> str:
    """Return a word fit for a class name: letters, digits and hyphens only."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in value)
