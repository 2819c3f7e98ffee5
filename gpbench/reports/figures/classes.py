"""Differences by class with their simultaneous band. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gpbench.compare.comparison import Comparison, Contrast
from gpbench.compare.images import ImageScope
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.style import (
    GAIN,
    GAP,
    GROUND,
    INK,
    LINE,
    LOSS,
    MARGIN,
    NARROW,
    SOFT,
    WIDE,
    fit,
    fit_all,
    panel,
    sheet,
    styled,
    swatch,
    text_width,
    write,
)
from gpbench.reports.phrases import clean
from gpbench.reports.sheets import name
from gpbench.reports.wording import NOTHING, points, probability, span
from gpbench.stats.bootstrap import FEWEST_CLUSTERS, ClassDifference

ROW = 0.19
MOST_NAME = 1.2
HEAD, ABOVE, BELOW = 0.3, 0.3, 0.44
"""Room for the key; above a panel for its title; and below it for its axis."""
HATCH = "////"


@dataclass(frozen=True)
class Part:
    """The classes of one dataset."""

    dataset: str
    scenes: int
    classes: tuple[tuple[str, ClassDifference], ...]

    @property
    def height(self) -> float:
        return len(self.classes) * ROW


def class_figures(comparison: Comparison) -> Iterator[Figure]:
    """Yield a figure per contrast that has differences by class."""
    found = [(each, parts) for each in comparison.contrasts if (parts := _parts(each))]
    for at, (contrast, parts) in enumerate(found):
        arms = f"{clean(name(comparison, contrast))} against {clean(contrast.baseline)}"
        yield Figure(
            f"classes-{at + 1}",
            f"Differences by class: {arms}",
            " ".join(_caption(comparison, contrast, parts)),
            " ".join(_alt(parts)),
            partial(_draw, contrast.metric, parts),
        )


def _parts(contrast: Contrast) -> list[Part]:
    return [
        Part(row.dataset.name, row.images.clusters, row.images.classes)
        for row in contrast.rows
        if isinstance(row.images, ImageScope) and row.images.classes
    ]


def _class_metric(metric: str) -> str:
    """Return what the mean is of, such as IoU of mIoU."""
    return metric.removeprefix("m")


def _caption(comparison: Comparison, contrast: Contrast, parts: Sequence[Part]) -> Iterator[str]:
    yield (
        f"{clean(name(comparison, contrast))} minus {clean(contrast.baseline)}, difference of the "
        f"classes' {clean(_class_metric(contrast.metric))} in percent points."
    )
    yield (
        f"Lines: {100 * (1 - comparison.alpha):g} % band, which covers all classes of a dataset "
        "together, for the choice of scenes alone (n is scenes): it says nothing of what training "
        "again would give, so a band without 0 is no verdict on the strategies."
    )
    yield (
        "q is p adjusted for the false-discovery rate (Benjamini-Hochberg) over a dataset's "
        "classes: for exploring, not for claims."
    )
    if _few(parts):
        yield f"Hatched: no interval: in fewer than {FEWEST_CLUSTERS} scenes."
    if any(
        each.band is None and each.clusters >= FEWEST_CLUSTERS
        for part in parts
        for _, each in part.classes
    ):
        yield "Hatched though in enough scenes: no interval, as the scores do not vary."


def _few(parts: Sequence[Part]) -> bool:
    """Return whether a class is in too few scenes for an interval."""
    return any(each.clusters < FEWEST_CLUSTERS for part in parts for _, each in part.classes)


def _alt(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        told = (
            f"{clean(label)} {points(each.difference)}"
            + (f" {span(each.band)}" if each.band else " without interval")
            for label, each in part.classes
        )
        yield f"{clean(part.dataset)}: {', '.join(told)}."


def _draw(metric: str, parts: Sequence[Part]) -> Any:
    with styled():
        ends = [HEAD] * min(2, len(parts))
        places = []
        for part in parts:  # each goes below the shorter column
            column = ends.index(min(ends))
            places.append((column * WIDE / 2, ends[column]))
            ends[column] += ABOVE + part.height + BELOW
        figure = sheet(WIDE if len(ends) > 1 else NARROW, max(ends))
        _draw_key(figure, parts)
        for part, (left, top) in zip(parts, places, strict=True):
            _draw_part(figure, metric, part, left, top)
    return figure


def _draw_key(figure: Any, parts: Sequence[Part]) -> None:
    keys = [("gain", GAIN, GAIN, ""), ("loss", LOSS, LOSS, "")]
    if _few(parts):
        keys.append((f"no interval: in fewer than {FEWEST_CLUSTERS} scenes", GROUND, SOFT, HATCH))
    x = MARGIN
    for text, face, edge, hatch in keys:
        swatch(figure, x, LINE, 0.16, face, edge, hatch)
        write(figure, x + 0.21, LINE, text)
        x += 0.21 + text_width(text) + 1.5 * GAP


def _draw_part(figure: Any, metric: str, part: Part, left: float, top: float) -> None:
    room = NARROW - 2 * MARGIN
    widest = max(text_width(clean(label)) for label, _ in part.classes)
    label_end = left + MARGIN + min(MOST_NAME, widest)
    notes = [_note(each) for _, each in part.classes]
    note = max(text_width(text) for text in notes)
    right = left + MARGIN + room
    title = f"{fit(part.dataset, room - 0.9, weight='bold')}"
    write(figure, left + MARGIN, top + 0.1, title, weight="bold")
    write(figure, right, top + 0.1, "scenes, q", ha="right", color=SOFT)
    y = top + ABOVE - 0.04
    axes = panel(figure, label_end + GAP, y, right - note - label_end - 2 * GAP, part.height)
    axes.set_yticks([])
    axes.set_ylim(len(part.classes) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=SOFT, linewidth=0.7)
    axes.margins(x=0.06)
    names = fit_all([label for label, _ in part.classes], MOST_NAME)
    for at, ((label, each), text) in enumerate(zip(part.classes, notes, strict=True)):
        middle = y + (at + 0.5) * ROW
        write(figure, label_end, middle, names[label], ha="right")
        write(figure, right, middle, text, ha="right")
        _draw_class(axes, at, each)
    axes.set_xlabel(fit(f"difference of {_class_metric(metric)}, percent points", NARROW))


def _note(found: ClassDifference) -> str:
    if found.band is not None:
        return f"{found.clusters}, {probability(found.q)}"
    return f"{found.clusters}, {NOTHING}"


def _draw_class(axes: Any, at: int, found: ClassDifference) -> None:
    colour = GAIN if found.difference >= 0 else LOSS
    bare = found.band is None
    axes.barh(
        [at],
        [found.difference],
        height=0.6,
        facecolor=GROUND if bare else colour,
        edgecolor=SOFT if bare else colour,
        hatch=HATCH if bare else "",
        linewidth=0.6,
    )
    if found.band is not None:
        axes.plot(found.band, [at] * 2, color=INK, linewidth=0.9, gid=f"band-{at}")
        axes.plot(found.band, [at] * 2, "|", color=INK, markersize=4)
