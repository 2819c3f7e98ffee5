"""Differences with their intervals along one axis, a line each; words and marks for them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from gpbench.compare.comparison import Comparison, Finding
from gpbench.compare.words import Level
from gpbench.reports.figures.style import BAND, CANDIDATE, GROUND, INK, SOFT
from gpbench.reports.wording import points, span, verdict_words

LONGEST = 3.0
"""Intervals longer than this many median ones are cut, unless the differences reach as far."""
MARGINS = 0.04
"""Left free at either end of the axis, of its length."""
AVERAGE, SINGLE = "D", "s"
"""Markers of an average over datasets and of one dataset."""


@dataclass(frozen=True)
class Gain:
    """A finding's place: `at` counts lines from the top."""

    at: int
    finding: Finding
    average: bool = False

    @property
    def decided(self) -> bool:
        return self.finding.verdict not in ("inconclusive", "undecidable")


def numbers(finding: Finding) -> str:
    """Return the difference with its interval, as far as there are any."""
    if finding.difference is None:
        return ""
    told = points(finding.difference)
    return told if finding.ci is None else f"{told} {span(finding.ci)}"


def verdict(comparison: Comparison, finding: Finding, levels: set[Level]) -> str:
    """Return the verdict's words, without the level where the figure names one for all."""
    told = replace(finding, level="strategy") if len(levels) == 1 else finding
    return verdict_words(told, comparison.margin)


def limits(gains: Sequence[Gain], margin: float | None) -> tuple[float, float]:
    """Return what the axis shows: all differences, 0, the margin, and all common intervals."""
    reach = margin or 0.0
    told = [gain.finding.difference for gain in gains if gain.finding.difference is not None]
    low, high = min([0.0, -reach, *told]), max([0.0, reach, *told])
    spans = [gain.finding.ci for gain in gains if gain.finding.ci is not None]
    if spans:
        beyond = max(LONGEST * median((b - a) / 2 for a, b in spans), high - low)
        low = max(low - beyond, min(low, *(a for a, _ in spans)))
        high = min(high + beyond, max(high, *(b for _, b in spans)))
    return (low, high) if high > low else (-1.0, 1.0)


def cut(finding: Finding, shown: tuple[float, float]) -> tuple[bool, bool]:
    """Return whether an interval goes on below and above what is shown."""
    if finding.ci is None:
        return False, False
    return finding.ci[0] < shown[0], finding.ci[1] > shown[1]


def draw_gains(axes: Any, gains: Sequence[Gain], margin: float | None) -> None:
    """Draw the differences; what has no interval is a marker only, or nothing."""
    low, high = limits(gains, margin)
    if margin is not None:
        axes.axvspan(-margin, margin, facecolor=BAND, linewidth=0, zorder=0, gid="margin")
    axes.axvline(0, color=SOFT, linewidth=0.7, zorder=1, gid="zero")
    for gain in gains:
        if gain.finding.difference is None:
            continue
        if gain.finding.ci is not None:
            _draw_interval(axes, gain, gain.finding.ci, (low, high))
        axes.plot(
            [gain.finding.difference],
            [gain.at],
            AVERAGE if gain.average else SINGLE,
            color=CANDIDATE,
            markersize=4.6 if gain.average else 3.6,
            markerfacecolor=CANDIDATE if gain.decided else GROUND,
            markeredgecolor=CANDIDATE,
            markeredgewidth=0.9,
            zorder=4,
            gid=f"gain-{gain.at}",
        )
    free = MARGINS * (high - low)
    axes.set_xlim(low - free, high + free)


def _draw_interval(
    axes: Any, gain: Gain, ci: tuple[float, float], shown: tuple[float, float]
) -> None:
    ends = max(ci[0], shown[0]), min(ci[1], shown[1])
    width = 1.4 if gain.average else 0.9
    axes.plot(ends, [gain.at] * 2, color=INK, linewidth=width, gid=f"interval-{gain.at}")
    for end, goes_on, arrow in zip(ends, cut(gain.finding, shown), "<>", strict=True):
        axes.plot([end], [gain.at], arrow if goes_on else "|", color=INK, markersize=4)
