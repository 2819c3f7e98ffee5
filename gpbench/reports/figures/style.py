"""Colours, sizes and texts that all figures share; no state of pyplot is touched.

Lengths are inches, from the upper left corner; sizes of text are points. Colours are Okabe and
Ito's, who chose them for those who confuse some; nothing is told by a colour alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gpbench.reports.phrases import clean

WIDE, NARROW = 180 / 25.4, 90 / 25.4
"""Widths of a figure: two columns of a page, and one."""
MARGIN, GAP, LINE = 0.06, 0.1, 0.14
"""Around all, between parts, and from one line of text to the next."""
SIZE, LARGE = 7.0, 8.0

THEME: Mapping[str, tuple[str, str]] = {
    "--figure-ground": ("#ffffff", "#16191e"),
    "--figure-ink": ("#16191f", "#e8ebf1"),
    "--figure-soft": ("#555d6b", "#a7afbd"),
    "--figure-rule": ("#c3c8d1", "#444c59"),
    "--figure-band": ("#e9ecf1", "#2a303b"),
    "--figure-candidate": ("#0072b2", "#56b4e9"),
    "--figure-baseline": ("#d55e00", "#f0923f"),
    "--figure-gain": ("#6cbcec", "#0b6aa3"),
    "--figure-loss": ("#d9702a", "#a84a00"),
    "--figure-on-fill": ("#101216", "#101216"),
    "--figure-fill-1": ("#e69f00", "#e69f00"),
    "--figure-fill-2": ("#56b4e9", "#56b4e9"),
    "--figure-fill-3": ("#009e73", "#22b88d"),
    "--figure-fill-4": ("#f0e442", "#f0e442"),
    "--figure-fill-5": ("#cc79a7", "#d68ab5"),
    "--figure-fill-6": ("#b4bac4", "#9aa2b0"),
    "--figure-fill-7": ("#d9a27a", "#d9a27a"),
}
"""Every colour of a figure: variable -> its value on a light and on a dark ground."""
GROUND, INK, SOFT, RULE, BAND, CANDIDATE, BASELINE, GAIN, LOSS, ON_FILL, *FILLS = (
    light for light, _ in THEME.values()
)
HATCHES = ("", "////", "||||", "\\\\\\\\", "xxxx", "----", "++++")
"""One per fill, for those who see no colours."""

FONT = "DejaVu Sans"
"""matplotlib brings it along: a figure is laid out alike everywhere."""
_SETTINGS = {
    "font.family": [FONT],
    "font.size": SIZE,
    "axes.labelsize": SIZE,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.facecolor": "none",
    "axes.unicode_minus": False,  # as in all tables
    "axes.formatter.useoffset": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": SOFT,
    "xtick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.color": SOFT,
    "ytick.labelcolor": INK,
    "ytick.major.width": 0.6,
    "ytick.major.size": 2.5,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "gpbench",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the settings of all figures, whatever a user's own are."""
    from matplotlib import style

    with style.context(["default", _SETTINGS]), warnings.catch_warnings():
        # the font lacks many scripts; the SVG holds such names as text
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        yield


def sheet(width: float, height: float) -> Any:
    """Return an empty figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor=GROUND)
    FigureCanvasAgg(figure)
    return figure


def panel(figure: Any, left: float, top: float, width: float, height: float) -> Any:
    """Return axes at a place of the figure, with a line below and beside it only."""
    across, down = figure.get_size_inches()
    axes = figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def write(figure: Any, x: float, y: float, text: str, **look: Any) -> Any:
    """Write text at a place of the figure; `y` is its middle."""
    width, height = figure.get_size_inches()
    look = {"fontsize": SIZE, "va": "center", "color": INK, **look}
    return figure.text(x / width, 1 - y / height, text, **look)


def text_width(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Return how wide a text is."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=[FONT], size=size, weight=weight)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def fit(text: str, width: float, size: float = SIZE, weight: str = "normal") -> str:
    """Return a clean text that is at most `width` wide, its middle left out where it is longer.

    Names of one study often differ in their ends only.
    """
    text = clean(text)
    if text_width(text, size, weight) <= width:
        return text
    low, high = 1, len(text) - 1
    while low < high:  # the greatest number of characters that fits
        middle = (low + high + 1) // 2
        if text_width(_shortened(text, middle), size, weight) <= width:
            low = middle
        else:
            high = middle - 1
    return _shortened(text, low)


def fit_all(names: Iterable[str], width: float, weight: str = "normal") -> dict[str, str]:
    """Return each name as `fit` does, but where that makes several alike, what tells them apart."""
    shown = {name: fit(name, width, weight=weight) for name in names}
    for same in dict.fromkeys(shown.values()):
        alike = [name for name, text in shown.items() if text == same]
        begin = _alike_until([clean(name) for name in alike])
        if len(alike) > 1 and begin > _KEPT:
            texts = (f"\u2026{clean(name)[begin - _KEPT :]}" for name in alike)
            shown |= {
                name: _cut_off(text, width, weight) for name, text in zip(alike, texts, strict=True)
            }
    return shown


_KEPT = 5
"""Characters that stay before the place where names begin to differ."""


def _alike_until(names: Sequence[str]) -> int:
    """Return how many characters all names begin with."""
    places = zip(*names, strict=False)
    return next(
        (at for at, found in enumerate(places) if len(set(found)) > 1), min(map(len, names))
    )


def _cut_off(text: str, width: float, weight: str) -> str:
    """Return a text that is at most `width` wide, its end left out where it is longer."""
    shown = text
    while text_width(shown, weight=weight) > width and len(text) > 1:
        text = text[:-1]
        shown = f"{text.rstrip()}\u2026"
    return shown


def key(
    figure: Any, x: float, y: float, text: str, marker: str, edge: str, face: str | None = None
) -> float:
    """Draw a marker with what it means, and return where the next one may begin."""
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    figure.add_artist(
        Line2D(
            [(x + 0.04) / width],
            [1 - y / height],
            marker=marker,
            color=edge,
            markersize=3.6,
            markerfacecolor=face or edge,
            markeredgecolor=edge,
            markeredgewidth=0.8,
            transform=figure.transFigure,
        )
    )
    write(figure, x + 0.12, y, text)
    return x + 0.12 + text_width(text) + 1.5 * GAP


def swatch(
    figure: Any, x: float, y: float, width: float, face: str, edge: str, hatch: str = ""
) -> None:
    """Draw a small piece of a bar; `y` is its middle."""
    from matplotlib.patches import Rectangle

    across, down = figure.get_size_inches()
    figure.add_artist(
        Rectangle(
            (x / across, 1 - (y + 0.05) / down),
            width / across,
            0.1 / down,
            facecolor=face,
            edgecolor=edge,
            hatch=hatch,
            linewidth=0.5,
            transform=figure.transFigure,
        )
    )


def _shortened(text: str, characters: int) -> str:
    end = characters // 2
    return f"{text[: characters - end].rstrip()}\u2026{text[len(text) - end :].lstrip()}"
