"""Counts of (true class, predicted class) pairs: the evidence that is stored. numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import IGNORE_INDEX
from gpbench.core.errors import DataError, LabelError

_VALUES = 256
_BLOCK_PX = 1 << 16  # the fused index of a block stays in the cache


def confusion_counts(
    labels: NDArray[Any],
    predictions: NDArray[Any],
    n_classes: int,
    ignore_index: int = IGNORE_INDEX,
) -> NDArray[np.int64]:
    """Return exact pixel counts (C, C): rows are true classes, columns predicted ones.

    Pixels labelled `ignore_index` are not counted, whatever is predicted there; counts of tiles of
    an image add up to those of the image.

    Args:
        labels: Any shape, integers; class i is value i.
        predictions: The same shape, every value a class.
        n_classes: C, at most 255.
        ignore_index: In 0..255.

    Raises:
        LabelError: If a label is neither a class nor `ignore_index`.
        DataError: If a prediction is no class, or the shapes differ.
    """
    if labels.shape != predictions.shape:
        raise DataError(
            f"labels {labels.shape} and predictions {predictions.shape} differ in shape: "
            "a prediction has one value per pixel of its label"
        )
    strange = _outside(predictions, n_classes)
    if strange:
        raise DataError(
            f"the prediction holds value(s) {', '.join(map(str, strange))}; "
            f"only classes 0..{n_classes - 1} can be predicted"
        )
    table = _pairs(_bytes(labels, "labels"), _bytes(predictions, "predictions"), n_classes)
    strange = [int(v) for v in np.flatnonzero(table.any(axis=1)) if n_classes <= v != ignore_index]
    if strange:
        raise LabelError("the label map", strange, n_classes, ignore_index)
    table[ignore_index] = 0
    return table[:n_classes].copy()


def _pairs(
    true: NDArray[np.uint8], predicted: NDArray[np.uint8], n_classes: int
) -> NDArray[np.int64]:
    """Return counts (256, C) of (label value, predicted class)."""
    counts = np.zeros(_VALUES * n_classes, dtype=np.int64)
    for start in range(0, true.size, _BLOCK_PX):
        block = slice(start, start + _BLOCK_PX)
        # uint8 wraps: value 255 comes first, so that usually only C + 1 rows are counted and added
        index = (true[block] + np.uint8(1)).astype(np.uint16)
        index *= np.uint16(n_classes)
        index += predicted[block]
        found = np.bincount(index)
        counts[: found.size] += found
    return np.roll(counts.reshape(_VALUES, n_classes), -1, axis=0)


def _bytes(values: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """Return integer values (N,) as uint8; a DataError where they are none, or do not fit."""
    strange = _outside(values, _VALUES)
    if strange:
        raise DataError(f"{what} hold value(s) {', '.join(map(str, strange))}, outside 0..255")
    return values.astype(np.uint8, copy=False).reshape(-1)


def _outside(values: NDArray[Any], n_values: int) -> list[int]:
    """Return up to eight of the values outside 0..n_values - 1."""
    if values.dtype.kind not in "iu":
        raise DataError(f"class maps are integers, not {values.dtype}: were probabilities given?")
    if not values.size or (values.min() >= 0 and values.max() < n_values):
        return []
    found = np.unique(values)
    return [int(v) for v in found[(found < 0) | (found >= n_values)][:8]]
