"""How large a difference a design can show, and how many units a difference needs. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from gpbench.core.errors import ComparisonError
from gpbench.stats.satterthwaite import Term, t_quantile, t_test

FOR_AN_INTERVAL, FOR_A_VERDICT = 2, 3
"""Independent units per arm."""
USUAL_POWER = 0.8
PILOT_CONFIDENCE = 0.8
"""A pilot's sd is more often too small than too large: plan with its upper limit."""
FAR = 1e4
"""In standard errors; the chance of the difference's own noise is nothing against it."""


def power_t(se: float, df: float, gap: float, alpha: float) -> float:
    """Return the chance that a two-sided t test finds a true difference, in [0, 1].

    Args:
        se: Standard error of the estimated difference, > 0.
        df: Its degrees of freedom.
        gap: The true difference.
        alpha: Level of the test.

    The t statistic squared is a noncentral F: a Poisson mixture of beta distributions, whose terms
    are all positive. `scipy.special.nctdtr` answers NaN at 10 pairs and a gap of 3 sd.

    Reference: Johnson, Kotz & Balakrishnan 1995, Continuous Univariate Distributions 2, ch. 30.
    """
    distance = abs(gap) / se
    if distance > FAR:  # too many terms; only the estimated spread is left to chance
        return float(special.chdtr(df, df * (distance / t_quantile(alpha, df)) ** 2))
    rate = distance**2 / 2
    share = special.betaincinv(df / 2, 0.5, alpha)
    reach = 10 * math.sqrt(rate) + 40
    terms = np.arange(max(0, math.floor(rate - reach)), math.ceil(rate + reach) + 1)
    weights = np.exp(special.xlogy(terms, rate) - rate - special.gammaln(terms + 1))
    return min(1.0, float(weights @ special.betainc(df / 2, terms + 0.5, share)))


def power_two_sample(
    n_a: int, n_b: int, gap: float, sd_a: float, sd_b: float, alpha: float
) -> float:
    """Return the power of Welch's test, with the degrees of freedom of the true variances.

    Raises:
        ComparisonError: If a side has fewer than 2 values, or neither varies.
    """
    if min(n_a, n_b) < 2:
        raise ComparisonError(f"Welch's test needs at least 2 values per arm, got {n_a} and {n_b}")
    welch = t_test(gap, [Term(sd_a**2 / n_a, n_a - 1), Term(sd_b**2 / n_b, n_b - 1)], alpha)
    return power_t(welch.se, welch.df, gap, alpha)


def detectable(se: float, df: float, alpha: float, power: float = USUAL_POWER) -> float:
    """Return the true difference that a t test finds with the power asked for, in the unit of se.

    It grows with `se` in proportion.
    """
    low, high = 0.0, t_quantile(alpha, df)
    while power_t(1, df, high, alpha) < power:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if power_t(1, df, middle, alpha) < power else (low, middle)
    return high * se


def units_needed(gap: float, sd: float, alpha: float, power: float = USUAL_POWER) -> int:
    """Return the units per arm with which a two-sample t test finds a gap; sd > 0 is one unit's.

    Raises:
        ComparisonError: If the gap is 0: no number of units shows it.
    """
    _check_gap(gap)
    return smallest(lambda n: power_two_sample(n, n, gap, sd, sd, alpha) >= power)


def datasets_needed(gap: float, sd: float, alpha: float, power: float = USUAL_POWER) -> int:
    """Return the datasets with which a paired t test finds a mean gain; sd > 0 is of the gains.

    Raises:
        ComparisonError: If the gain is 0.
    """
    _check_gap(gap)
    return smallest(lambda n: power_t(sd / math.sqrt(n), n - 1, gap, alpha) >= power)


def datasets_half_width(
    datasets: int, interaction: float, within: float, alpha: float
) -> tuple[float, float]:
    """Return the half-width of a mean gain's interval, and what endless seeds would leave of it.

    Args:
        datasets: D, at least 2.
        interaction: Variance of the true gain between datasets, >= 0.
        within: What the arms' seeds add to the variance of one dataset's gain: vA/SA + vB/SB.
        alpha: The interval covers 1 - alpha.
    """
    quantile = t_quantile(alpha, datasets - 1)
    return (
        quantile * math.sqrt((interaction + within) / datasets),
        quantile * math.sqrt(interaction / datasets),
    )


def upper_sd(sd: float, df: float, confidence: float = PILOT_CONFIDENCE) -> float:
    """Return the upper confidence limit of an estimated sd: 2.1 times that of 3 values."""
    return sd * math.sqrt(df / float(special.chdtri(df, confidence)))


def smallest(enough: Callable[[int], bool]) -> int:
    """Return the smallest number from 2 on that is enough; more than enough is enough."""
    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check_gap(gap: float) -> None:
    if not abs(gap) > 0:
        raise ComparisonError("a difference of 0 cannot be shown by any number of units")
