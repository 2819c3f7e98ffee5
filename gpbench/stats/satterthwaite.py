"""Welch's t, and the same for any difference whose variance is a sum of independent parts. Pure.

Two samples are two parts: that is Welch's test. An average over datasets has one part per arm and
group of datasets that share their units, weighted by the group's share of the datasets.

`scipy.special` suffices: `scipy.stats` takes four times as long to load and answers degenerate
input with infinities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from gpbench.core.errors import ComparisonError

RESOLUTION = 1e-9
"""Percent points; values closer than this are equal: float noise is no difference."""
NO_SPREAD = "all differences are identical (sd = 0): is the seed used? No test."


@dataclass(frozen=True)
class Term:
    """One independent part of a difference's variance, >= 0, estimated with `df` >= 1 degrees."""

    variance: float
    df: float


@dataclass(frozen=True)
class TTest:
    """A difference with its standard error, two-sided p and interval, in the unit of the values."""

    difference: float
    se: float
    df: float
    p: float
    ci: tuple[float, float]

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval with coverage 1 - alpha."""
        half = t_quantile(alpha, self.df) * self.se
        return self.difference - half, self.difference + half


def unit_term(values: Sequence[float], weight: float = 1.0) -> Term:
    """Return what the mean of n independent units adds to a variance: weight^2 s^2 / n, n - 1.

    Values that are equal to 1e-9 have a variance of exactly 0.

    Raises:
        ComparisonError: If there are fewer than two values.
    """
    n = len(values)
    if n < 2:
        raise ComparisonError(f"a variance needs at least 2 independent values, got {n}")
    if max(values) - min(values) <= RESOLUTION:
        return Term(0.0, n - 1)
    return Term(weight**2 * float(np.var(np.asarray(values, np.float64), ddof=1)) / n, n - 1)


def t_test(difference: float, terms: Sequence[Term], alpha: float) -> TTest:
    """Return the t test of a difference of 0, with an interval of coverage 1 - alpha.

    The degrees of freedom are Welch and Satterthwaite's: (sum V)^2 / sum(V^2 / df).

    Raises:
        ComparisonError: If the variance is 0: then no difference could be called chance.

    Reference: Satterthwaite 1946, Biometrics Bulletin 2, equation 17.
    """
    variance = math.fsum(term.variance for term in terms)
    if not variance > 0:
        raise ComparisonError(NO_SPREAD)
    df = variance**2 / math.fsum(term.variance**2 / term.df for term in terms)
    se = math.sqrt(variance)
    p = two_sided_p(difference / se, df)
    half = t_quantile(alpha, df) * se
    return TTest(difference, se, df, p, (difference - half, difference + half))


def two_sided_p(t: float, df: float) -> float:
    """Return P(|T| >= |t|) for Student's t, in (0, 1]."""
    return float(special.betainc(df / 2, 0.5, df / (df + t * t)))


def t_quantile(alpha: float, df: float) -> float:
    """Return the t > 0 with P(|T| >= t) = alpha."""
    share = float(special.betaincinv(df / 2, 0.5, alpha))
    return math.sqrt(df * (1 / share - 1))


def equivalence_p(test: TTest, margin: float) -> float:
    """Return the larger p of the two one-sided tests that the difference lies within +-margin.

    p < alpha exactly where the interval of coverage 1 - 2 alpha lies inside the margin.

    Reference: Schuirmann 1987.
    """
    distance = (margin - abs(test.difference)) / test.se
    tail = two_sided_p(distance, test.df) / 2
    return tail if distance > 0 else 1 - tail
