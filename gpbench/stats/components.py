"""How much scores vary: standard deviations of pre-training and of fine-tuning. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gpbench.core.errors import ComparisonError
from gpbench.stats.satterthwaite import RESOLUTION


@dataclass(frozen=True)
class Sd:
    """A standard deviation with its interval, in the unit of the values, and degrees of freedom."""

    sd: float
    lo: float
    hi: float
    df: float


@dataclass(frozen=True)
class Spread:
    """How much one arm's scores vary on one dataset; None: these units cannot tell.

    `pre` is 0 where its variance was estimated below 0. `unit` is the standard deviation of the
    units' means, which holds both: `pre`^2 + `ft`^2 / fine-tunings.
    """

    pre: Sd | None
    ft: Sd | None
    unit: Sd | None


def spread(units: Sequence[Sequence[float]], alpha: float) -> Spread:
    """Return the standard deviations of pre-training and of fine-tuning.

    One-way random effects. Fine-tuning: the pooled variance within units, with its chi-square
    interval. Pre-training: the variance of the unit means less what fine-tuning adds to it, with
    Burdick and Graybill's modified large-sample interval. Where units have unequal numbers of
    fine-tunings their means still count alike, as they do in a comparison, and the harmonic mean of
    the numbers takes the place of the number (Thomas & Hultquist 1978).

    Args:
        units: The scores of each pre-training's fine-tunings. Where an arm pre-trains nothing, its
            runs are the fine-tunings of a single unit.
        alpha: The intervals cover 1 - alpha.

    Raises:
        ComparisonError: If a unit has no score or a score is not finite.

    Reference: Burdick & Graybill 1992, Confidence Intervals on Variance Components, 3.3 and 4.3.
    """
    samples = [np.asarray(unit, np.float64) for unit in units]
    if not all(sample.size and np.isfinite(sample).all() for sample in samples):
        raise ComparisonError("a spread needs one finite score per unit at least")
    df_within = sum(sample.size - 1 for sample in samples)
    df_between = len(samples) - 1
    within = math.fsum(_sum_of_squares(sample) for sample in samples)
    ft = _chi_square_sd(within / df_within, df_within, alpha) if df_within else None
    if df_between < 1:
        return Spread(None, ft, None)
    between = _sum_of_squares(np.array([sample.mean() for sample in samples])) / df_between
    unit = _chi_square_sd(between, df_between, alpha)
    if ft is None:
        return Spread(None, None, unit)
    size = len(samples) / math.fsum(1 / sample.size for sample in samples)
    squares = (size * between, within / df_within)
    lo, hi = _difference_interval(squares, (df_between, df_within), alpha)
    ends = [math.sqrt(max(0.0, each) / size) for each in (squares[0] - squares[1], lo, hi)]
    return Spread(Sd(ends[0], ends[1], ends[2], df_between), ft, unit)


def _sum_of_squares(values: NDArray[np.float64]) -> float:
    """Return the sum of squares around the mean; float noise is no spread."""
    return 0.0 if np.ptp(values) <= RESOLUTION else float(np.sum((values - values.mean()) ** 2))


def _chi_square_sd(variance: float, df: float, alpha: float) -> Sd:
    lo, hi = (
        math.sqrt(variance * df / float(special.chdtri(df, tail)))
        for tail in (alpha / 2, 1 - alpha / 2)
    )
    return Sd(math.sqrt(variance), lo, hi, df)


def _difference_interval(
    squares: tuple[float, float], df: tuple[int, int], alpha: float
) -> tuple[float, float]:
    """Return an interval for the difference of what two mean squares expect.

    An end is 0 exactly where their ratio is the F quantile.
    """
    upper = [float(special.chdtri(n, alpha / 2)) / n for n in df]
    lower = [float(special.chdtri(n, 1 - alpha / 2)) / n for n in df]
    g = [1 - 1 / each for each in upper]
    h = [1 / each - 1 for each in lower]
    high, low = (float(special.fdtri(*df, p)) for p in (1 - alpha / 2, alpha / 2))
    g12 = ((high - 1) ** 2 - (g[0] * high) ** 2 - h[1] ** 2) / high
    h12 = ((1 - low) ** 2 - (h[0] * low) ** 2 - g[1] ** 2) / low
    first, second = squares
    cross = first * second
    below = (g[0] * first) ** 2 + (h[1] * second) ** 2 + g12 * cross
    above = (h[0] * first) ** 2 + (g[1] * second) ** 2 + h12 * cross
    gap = first - second
    return gap - math.sqrt(max(0.0, below)), gap + math.sqrt(max(0.0, above))
