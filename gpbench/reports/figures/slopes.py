"""From the baseline to the candidate on each dataset, with every score. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from statistics import fmean
from typing import Any

from gpbench.compare.comparison import Comparison, Contrast, Row
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.style import (
    BASELINE,
    CANDIDATE,
    GAP,
    GROUND,
    INK,
    LINE,
    MARGIN,
    NARROW,
    SOFT,
    WIDE,
    fit,
    key,
    panel,
    sheet,
    styled,
    write,
)
from gpbench.reports.phrases import clean
from gpbench.reports.sheets import name
from gpbench.reports.wording import points

MOST_COLUMNS, MOST_BANDS = 5, 6
"""Panels beside each other, and rows of panels in one figure."""
HEIGHT = 1.05
"""Of a panel."""
TICKS = 0.36
"""Room left of a panel for its numbers."""
HEAD, ABOVE, BELOW = 0.3, 0.42, 0.24
"""Room for the key; above a row of panels for names; and below it for the arms."""
FIRST, STEP = 0.1, 0.07
"""Of a pre-training's scores from the end of the line, and from the next one's."""


@dataclass(frozen=True)
class Band:
    """A row of panels: a contrast on some datasets."""

    title: str
    rows: tuple[Row, ...]


def slopes(comparison: Comparison) -> Iterator[Figure]:
    """Yield the slopes of all contrasts: several figures where a page does not hold all panels."""
    most = max((len(contrast.rows) for contrast in comparison.contrasts), default=0)
    if not most:
        return
    columns = ceil(most / ceil(most / MOST_COLUMNS))
    bands = [band for each in comparison.contrasts for band in _bands(comparison, each, columns)]
    ranges = _ranges(comparison.contrasts)
    pages = [bands[at : at + MOST_BANDS] for at in range(0, len(bands), MOST_BANDS)]
    for at, page in enumerate(pages):
        part = f", part {at + 1} of {len(pages)}" if len(pages) > 1 else ""
        yield Figure(
            f"slopes-{at + 1}" if at else "slopes",
            f"From the baseline to the candidate on each dataset{part}",
            " ".join(_caption(comparison)),
            " ".join(_alt(page)),
            partial(_draw, comparison.metric, page, columns, ranges),
        )


def _bands(comparison: Comparison, contrast: Contrast, columns: int) -> Iterator[Band]:
    title = f"{name(comparison, contrast)} against {contrast.baseline}"
    for at in range(0, len(contrast.rows), columns):
        yield Band(title, contrast.rows[at : at + columns])


def _ranges(contrasts: Sequence[Contrast]) -> Mapping[str, tuple[float, float]]:
    """Return what each dataset's panels show: the same for all contrasts."""
    found: dict[str, list[float]] = {}
    for contrast in contrasts:
        for row in contrast.rows:
            found.setdefault(row.dataset.name, []).extend([*row.candidate, *row.baseline])
    return {dataset: (min(values), max(values)) for dataset, values in found.items()}


def _caption(comparison: Comparison) -> Iterator[str]:
    yield (
        f"Scores in {clean(comparison.metric)}, percent points; a marker is one fine-tuning "
        "(averaged over backbones where there are several), those of one pre-training stand above "
        "each other. The thick line joins the arms' means, thin lines join pre-trainings of the "
        "same seed (means of their fine-tunings) where both arms have it."
    )
    yield "A dataset's panels share their axis, which does not begin at 0. No interval is shown."


def _alt(bands: Sequence[Band]) -> Iterator[str]:
    for band in bands:
        told = (
            f"{clean(row.dataset.name)} {row.baseline_mean:.2f} to {row.candidate_mean:.2f} "
            f"({points(row.candidate_mean - row.baseline_mean)})"
            for row in band.rows
        )
        yield f"{clean(band.title)}, means: {', '.join(told)}."


def _draw(
    metric: str,
    bands: Sequence[Band],
    columns: int,
    ranges: Mapping[str, tuple[float, float]],
) -> Any:
    with styled():
        width = NARROW if columns == 1 else WIDE
        down = ABOVE + HEIGHT + BELOW
        figure = sheet(width, HEAD + len(bands) * down)
        x = key(figure, MARGIN, LINE, "baseline", "o", BASELINE, GROUND)
        key(figure, x, LINE, "candidate", "o", CANDIDATE)
        unit = fit(f"{metric}, percent points", width / 2)
        write(figure, width - MARGIN, LINE, unit, ha="right", color=SOFT)
        across = (width - 2 * MARGIN) / columns
        for at, band in enumerate(bands):
            top = HEAD + at * down
            title = fit(band.title, width - 2 * MARGIN, weight="bold")
            write(figure, MARGIN, top + 0.1, title, weight="bold")
            for i, row in enumerate(band.rows):
                left = MARGIN + i * across + TICKS
                room = across - TICKS - GAP
                write(figure, left, top + 0.29, fit(row.dataset.name, room))
                axes = panel(figure, left, top + ABOVE, room, HEIGHT)
                _draw_row(axes, row, ranges[row.dataset.name])
    return figure


def _draw_row(axes: Any, row: Row, shown: tuple[float, float]) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = shown
    free = 0.08 * (high - low) or 1.0
    axes.set_ylim(low - free, high + free)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    baseline = _units(row.baseline, row.baseline_pretrain_seeds)
    candidate = _units(row.candidate, row.candidate_pretrain_seeds)
    out = FIRST + STEP * (max(len(baseline), len(candidate)) - 1) + 0.08
    axes.set_xlim(-out, 1 + out)
    axes.set_xticks([0, 1], ["baseline", "candidate"])
    ours = {seed: fmean(values) for seed, values in baseline if seed is not None}
    for seed, values in candidate:
        if seed in ours:
            axes.plot([0, 1], [ours[seed], fmean(values)], color=SOFT, linewidth=0.6, gid="pair")
    axes.plot([0, 1], [row.baseline_mean, row.candidate_mean], color=INK, linewidth=2, gid="mean")
    for side, units in ((0, baseline), (1, candidate)):
        for at, (_, values) in enumerate(units):
            axes.plot(
                [side + (FIRST + at * STEP) * (1 if side else -1)] * len(values),
                values,
                "o",
                color=CANDIDATE if side else BASELINE,
                markersize=3.2,
                markerfacecolor=CANDIDATE if side else GROUND,
                markeredgecolor=CANDIDATE if side else BASELINE,
                markeredgewidth=0.7,
                gid="candidate" if side else "baseline",
            )


def _units(
    values: Sequence[float], seeds: Sequence[int | None]
) -> list[tuple[int | None, list[float]]]:
    """Return the scores by pre-training; without one each stands alone."""
    found: dict[tuple[int | None, int], list[float]] = {}
    for at, (value, seed) in enumerate(zip(values, seeds, strict=True)):
        found.setdefault((seed, at if seed is None else -1), []).append(value)
    return [(seed, unit) for (seed, _), unit in found.items()]
