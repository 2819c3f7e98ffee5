"""Mean ranks of all arms with Nemenyi's critical difference: a figure, never a verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import ceil
from typing import Any

from gpbench.compare.comparison import Comparison, Omnibus
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.style import (
    GAP,
    INK,
    MARGIN,
    SOFT,
    WIDE,
    fit_all,
    panel,
    sheet,
    styled,
    text_width,
    write,
)
from gpbench.reports.phrases import clean
from gpbench.stats.friedman import nemenyi_cd

FEWEST_ARMS, FEWEST_DATASETS = 3, 3
ROW, BAR = 0.19, 0.1
"""Heights of an arm's line, and of a bar that joins arms."""
TOP = 0.62
"""Where the axis of ranks is."""
MOST_NAME, BESIDE = 1.9, 0.45
"""Widths of a name, and of the mean rank between it and the axis."""


def critical_difference(comparison: Comparison) -> Iterator[Figure]:
    """Yield a diagram per label fraction with at least 3 arms on 3 datasets."""
    found = [
        each
        for each in comparison.omnibus
        if len(each.arms) >= FEWEST_ARMS and len(each.datasets) >= FEWEST_DATASETS
    ]
    for at, omnibus in enumerate(found):
        cd = nemenyi_cd(len(omnibus.arms), len(omnibus.datasets), comparison.alpha)
        labels = f" ({100 * omnibus.label_fraction:g} % labels)" if len(found) > 1 else ""
        yield Figure(
            f"critical-difference-{at + 1}" if at else "critical-difference",
            f"Mean ranks of all arms{labels}",
            " ".join(_caption(comparison, omnibus, cd)),
            _alt(omnibus, cd),
            partial(_draw, omnibus, cd),
        )


def _caption(comparison: Comparison, omnibus: Omnibus, cd: float) -> Iterator[str]:
    yield (
        f"Mean ranks by {clean(comparison.metric)} over {len(omnibus.datasets)} datasets, 1 is the "
        f"best of {len(omnibus.arms)}; a bar joins arms whose mean ranks differ by less than "
        f"Nemenyi's critical difference of {cd:.2f} at level {comparison.alpha:g}."
    )
    dropped = len(omnibus.dropped)
    if dropped:
        told = ", ".join(map(clean, omnibus.dropped))
        yield f"{dropped} dataset{'' if dropped == 1 else 's'} that some arm lacks dropped: {told}."
    yield (
        "A figure only, it decides nothing: whether two arms are joined depends on which others "
        "are in the pool (Benavoli et al. 2016), and ranks do not tell how large a difference is."
    )


def _alt(omnibus: Omnibus, cd: float) -> str:
    ranked = ", ".join(f"{clean(arm)} {rank:.2f}" for rank, arm in _ranked(omnibus))
    return f"Mean ranks: {ranked}; critical difference {cd:.2f}."


def _ranked(omnibus: Omnibus) -> list[tuple[float, str]]:
    """Return mean ranks and arms, the best first."""
    pairs = zip(omnibus.test.mean_ranks, omnibus.arms, strict=True)
    return sorted(pairs, key=lambda pair: pair[0])


def groups(ranks: Sequence[float], cd: float) -> list[tuple[int, int]]:
    """Return first and last place of the longest runs of arms that differ by less than `cd`.

    Args:
        ranks: Mean ranks, ascending.
        cd: The critical difference.
    """
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(at for at, other in enumerate(ranks) if other - rank < cd)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def _draw(omnibus: Omnibus, cd: float) -> Any:
    with styled():
        ranked = _ranked(omnibus)
        ranks = [rank for rank, _ in ranked]
        joined = groups(ranks, cd)
        names = fit_all([arm for _, arm in ranked], MOST_NAME)
        half = ceil(len(ranked) / 2)
        left, right = (
            MARGIN + max(text_width(names[arm]) for _, arm in side) + BESIDE
            for side in (ranked[:half], ranked[half:])
        )
        below = TOP + (len(joined) + 1) * BAR + GAP
        height = below + half * ROW + MARGIN
        figure = sheet(WIDE, height)
        axes = panel(figure, left, 0, WIDE - left - right, height)
        axes.set_axis_off()
        axes.set_xlim(1, len(ranked))
        axes.set_ylim(height, 0)
        _draw_axis(axes, len(ranked), cd)
        for at, (first, last) in enumerate(joined):
            y = TOP + (at + 1) * BAR
            ends = ranks[first] - 0.03, ranks[last] + 0.03
            axes.plot(
                ends,
                [y] * 2,
                color=INK,
                linewidth=2.4,
                solid_capstyle="butt",
                clip_on=False,
                gid="group",
            )
        for at, (rank, arm) in enumerate(ranked):
            best = at < half  # the better half stands on the left
            row = at if best else len(ranked) - 1 - at
            y = below + (row + 0.5) * ROW
            edge = 1 if best else len(ranked)
            axes.plot(
                [rank, rank, edge],
                [TOP, y, y],
                color=SOFT,
                linewidth=0.7,
                clip_on=False,
                gid=f"arm-{at}",
            )
            ha = "right" if best else "left"
            out, end = (-1, left) if best else (1, WIDE - right)
            write(figure, end + out * (BESIDE - 0.05), y, names[arm], ha=ha)
            write(figure, end + out * 0.05, y, f"{rank:.2f}", ha=ha, color=SOFT)
    return figure


def _draw_axis(axes: Any, arms: int, cd: float) -> None:
    """Draw the ranks, and above them how long the critical difference is."""
    axes.plot([1, arms], [TOP] * 2, color=INK, linewidth=0.8, clip_on=False)
    for rank in range(1, arms + 1):
        axes.plot([rank] * 2, [TOP - 0.05, TOP], color=INK, linewidth=0.8, clip_on=False)
        axes.text(rank, TOP - 0.12, str(rank), ha="center", va="center")
    axes.text((1 + arms) / 2, TOP - 0.26, "mean rank, 1 is best", ha="center", va="center")
    axes.plot([1, 1 + cd], [0.2] * 2, "|-", color=INK, linewidth=0.8, clip_on=False, gid="cd")
    axes.text(1, 0.09, f"critical difference {cd:.2f}", ha="left", va="center")
