"""Adjusted p-values of a family of tests. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """Return Holm's step-down adjusted p-values, in the order given, each in [0, 1].

    Reference: Holm 1979. Controls the chance of any false claim in the family.
    """
    values, order = _sorted(p)
    remaining = np.arange(len(values), 0, -1)
    return _restored(np.maximum.accumulate(values * remaining), order)


def benjamini_hochberg(p: Sequence[float]) -> tuple[float, ...]:
    """Return Benjamini and Hochberg's adjusted p-values, in the order given, each in [0, 1].

    Reference: Benjamini & Hochberg 1995. Controls the share of false claims: for exploration.
    """
    values, order = _sorted(p)
    scaled = values * len(values) / np.arange(1, len(values) + 1)
    return _restored(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _sorted(p: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    return values[order], order


def _restored(adjusted: NDArray[np.float64], order: NDArray[np.intp]) -> tuple[float, ...]:
    result = np.empty_like(adjusted)
    result[order] = np.minimum(adjusted, 1.0)
    return tuple(result.tolist())
