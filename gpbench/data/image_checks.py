"""Whether images and labels are as the dataset declares. numpy only, reads nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import IGNORE_INDEX, DatasetInfo
from gpbench.core.errors import LabelError
from gpbench.core.problems import Problem

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))
N_VALUES = 256
_RUN_PX = 16
"""Runs of equal pixels along a row that are this long on average are counted as runs."""


def image_problems(image: NDArray[Any], where: str, info: DatasetInfo) -> Iterator[Problem]:
    """Yield what is wrong with an image by itself; nothing if it is (H, W, C) and as declared.

    Args:
        image: As the dataset's `read` returned it.
        where: The image's name for messages.
        info: What the dataset declares.
    """
    bands = [band.name for band in info.bands]
    if image.ndim != 3 or image.shape[2] != len(bands) or 0 in image.shape:
        yield Problem(
            "pixels",
            f"{where} is an array of shape {image.shape}; (height, width, {len(bands)}) is "
            f"declared: one channel for each of {', '.join(bands)}",
        )
    elif image.dtype not in DTYPES:
        yield Problem(
            "pixels",
            f"{where} holds {image.dtype}; images are uint8, uint16 or float32: "
            "convert it in the dataset's `read`",
        )
    elif image.dtype.kind == "f" and not np.isfinite(image).all():
        bad = [bands[c] for c in range(len(bands)) if not np.isfinite(image[..., c]).all()]
        yield Problem(
            "pixels",
            f"{where} holds NaN or infinity in band {', '.join(bad)}: "
            "replace it in the dataset's `read`, and label such pixels as ignored",
        )


def dtype_problems(dtypes: Mapping[int, str]) -> dict[int, str]:
    """Return what is wrong with each image whose dtype is not that of most; on a tie, of the first.

    Args:
        dtypes: Image's position -> numpy's text of its dtype, in the dataset's order.
    """
    common = Counter(dtypes.values()).most_common(1)
    return {
        position: f"holds {np.dtype(dtype).name}, most images {np.dtype(common[0][0]).name}: "
        "all images of a dataset have one type of pixel"
        for position, dtype in dtypes.items()
        if dtype != common[0][0]
    }


def label_problems(
    label: NDArray[np.uint8] | None, where: str, shape: tuple[int, ...]
) -> Iterator[Problem]:
    """Yield what is wrong with a label before its values are looked at.

    Nothing if it is uint8 of the image's `shape` (H, W).
    """
    if label is None:
        yield Problem(
            "unlabelled",
            f"{where} has no label: images whose labels are withheld belong to no split",
        )
    elif label.dtype != np.uint8 or label.shape != shape:
        yield Problem(
            "label" if label.shape == shape else "size",
            f"the label of {where} is {label.dtype} of shape {label.shape}; "
            f"uint8 of the image's shape {shape} is declared",
        )


def value_problems(counts: NDArray[np.int64], where: str, info: DatasetInfo) -> Iterator[Problem]:
    """Yield a problem if a label holds values that are no class and not ignored.

    Args:
        counts: Of the label, from `value_counts`.
        where: The image's name for messages.
        info: What the dataset declares.
    """
    n_classes = len(info.classes)
    strange = [v for v in np.flatnonzero(counts).tolist() if n_classes <= v != IGNORE_INDEX]
    if strange:
        error = LabelError(f"the label of {where}", strange, n_classes, IGNORE_INDEX)
        yield Problem("label", str(error))


def value_counts(label: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many pixels of a label (H, W) have each value, (256,)."""
    values = label.reshape(-1)
    is_last = np.append(values[1:] != values[:-1], True)  # of a run of equal values
    if np.count_nonzero(is_last) > len(values) // _RUN_PX:
        return np.bincount(values, minlength=N_VALUES)
    last = np.flatnonzero(is_last)  # a few long runs are counted sooner than all pixels
    lengths = np.diff(last, prepend=-1)
    return np.bincount(values[last], lengths, N_VALUES).astype(np.int64)
