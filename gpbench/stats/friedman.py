"""Do several strategies differ at all, by their ranks on each dataset? Pure.

Shown beside verdicts, never one itself: a pair is judged on its own values, not on the others'.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from gpbench.core.errors import ComparisonError
from gpbench.stats.sign_flip import finite
from gpbench.stats.signed_rank import mid_ranks

_PERMUTED_DATASETS = 10
_EXACT, _DRAWS = 50_000, 10_000
_NOISE = 1e-9
"""Sums of squares of ranks, multiples of 1/4, that are closer than this are equal."""


@dataclass(frozen=True)
class Friedman:
    """Friedman's test of k strategies on D datasets.

    `chi2` is corrected for ties, unlike Demsar's formula; `f` is Iman and Davenport's form of it
    with k - 1 and (k - 1)(D - 1) degrees. `f` and `p_f` are None where all datasets rank alike (F
    is infinite), `permutation_p` is None with more than 10 datasets (the others are good there).
    """

    chi2: float
    p: float
    f: float | None
    p_f: float | None
    kendall_w: float
    mean_ranks: tuple[float, ...]
    permutation_p: float | None


def friedman(table: ArrayLike, rng: np.random.Generator) -> Friedman:
    """Return Friedman's test that all columns are alike; rank 1 is the highest value of a row.

    Values are rounded to 1e-9, ties share their mean rank. The permutation p counts the ways to
    order each dataset's ranks: exactly where there are at most 50,000 (of the first dataset one
    suffices), else (1 + c) / (B + 1) from B = 10,000 draws.

    Args:
        table: Percent points, (D, k): a row per dataset, a column per strategy, no gaps.
        rng: Source of all randomness; not used where the count is exact.

    Raises:
        ComparisonError: If k < 3 or D < 2, if a value is not finite, or if all values are tied.

    Reference: Conover 1999, section 5.8; Iman & Davenport 1980.
    """
    values = finite(table, ndim=2)
    datasets, k = values.shape
    if k < 3 or datasets < 2:
        raise ComparisonError(
            "Friedman's test needs at least 3 strategies on at least 2 common datasets, "
            f"got {k} on {datasets}"
        )
    ranks = np.array([mid_ranks(-row) for row in values])
    centered = ranks - (k + 1) / 2
    spread = float((centered**2).sum())
    if not spread > 0:
        raise ComparisonError("all strategies are tied on every dataset: no test")
    between = float((centered.sum(axis=0) ** 2).sum())
    chi2 = (k - 1) * between / spread
    most = datasets * (k - 1)
    f = (datasets - 1) * chi2 / (most - chi2) if most - chi2 > _NOISE else None
    return Friedman(
        chi2=chi2,
        p=float(special.chdtrc(k - 1, chi2)),
        f=f,
        p_f=None if f is None else float(special.fdtrc(k - 1, (k - 1) * (datasets - 1), f)),
        kendall_w=chi2 / most,
        mean_ranks=tuple(ranks.mean(axis=0).tolist()),
        permutation_p=(
            _permutation_p(centered, between, rng) if datasets <= _PERMUTED_DATASETS else None
        ),
    )


def nemenyi_cd(k: int, datasets: int, alpha: float) -> float:
    """Return Nemenyi's critical difference of mean ranks of k strategies, for figures only.

    Not for verdicts: whether a pair differs by it depends on which others are in the table
    (Benavoli et al. 2016). With 2 datasets it exceeds every possible difference.

    Reference: Demsar 2006, section 3.2.2.
    """
    from scipy import stats  # noqa: PLC0415  its import costs more than a comparison

    q = float(stats.studentized_range.ppf(1 - alpha, k, math.inf)) / math.sqrt(2)
    return q * math.sqrt(k * (k + 1) / (6 * datasets))


def _permutation_p(
    centered: NDArray[np.float64], between: float, rng: np.random.Generator
) -> float:
    """Return the share of reordered tables whose column sums vary at least as much."""
    datasets, k = centered.shape
    exact = math.factorial(k) ** (datasets - 1) <= _EXACT
    sums = _all_sums(centered) if exact else _drawn_sums(centered, rng)
    count = int(np.count_nonzero((sums**2).sum(axis=1) >= between - _NOISE))
    return count / len(sums) if exact else (count + 1) / (len(sums) + 1)


def _all_sums(centered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the column sums (n, k) of all tables with the rows after the first reordered."""
    orders = np.array(list(itertools.permutations(range(centered.shape[1]))))
    sums = centered[:1]
    for row in centered[1:]:
        sums = (sums[:, np.newaxis, :] + row[orders]).reshape(-1, centered.shape[1])
    return sums


def _drawn_sums(centered: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    sums = np.zeros((_DRAWS, centered.shape[1]))
    for row in centered:
        sums += rng.permuted(np.tile(row, (_DRAWS, 1)), axis=1)
    return sums
