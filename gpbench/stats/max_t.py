"""Step-down adjusted p-values that use how the tests of a family depend on each other. Pure.

Contrasts against one baseline share its values: Holm's correction, right under any dependence, is
then stricter than it need be. Here the dependence is drawn: by flipping signs of whole datasets, or
from normal errors of the samples that the contrasts share.

Reference: Westfall & Young 1993, algorithm 2.8 (step-down).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from gpbench.core.errors import ComparisonError
from gpbench.stats.satterthwaite import NO_SPREAD
from gpbench.stats.sign_flip import drawn_signs, finite, sign_patterns

DRAWS, MORE_DRAWS = 10_000, 100_000
_BLOCK = 10_000
_EXACT = 17
"""Datasets: 2^16 sign patterns up to a common sign are counted, beyond it they are drawn."""
_NOISE = 1e-9
"""Two statistics in [0, 1] that are closer than this are equal."""


@dataclass(frozen=True)
class Spread:
    """What is known of one sample: the variance of one unit, and how many units (n >= 2)."""

    variance: float
    n: int


@dataclass(frozen=True)
class Member:
    """One test of the family: its own p, and the signed weights of the samples' means by id."""

    p: float
    weights: Mapping[str, float]


@dataclass(frozen=True)
class Adjusted:
    """Adjusted p-values in the order given, their Monte-Carlo standard errors, and the draws."""

    p: tuple[float, ...]
    se: tuple[float, ...]
    draws: int


def max_t(
    members: Sequence[Member],
    samples: Mapping[str, Spread],
    rng: np.random.Generator,
    *,
    alpha: float,
    draws: int = DRAWS,
) -> Adjusted:
    """Return step-down adjusted p-values of contrasts of normal means that share samples.

    Each draw gives every sample a mean error N(0, s^2 / n) and a variance s^2 chi^2(n - 1) / (n -
    1), and every contrast its two-sided p* by Satterthwaite's t. The adjusted p of a contrast is
    the share of draws whose smallest p*, of this contrast and those with a larger p, is at most its
    p: (1 + c) / (draws + 1), so never below 1 / (draws + 1). It is raised to the contrast's own p
    and to that of the one before. With |p - alpha| < 3 standard errors for any contrast, draws are
    added up to 100,000.

    Args:
        members: The family; the weights refer to keys of `samples`.
        samples: By id, which alone fixes the order of the draws.
        rng: Source of all randomness.
        alpha: Level at which the family is judged.
        draws: Number of draws to begin with.

    Raises:
        ComparisonError: If all samples of a contrast have a variance of 0.
    """
    if not members:
        return Adjusted((), (), 0)
    ids = sorted({name for member in members for name in member.weights})
    weights = np.array([[member.weights.get(name, 0.0) for name in ids] for member in members])
    variance = np.array([samples[name].variance / samples[name].n for name in ids])
    if not (weights**2 @ variance > 0).all():
        raise ComparisonError(NO_SPREAD)
    df = np.array([samples[name].n - 1.0 for name in ids])
    raw = np.array([member.p for member in members])
    order = np.argsort(raw, kind="stable")

    counts, done = np.zeros(len(members), dtype=np.int64), 0
    for total in (draws, MORE_DRAWS):
        while done < total:
            block = min(_BLOCK, total - done)
            null = _null_p(weights[order], variance, df, block, rng)
            counts += _exceeded(-raw[order], -null)
            done += block
        p = np.maximum.accumulate((counts + 1) / (done + 1))
        se = np.sqrt(p * (1 - p) / (done + 1))
        if (np.abs(p - alpha) >= 3 * se).all():
            break
    p = np.maximum.accumulate(np.maximum(p, raw[order]))
    return Adjusted(_restored(p, order), _restored(se, order), done)


def sign_flip_max_t(differences: ArrayLike, rng: np.random.Generator) -> tuple[float, ...]:
    """Return the step-down adjusted p of each contrast by flipping the signs of whole datasets.

    Exact up to 17 datasets, never below 2^(1 - D); beyond it from 100,000 draws. Each contrast's
    statistic is the |t| of its differences, here as |sum| / sqrt(D sum of squares): a monotone form
    that stays finite where all differences are the same. A contrast without any difference gets 1.

    Args:
        differences: Percent points, (D, m): a row per dataset, a column per contrast, no gaps.
        rng: Source of all randomness; not used up to 17 datasets.

    Raises:
        ComparisonError: If there is no dataset, or a value is not finite.
    """
    table = finite(differences, ndim=2)
    datasets, contrasts = table.shape
    if not contrasts:
        return ()
    squares = (table**2).sum(axis=0)
    scaled = np.divide(
        table, np.sqrt(datasets * squares), out=np.zeros_like(table), where=squares > 0
    )
    observed = np.abs(scaled.sum(axis=0))
    order = np.argsort(-observed, kind="stable")

    counts = np.zeros(contrasts, dtype=np.int64)
    patterns = 0
    for signs in _patterns(datasets, rng):
        counts += _exceeded(observed[order] - _NOISE, np.abs(signs @ scaled[:, order]))
        patterns += len(signs)
    exact = datasets <= _EXACT
    p = counts / patterns if exact else (counts + 1) / (patterns + 1)
    return _restored(np.maximum.accumulate(p), order)


def _patterns(datasets: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield sign patterns (block, D), one of each pair that differs by a common sign, or draws."""
    if datasets <= _EXACT:
        half = sign_patterns(datasets - 1)
        yield from (
            np.insert(block, 0, 1.0, axis=1)
            for block in np.array_split(half, math.ceil(len(half) / _BLOCK))
        )
    else:
        yield from drawn_signs(datasets, rng)


def _exceeded(observed: NDArray[np.float64], drawn: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (m,) in how many draws (draws, m) the largest from i on reaches the observed i-th."""
    largest = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
    reached: NDArray[np.int64] = np.count_nonzero(largest >= observed, axis=0)
    return reached


def _null_p(
    weights: NDArray[np.float64],
    variance: NDArray[np.float64],
    df: NDArray[np.float64],
    draws: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return two-sided p* (draws, m) under no difference."""
    errors = rng.standard_normal((draws, len(df))) * np.sqrt(variance)
    variances = variance * rng.chisquare(df, (draws, len(df))) / df
    squares = weights**2
    total = variances @ squares.T
    degrees = total**2 / (variances**2 @ (squares**2 / df).T)
    t_squared = (errors @ weights.T) ** 2 / total
    p: NDArray[np.float64] = special.betainc(degrees / 2, 0.5, degrees / (degrees + t_squared))
    return p


def _restored(values: NDArray[np.float64], order: NDArray[np.intp]) -> tuple[float, ...]:
    result = np.empty_like(values)
    result[order] = values
    return tuple(result.tolist())
