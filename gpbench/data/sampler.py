"""The order in which samples are drawn, a pure function of the step: nothing to save or restore."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gpbench.core.errors import DataError
from gpbench.core.seeds import derive_seed


def batch_indices(n: int, batch: int, step: int, seed: int) -> NDArray[np.int64]:
    """Return the samples (batch,) of a step, each in 0..n-1.

    The steps walk through one seeded permutation of all samples after another; a batch may end one
    epoch and begin the next, and is always full.

    Raises:
        DataError: If there is no sample.
    """
    if n < 1:
        raise DataError("there is nothing to draw a batch from: the training split has no sample")
    positions = np.arange(step * batch, (step + 1) * batch)
    epochs, places = np.divmod(positions, n)
    indices = np.empty(batch, dtype=np.int64)
    for epoch in range(epochs[0], epochs[-1] + 1):
        drawn = epochs == epoch
        indices[drawn] = _permutation(n, int(epoch), seed)[places[drawn]]
    return indices


@lru_cache(maxsize=8)
def _permutation(n: int, epoch: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(derive_seed(seed, "epoch", epoch)).permutation(n)
