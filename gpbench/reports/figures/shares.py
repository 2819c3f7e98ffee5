"""Which sources the variance of gains and of scores comes from. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Any

from gpbench.compare.comparison import Comparison, Sources
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.style import (
    FILLS,
    GAP,
    HATCHES,
    LINE,
    MARGIN,
    ON_FILL,
    WIDE,
    panel,
    sheet,
    styled,
    swatch,
    text_width,
    write,
)
from gpbench.reports.phrases import clean
from gpbench.stats.shares import VarianceShares

HEIGHT, FOOT = 0.32, 0.4
"""Of a bar with the gap above it, and of the axis."""
SWATCH = 0.16


@dataclass(frozen=True)
class Bar:
    """Of what the shares are, each in [0, 1], in the order of the sources."""

    label: str
    shares: tuple[tuple[str, float], ...]


def shares(comparison: Comparison) -> Iterator[Figure]:
    """Yield the figure, where the shares of some label fraction are known."""
    known = [(each, each.found) for each in comparison.sources if not isinstance(each.found, str)]
    several = len(comparison.sources) > 1
    bars = [bar for each, found in known for bar in _bars(each, found, several=several)]
    if not bars:
        return
    sources = list(dict.fromkeys(share.source for _, found in known for share in found.shares))
    yield Figure(
        "shares",
        "Where the variance of gains and of scores comes from",
        " ".join(_caption(comparison.metric, known, several=several)),
        " ".join(_alt(bars)),
        partial(_draw, bars, sources),
    )


def _bars(sources: Sources, found: VarianceShares, *, several: bool) -> Iterator[Bar]:
    """Yield the bars of a gain and of a score; none where nothing varies."""
    of_gain = tuple((each.source, each.of_gain) for each in found.shares)
    of_score = tuple((each.source, each.of_score) for each in found.shares)
    labels = f", {_labels(sources)}" if several else ""
    for label, told in (("a gain", of_gain), ("a score", of_score)):
        parts = tuple((source, share) for source, share in told if share is not None)
        if parts:
            yield Bar(f"{label}{labels}", parts)


def _labels(sources: Sources) -> str:
    return f"{100 * sources.label_fraction:g} % labels"


def _caption(
    metric: str, known: Sequence[tuple[Sources, VarianceShares]], *, several: bool
) -> Iterator[str]:
    yield (
        f"Shares of the variance ({clean(metric)}, percent points squared) of one run's score, and "
        "of the gain of one run over another arm's, by source, from expected mean squares; point "
        "estimates without an interval. A dataset's level cancels in a gain; what test images add "
        "to a score is not known."
    )
    for sources, found in known:
        before = f"{_labels(sources)}: " if several else ""
        sds = ", ".join(f"{each.source} {sqrt(each.variance):.2f}" for each in found.shares)
        yield (
            f"{before}n: {len(sources.arms)} arms, {len(sources.datasets)} datasets, "
            f"{len(sources.backbones)} backbone{'' if len(sources.backbones) == 1 else 's'}; "
            f"standard deviations of a score in percent points: {sds}."
        )
        if found.negative:
            told = ", ".join(found.negative)
            yield f"{before}Estimated below 0 and set to 0: {told}."
        if found.unknown:
            yield f"{before}Not known: {'; '.join(found.unknown)}."


def _alt(bars: Sequence[Bar]) -> Iterator[str]:
    for bar in bars:
        told = ", ".join(f"{source} {_percent(share)}" for source, share in bar.shares)
        yield f"Variance of {bar.label}: {told}."


def _percent(share: float) -> str:
    """Return whole percents; near 0 and 100 a decimal, so that a part is not all or nothing."""
    extreme = 0 < share < 0.01 or 0.99 < share < 1
    return f"{100 * share:.1f} %" if extreme else f"{100 * share:.0f} %"


def _draw(bars: Sequence[Bar], sources: Sequence[str]) -> Any:
    with styled():
        label = max(text_width(bar.label) for bar in bars)
        left = MARGIN + label + GAP
        keys = _keys(sources)
        top = MARGIN + (1 + max(line for line, _, _ in keys)) * 1.3 * LINE + 0.5 * GAP
        width = WIDE - left - 2.5 * GAP
        height = len(bars) * HEIGHT
        figure = sheet(WIDE, top + height + FOOT)
        axes = panel(figure, left, top, width, height)
        axes.set_xlim(0, 100)
        axes.set_ylim(len(bars) - 0.5, -0.5)
        axes.set_yticks([])
        axes.set_xlabel("share of the variance, percent")
        for line, x, source in keys:
            y = MARGIN + (line + 0.5) * 1.3 * LINE
            swatch(figure, x, y, SWATCH, *_look(sources, source))
            write(figure, x + SWATCH + 0.05, y, source)
        for at, bar in enumerate(bars):
            write(figure, MARGIN + label, top + (at + 0.5) * HEIGHT, bar.label, ha="right")
            _draw_bar(axes, at, bar, sources, width / 100)
    return figure


def _keys(sources: Sequence[str]) -> list[tuple[int, float, str]]:
    """Return each source's line and place in the key."""
    found, line, x = [], 0, MARGIN
    for source in sources:
        size = SWATCH + 0.05 + text_width(source) + 1.5 * GAP
        if x + size > WIDE - MARGIN:
            line, x = line + 1, MARGIN
        found.append((line, x, source))
        x += size
    return found


def _look(sources: Sequence[str], source: str) -> tuple[str, str, str]:
    """Return a source's fill, edge and hatch."""
    at = sources.index(source)
    return FILLS[at % len(FILLS)], ON_FILL, HATCHES[at % len(HATCHES)]


def _draw_bar(axes: Any, at: int, bar: Bar, sources: Sequence[str], inches: float) -> None:
    """Draw the parts one after another; those with room for it have their percentage."""
    before = 0.0
    for source, share in bar.shares:
        percent = 100 * share
        fill, edge, hatch = _look(sources, source)
        axes.barh(
            [at],
            [percent],
            left=[before],
            height=0.66,
            facecolor=fill,
            edgecolor=edge,
            hatch=hatch,
            linewidth=0.5,
            gid=f"share-{at}-{sources.index(source)}",
        )
        text = _percent(share)
        if text_width(text) + 0.08 < percent * inches:
            ground = {"facecolor": fill, "edgecolor": "none", "pad": 1}
            middle = before + percent / 2
            axes.text(middle, at, text, ha="center", va="center", color=ON_FILL, bbox=ground)
        before += percent
