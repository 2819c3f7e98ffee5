"""Is the sign of paired differences chance? Exact, without any assumption but symmetry. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpbench.core.errors import ComparisonError
from gpbench.stats.satterthwaite import RESOLUTION

_EXACT = 40
"""Differences: two halves of 2^20 sums each are counted against each other."""
DRAWS, _BLOCK = 100_000, 10_000


def sign_flip_p(differences: ArrayLike, rng: np.random.Generator) -> float:
    """Return the two-sided p that the mean of (n,) differences is 0, never below `floor(n)`.

    It is the share of the 2^n ways to flip signs whose |mean| is at least the observed one, the
    observed way included; means closer than 1e-9 are equal. A difference of 0 keeps its place.
    Exact up to 40 differences; beyond it (1 + c) / (B + 1) from B = 100,000 draws.

    Args:
        differences: Percent points; independent, and symmetric about 0 where nothing is better.
        rng: Source of all randomness; not used up to 40 differences.

    Raises:
        ComparisonError: If there is no difference, or one is not finite.

    Reference: Fisher 1935, The Design of Experiments, section 21.
    """
    values = finite(differences, ndim=1)
    reach = abs(values.sum()) - len(values) * RESOLUTION
    if reach <= 0:
        return 1.0
    if len(values) <= _EXACT:
        return _exact_p(values, reach)
    count = sum(
        int(np.count_nonzero(np.abs(signs @ values) >= reach))
        for signs in drawn_signs(len(values), rng)
    )
    return (1 + count) / (1 + DRAWS)


def floor(n: int) -> float:
    """Return the smallest two-sided p of an exact sign-flip or signed-rank test of n differences.

    Only all signs equal, and all reversed, can be as extreme as the most extreme: 2 / 2^n.
    """
    return 2.0 ** (1 - n)


def finite(values: ArrayLike, ndim: int) -> NDArray[np.float64]:
    """Return float64 values of so many axes, rounded to 1e-9: float noise makes no difference.

    Raises:
        ComparisonError: If the first axis is empty, or a value is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != ndim or not len(array):
        raise ComparisonError(f"a test needs at least 1 difference, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ComparisonError("a difference is NaN or infinite: a missing value is no value")
    return array.round(9)


def sign_patterns(n: int) -> NDArray[np.float64]:
    """Return all patterns of n signs, (2^n, n), each -1 or 1."""
    bits = np.arange(2**n)[:, np.newaxis] >> np.arange(n) & 1
    return np.where(bits, -1.0, 1.0)


def drawn_signs(n: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield 100,000 drawn patterns of n signs in blocks, (block, n), each -1 or 1."""
    for _ in range(DRAWS // _BLOCK):
        yield rng.choice((-1.0, 1.0), size=(_BLOCK, n))


def _exact_p(values: NDArray[np.float64], reach: float) -> float:
    """Return the share of sign patterns whose |sum| is at least `reach` > 0.

    By symmetry twice the share of sums >= reach: of each pair of half sums, counted by bisection.
    """
    left, right = np.array_split(values, 2)
    right_sums = np.sort(_all_sums(right))
    below = np.searchsorted(right_sums, reach - _all_sums(left), side="left")
    above = len(right_sums) - below
    return float(2 * above.sum() / 2 ** len(values))


def _all_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of the values under all 2^n sign patterns."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums + value, sums - value))
    return sums
