"""Wilcoxon's signed-rank test with its exact null, and the shift that belongs to it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from gpbench.stats.sign_flip import finite

Zeros = Literal["zsplit", "pratt"]
_EXACT = 50
"""Differences: the counts of the null stay exact in float64, at most 2^50."""


@dataclass(frozen=True)
class SignedRank:
    """Sums of the ranks of the positive and of the negative differences, and the two-sided p."""

    w_plus: float
    w_minus: float
    p: float


def signed_rank(differences: ArrayLike, zeros: Zeros = "zsplit") -> SignedRank:
    """Return Wilcoxon's test that (n,) differences are symmetric about 0.

    Differences are rounded to 1e-9 and ranked by size, ties by the mean of their ranks. The p
    counts the ways to flip the signs of the non-zero differences, over the ranks as they are:
    exact up to 50 of them, by the normal approximation without continuity correction beyond it,
    and 1 where all are zero. It does not depend on `zeros`, for which no sign is flipped.

    Args:
        differences: Percent points.
        zeros: What becomes of the ranks of zero differences: half to each sum (`zsplit`, Demsar
            2006, who also drops one zero of an odd number; here none), or to neither (`pratt`).

    Raises:
        ComparisonError: If there is no difference, or one is not finite.

    Reference: Pratt 1959; Demsar 2006, section 3.1.3.
    """
    values = finite(differences, ndim=1)
    ranks = mid_ranks(np.abs(values))
    plus, minus = ranks[values > 0].sum(), ranks[values < 0].sum()
    moved = ranks[values != 0]
    p = _exact_p(moved, min(plus, minus)) if len(moved) <= _EXACT else _normal_p(moved, plus)
    split = ranks[values == 0].sum() / 2 if zeros == "zsplit" else 0.0
    return SignedRank(float(plus + split), float(minus + split), p)


def hodges_lehmann(differences: ArrayLike) -> float:
    """Return the median of the means of all pairs of (n,) differences, each with itself too.

    The shift that leaves the signed-rank test nothing to find; robust to single datasets.

    Raises:
        ComparisonError: If there is no difference, or one is not finite.

    Reference: Hodges & Lehmann 1963.
    """
    values = finite(differences, ndim=1)
    first, second = np.triu_indices(len(values))
    return float(np.median((values[first] + values[second]) / 2))


def mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ranks (n,) of values, 1 for the smallest; equal values share their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: NDArray[np.float64] = (last - (count - 1) / 2)[place]
    return ranks


def _exact_p(ranks: NDArray[np.float64], smaller: float) -> float:
    """Return the share of sign patterns whose smaller rank sum is at most the one observed."""
    doubled = np.rint(2 * ranks).astype(np.int64)  # mid-ranks are multiples of a half
    ways = np.zeros(doubled.sum() + 1)
    ways[0] = 1
    for rank in doubled:
        ways[rank:] += ways[:-rank]
    reached = ways[: round(2 * smaller) + 1].sum()
    return min(1.0, 2 * float(reached / 2.0 ** len(ranks)))


def _normal_p(ranks: NDArray[np.float64], plus: float) -> float:
    """Return the normal p; the variance is that of the ranks as they are, so ties are corrected."""
    z = (plus - ranks.sum() / 2) / math.sqrt((ranks**2).sum() / 4)
    return float(special.erfc(abs(z) / math.sqrt(2)))
