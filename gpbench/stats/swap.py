"""Do two checkpoints differ on a test set? Swaps their predictions scene by scene. Pure.

Of no use for strategies: another run of either is another checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gpbench.core.errors import ComparisonError
from gpbench.stats.bootstrap import DRAWS, ClusterSums, check_labels
from gpbench.stats.satterthwaite import RESOLUTION
from gpbench.stats.sign_flip import sign_patterns

FEWEST_CLUSTERS = 6
"""With fewer even the most extreme way to swap is no rarer than 1 in 16."""
_EXACT = 16
"""Clusters: 2^15 ways to swap up to exchanging the arms are counted, beyond it they are drawn."""
_BLOCK = 1 << 19
"""Numbers of a block of draws: they stay in the cache."""

Array = NDArray[np.float64]


def swap_p(
    a: ClusterSums, b: ClusterSums, rng: np.random.Generator, draws: int = DRAWS
) -> float | None:
    """Return the two-sided p that it is chance which checkpoint made which of two predictions.

    It is the share of the ways to swap both arms' counts, cluster by cluster, after which the
    difference of the mean scores is at least as large as it is, the observed way included. Exact up
    to 16 clusters, never below 2^(1 - G); beyond it (1 + c) / (draws + 1). Differences closer than
    1e-9 are equal. The labels stay where they are, so no swap loses a class, and a protocol by
    which absent classes count as 0 has the same p.

    Args:
        a: One run.
        b: One run on the same labels.
        rng: Source of all randomness; not used up to 16 clusters.
        draws: How many ways are drawn beyond that; with 10,000 a p of 0.05 is known to 0.002.

    Returns:
        None with fewer than 6 clusters: p cannot be below 0.05.

    Raises:
        ComparisonError: If the labels differ, or an arm has several runs.

    Reference: Noreen 1989, Computer-Intensive Methods for Testing Hypotheses.
    """
    check_labels([a, b])
    runs = (len(a.weights), len(b.weights))
    if runs != (1, 1):
        raise ComparisonError(f"a swap needs one run per arm, got {runs[0]} and {runs[1]}")
    n = len(a.true)
    if n < FEWEST_CLUSTERS:
        return None
    first, second = (np.concatenate([arm.part[:, 0], arm.whole[:, 0]], axis=1) for arm in (a, b))
    total, gap = (first + second).sum(axis=0), first - second
    observed = _differences(total, gap.sum(axis=0, keepdims=True))[0] - RESOLUTION
    patterns = reached = 0
    for signs in _patterns(n, gap.shape[1], rng, draws):
        reached += int(np.count_nonzero(_differences(total, signs @ gap) >= observed))
        patterns += len(signs)
    return reached / patterns if n <= _EXACT else (reached + 1) / (patterns + 1)


def _differences(total: Array, gaps: Array) -> Array:
    """Return |difference| (B,) of the arms' mean scores in percent points.

    Args:
        total: Of both arms, (2 P,): parts, then wholes.
        gaps: First arm less second, (B, 2 P), after each way to swap.
    """
    first, second = (np.divide(*np.split(both, 2, axis=1)) for both in (total + gaps, total - gaps))
    return np.asarray(100 * np.abs((first - second).mean(axis=1)))


def _patterns(n: int, width: int, rng: np.random.Generator, draws: int) -> Iterator[Array]:
    """Yield sign patterns (block, n): one of each pair that differs by a common sign, or draws."""
    if n <= _EXACT:
        yield np.insert(sign_patterns(n - 1), 0, 1.0, axis=1)
        return
    size = max(1, _BLOCK // max(n, width))
    for start in range(0, draws, size):
        rows = min(size, draws - start)
        yield rng.integers(2, size=(rows, n), dtype=np.int8) * np.float64(2) - 1
