"""Effect sizes beside the difference. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from gpbench.core.errors import ComparisonError
from gpbench.stats.satterthwaite import NO_SPREAD, RESOLUTION, unit_term


def a12(a: Sequence[float], b: Sequence[float]) -> float:
    """Return P(a > b) + P(a = b) / 2 over all pairs of one value from each side, in [0, 1].

    Values closer than 1e-9 are ties. A12 = (Cliff's delta + 1) / 2 = U / (n m).

    Reference: Vargha & Delaney 2000.
    """
    gaps = np.subtract.outer(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    wins = int(np.count_nonzero(gaps > RESOLUTION))
    ties = int(np.count_nonzero(np.abs(gaps) <= RESOLUTION))
    return (wins + ties / 2) / gaps.size


def a12_interval(value: float, n: int, m: int, alpha: float) -> tuple[float, float]:
    """Return an interval of coverage 1 - alpha for an A12 from n and m values, within [0, 1].

    Its limits are the theta that differ from `value` by z times their own standard error, so that
    it has a width even where `value` is 0 or 1.

    Reference: Newcombe 2006, Statistics in Medicine 25, 559-573, method 5.
    """
    z_squared = float(special.ndtri(alpha / 2)) ** 2
    others = (n + m) / 2 - 1

    def excess(theta: float) -> float:
        inflation = 1 + others * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (theta - value) ** 2 - z_squared * theta * (1 - theta) * inflation / (n * m)

    return _root(excess, 0.0, value), _root(excess, 1.0, value)


def hedges_g(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the difference of means over the pooled sd, without the bias of few values.

    Raises:
        ComparisonError: If a side has fewer than 2 values, or neither has any spread.

    Reference: Hedges 1981, equation 6e: the exact factor by the gamma function.
    """
    df = len(a) + len(b) - 2
    pooled = (len(a) - 1) * _variance(a) + (len(b) - 1) * _variance(b)
    factor = math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)
    return factor * _over_sd(_mean(a) - _mean(b), pooled / df)


def d_z(differences: Sequence[float]) -> float:
    """Return the mean of paired differences over their sd: Cohen's d of the pairs.

    Raises:
        ComparisonError: If there are fewer than 2 differences, or no spread.
    """
    return _over_sd(_mean(differences), _variance(differences))


def d_av(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the difference of means over the root of the mean variance of the two sides.

    Raises:
        ComparisonError: If a side has fewer than 2 values, or neither has any spread.
    """
    return _over_sd(_mean(a) - _mean(b), (_variance(a) + _variance(b)) / 2)


def _root(excess: Callable[[float], float], outside: float, inside: float) -> float:
    """Return where `excess` falls to 0 between a point where it is >= 0 and one where it is <= 0.

    By halving, until float64 has no value in between.
    """
    while (middle := (outside + inside) / 2) not in {outside, inside}:
        if excess(middle) >= 0:
            outside = middle
        else:
            inside = middle
    return outside


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    return unit_term(values).variance * len(values)


def _over_sd(difference: float, variance: float) -> float:
    if not variance > 0:
        raise ComparisonError(NO_SPREAD)
    return difference / math.sqrt(variance)
