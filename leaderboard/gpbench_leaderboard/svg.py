"""Where the marks of the page's small figures lie, in SVG units; templates draw them. Pure.

No text of a figure is made here but numbers, so nothing has to be escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STRIP_WIDTH, STRIP_HEIGHT = 132.0, 22.0
FOREST_WIDTH, FOREST_HEIGHT = 260.0, 26.0
PAD = 6.0
"""Room at both ends, so that a mark on the border is whole."""
FARTHEST = 6.0
"""Intervals are drawn as far as this many times the median bound; beyond is an arrow."""


@dataclass(frozen=True)
class Axis:
    """A linear scale from percent points to horizontal positions."""

    low: float
    high: float
    width: float

    def x(self, value: float) -> float:
        """Return the position of a value; one beyond an end of the axis lies on that end."""
        share = (value - self.low) / (self.high - self.low)
        return round(PAD + min(max(share, 0.0), 1.0) * (self.width - 2 * PAD), 2)

    def ticks(self, most: int) -> tuple[Tick, ...]:
        """Return at most `most` round values within the axis, with their positions."""
        step = round_step((self.high - self.low) / max(most - 1, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return tuple(Tick(k * step, self.x(k * step)) for k in range(first, last + 1))


@dataclass(frozen=True)
class Tick:
    value: float
    x: float


@dataclass(frozen=True)
class Strip:
    """All values of one cell as dots, with their mean and the standard deviation around it."""

    width: float
    height: float
    dots: tuple[Tick, ...]
    mean_x: float | None
    spread: tuple[float, float] | None
    """Left and right end of mean - sd and mean + sd."""


@dataclass(frozen=True)
class ForestRow:
    """One difference with its interval on an axis that all rows of a figure share."""

    width: float
    height: float
    zero_x: float
    x: float
    ci_x: tuple[float, float] | None
    beyond: tuple[bool, bool]
    """Whether the interval goes on beyond the left and the right end of the axis."""


def round_step(rough: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is at least `rough` (more than 0)."""
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * m for m in (1.0, 2.0, 5.0, 10.0) if power * m >= rough * (1 - 1e-9))


def value_axis(values: Iterable[float], width: float = STRIP_WIDTH) -> Axis:
    """Return an axis that holds all values with some room; 0 to 1 where there is none."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return Axis(0.0, 1.0, width)
    room = max((max(known) - min(known)) * 0.06, 0.25)
    return Axis(min(known) - room, max(known) + room, width)


def difference_axis(
    differences: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    width: float = FOREST_WIDTH,
) -> Axis:
    """Return an axis symmetric about 0 for all differences, and intervals that are not too long."""
    bounds = sorted(abs(bound) for interval in intervals for bound in interval)
    longest = min(bounds[-1], FARTHEST * bounds[len(bounds) // 2]) if bounds else 0.0
    reach = max([abs(difference) for difference in differences] + [longest, 0.5]) * 1.08
    return Axis(-reach, reach, width)


def strip(axis: Axis, values: Sequence[float], mean: float | None, sd: float | None) -> Strip:
    """Return the strip of one cell."""
    spread = None
    if mean is not None and sd is not None:
        spread = (axis.x(mean - sd), axis.x(mean + sd))
    return Strip(
        width=axis.width,
        height=STRIP_HEIGHT,
        dots=tuple(Tick(value, axis.x(value)) for value in values),
        mean_x=None if mean is None else axis.x(mean),
        spread=spread,
    )


def forest_row(axis: Axis, difference: float, ci: tuple[float, float] | None) -> ForestRow:
    """Return one row of a forest plot."""
    return ForestRow(
        width=axis.width,
        height=FOREST_HEIGHT,
        zero_x=axis.x(0.0),
        x=axis.x(difference),
        ci_x=None if ci is None else (axis.x(ci[0]), axis.x(ci[1])),
        beyond=(False, False) if ci is None else (ci[0] < axis.low, ci[1] > axis.high),
    )
