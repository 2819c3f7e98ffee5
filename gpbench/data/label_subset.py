"""Which training images keep their labels when only a share of them is used. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpbench.core.errors import InvalidValueError
from gpbench.core.seeds import derive_seed


def label_subset(class_pixels: NDArray[np.int64], fraction: float, seed: int) -> NDArray[np.int64]:
    """Return the sorted indices of max(1, round(fraction * N)) of N source images.

    Subsets of one seed are nested. Images that show most classes not yet seen come first, so that
    every class of the whole occurs where the size allows it; the others follow in random order.

    Args:
        class_pixels: (N, C), how many pixels of each class an image has.
        fraction: In (0, 1].
        seed: Of the order.
    """
    if not 0 < fraction <= 1:
        raise InvalidValueError("label_fraction", fraction, "more than 0, at most 1")
    size = max(1, round(fraction * len(class_pixels)))
    return np.sort(_order(class_pixels > 0, seed)[:size])


def _order(shows: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Return all images (N,), those that cover the classes first, ties and the rest at random."""
    shuffled = np.random.default_rng(derive_seed(seed, "label_subset")).permutation(len(shows))
    missing = shows.any(axis=0)
    chosen: list[int] = []
    while missing.any():
        best = int(shuffled[shows[shuffled][:, missing].sum(axis=1).argmax()])
        chosen.append(best)
        missing &= ~shows[best]
    rest = shuffled[~np.isin(shuffled, chosen)]
    return np.concatenate([np.array(chosen, dtype=np.int64), rest])
