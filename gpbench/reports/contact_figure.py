"""A contact sheet as one matplotlib figure; no state of pyplot is touched. Lengths are inches."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gpbench.reports.contact_content import ContactSheet, Example
from gpbench.reports.pictures import Pixels, hatching

CELL = 3.1
"""Width of a picture's place, with the gap beside it."""
GAP, MARGIN, LINE = 0.12, 0.4, 0.23
"""Between pictures, around all, and from one line of text to the next."""
MOST_COLUMNS = 4
TALLEST = 1.3
"""Height of a picture over the width of its place, at most: taller ones are drawn narrower."""
CLASS = 4.0
"""Least width of a class in the legend."""
NAME, BAR = 0.42, 0.75
"""Where a class's name and bar end, as shares of its width; its percentage follows."""
SWATCH_PX = 40
CHARACTERS = 13
"""Of a line of text, to an inch."""
INK, SOFT, DARK, LIGHT = "#16191f", "#555d6b", "#8b93a1", "#edeff3"


class _Paper:
    """A figure that is filled from the top; x and y are inches from the upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.size = (width, height)
        self.figure = Figure(figsize=self.size, facecolor="white")
        FigureCanvasAgg(self.figure)

    def text(self, x: float, y: float, text: str, size: float = 9, **style: Any) -> None:
        width, height = self.size
        style = {"color": INK, "va": "baseline", "parse_math": False, **style}
        self.figure.text(x / width, 1 - y / height, text, fontsize=size, **style)

    def picture(self, x: float, y: float, size: tuple[float, float], pixels: Pixels) -> None:
        """Draw pixels with the upper left corner at (x, y), (width, height) large."""
        width, height = self.size
        place = (x / width, 1 - (y + size[1]) / height, size[0] / width, size[1] / height)
        axes = self.figure.add_axes(place)
        axes.imshow(pixels, aspect="auto")
        axes.set_axis_off()

    def box(self, x: float, y: float, size: tuple[float, float], colour: str, **style: Any) -> None:
        from matplotlib.patches import Rectangle

        width, height = self.size
        corner = (x / width, 1 - (y + size[1]) / height)
        self.figure.add_artist(
            Rectangle(
                corner,
                size[0] / width,
                size[1] / height,
                facecolor=colour,
                transform=self.figure.transFigure,
                **{"linewidth": 0, **style},
            )
        )


@dataclass(frozen=True)
class _Layout:
    """Sizes that follow from what is shown."""

    columns: int
    """Of pictures in one example."""
    side_by_side: int
    """Examples in one row."""
    legend_columns: int
    width: float

    @property
    def characters(self) -> int:
        return int((self.width - 2 * MARGIN) * CHARACTERS)

    def rows(self, examples: Sequence[Example]) -> Iterator[Sequence[Example]]:
        for start in range(0, len(examples), self.side_by_side):
            yield examples[start : start + self.side_by_side]

    def picture_height(self, example: Example) -> float:
        height, width, _ = example.pictures[0].pixels.shape
        return (CELL - GAP) * min(TALLEST, float(height / width))

    def example_height(self, example: Example) -> float:
        rows = math.ceil(len(example.pictures) / self.columns)
        return 1.5 * LINE + rows * (self.picture_height(example) + 2 * LINE)


def sheet_figure(sheet: ContactSheet) -> Any:
    """Return the figure, ready to be saved."""
    layout = _layout(sheet)
    lines = _lines(sheet, layout)
    legend_rows = math.ceil((len(sheet.classes) + 1) / layout.legend_columns)
    rows = list(layout.rows(sheet.examples))
    heights = [max(map(layout.example_height, row)) for row in rows]
    terms = textwrap.wrap(f"Terms of the images: {sheet.terms}", layout.characters)
    n_lines = len(lines) + legend_rows + len(terms) + 4.5
    height = 2 * MARGIN + n_lines * LINE + sum(heights)
    paper = _Paper(layout.width, height)
    y = MARGIN + LINE
    paper.text(MARGIN, y, _short(sheet.title, layout.characters * 9 // 16), 16, weight="bold")
    for line in lines:
        y += LINE
        paper.text(MARGIN, y, line, color=SOFT)
    y += 2 * LINE
    paper.text(MARGIN, y, f"Classes, in percent of the labelled pixels of {sheet.counted}", 10)
    _draw_legend(paper, sheet, layout, y + LINE)
    y += (legend_rows + 1.5) * LINE
    for row, row_height in zip(rows, heights, strict=True):
        for i, example in enumerate(row):
            _draw_example(paper, example, layout, MARGIN + i * CELL * layout.columns, y)
        y += row_height
    for line in terms:
        y += LINE
        paper.text(MARGIN, y, line, color=SOFT)
    return paper.figure


def _layout(sheet: ContactSheet) -> _Layout:
    n_pictures = max((len(example.pictures) for example in sheet.examples), default=1)
    columns = min(MOST_COLUMNS, n_pictures)
    side_by_side = min(len(sheet.examples) or 1, MOST_COLUMNS // columns)
    width = max(2 * MARGIN + CELL * columns * side_by_side, 2 * MARGIN + 2 * CELL)
    return _Layout(columns, side_by_side, int((width - 2 * MARGIN) // CLASS), width)


def _lines(sheet: ContactSheet, layout: _Layout) -> list[str]:
    texts = [f"{about}: {says}" for about, says in sheet.facts]
    return [
        line for text in (*texts, *sheet.remarks) for line in textwrap.wrap(text, layout.characters)
    ]


def _draw_legend(paper: _Paper, sheet: ContactSheet, layout: _Layout, top: float) -> None:
    width = (layout.width - 2 * MARGIN) / layout.legend_columns
    rows = math.ceil((len(sheet.classes) + 1) / layout.legend_columns)
    swatch, bar = 0.15, (BAR - NAME) * width - GAP
    for i in range(len(sheet.classes) + 1):
        x, y = MARGIN + i // rows * width, top + i % rows * LINE
        if i < len(sheet.classes):
            share = sheet.classes[i]
            remark = " (excluded)" if share.excluded else ""
            name, percent, shown = f"{share.name}{remark}", share.percent, share.text
            paper.box(x, y, (swatch, swatch), share.colour, linewidth=0.6, edgecolor=DARK)
        else:
            name, percent, shown = "ignored", sheet.ignored, sheet.ignored_text
            paper.picture(x, y, (swatch, swatch), hatching(SWATCH_PX, SWATCH_PX))
        start = x + swatch + GAP
        paper.text(start, y + swatch, _short(name, int((NAME * width - swatch) * CHARACTERS)))
        paper.box(x + NAME * width, y + 0.05, (bar, 0.1), LIGHT)
        paper.box(x + NAME * width, y + 0.05, (bar * percent / 100, 0.1), DARK)
        paper.text(x + BAR * width, y + swatch, shown, color=INK if percent else SOFT)


def _draw_example(
    paper: _Paper, example: Example, layout: _Layout, left: float, top: float
) -> None:
    y = top + LINE
    room = int((CELL * min(layout.columns, len(example.pictures)) - GAP) * CHARACTERS)
    name = _short(example.name, room // 2)
    paper.text(left, y, name, 10, weight="bold")
    y += LINE * 0.75
    paper.text(left, y, _short(example.facts, room), 8, color=SOFT)
    height, place = layout.picture_height(example), CELL - GAP
    for i, picture in enumerate(example.pictures):
        rows, columns, _ = picture.pixels.shape
        width = min(place, height * columns / rows)
        x = left + i % layout.columns * CELL
        above = y + GAP + i // layout.columns * (height + 2 * LINE)
        paper.picture(x, above, (width, height), picture.pixels)
        caption = f"{picture.title}  {picture.note}" if picture.note else picture.title
        paper.text(x, above + height + 0.16, _short(caption, int(place * CHARACTERS * 1.25)), 8)


def _short(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}\u2026"
