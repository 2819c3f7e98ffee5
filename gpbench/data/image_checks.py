"""Whether an image and its label are as the dataset declares. numpy only, reads nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import IGNORE_INDEX, DatasetInfo
from gpbench.core.errors import DataError, LabelError

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))


def image_problems(
    image: NDArray[Any], where: str, info: DatasetInfo, dtype: np.dtype[Any] | None
) -> Iterator[DataError]:
    """Yield what is wrong with an image; nothing if it is (H, W, C) and as declared.

    Args:
        image: As the dataset's `read` returned it.
        where: The image's name for messages.
        info: What the dataset declares.
        dtype: Of the dataset's other images; None: this is the first.
    """
    bands = [band.name for band in info.bands]
    if image.ndim != 3 or image.shape[2] != len(bands) or 0 in image.shape:
        yield DataError(
            f"{where} is an array of shape {image.shape}; (height, width, {len(bands)}) is "
            f"declared: one channel for each of {', '.join(bands)}"
        )
        return
    if image.dtype not in DTYPES:
        yield DataError(
            f"{where} holds {image.dtype}; images are uint8, uint16 or float32: "
            "convert it in the dataset's `read`"
        )
    elif dtype is not None and image.dtype != dtype:
        yield DataError(
            f"{where} holds {image.dtype}, the images before it {dtype}: "
            "all images of a dataset have one dtype"
        )
    elif image.dtype.kind == "f" and not np.isfinite(image).all():
        bad = [bands[c] for c in range(len(bands)) if not np.isfinite(image[..., c]).all()]
        yield DataError(
            f"{where} holds NaN or infinity in band {', '.join(bad)}: "
            "replace it in the dataset's `read`, and label such pixels as ignored"
        )


def label_problems(
    label: NDArray[np.uint8] | None, where: str, info: DatasetInfo, shape: tuple[int, ...]
) -> Iterator[DataError]:
    """Yield what is wrong with a label; nothing if it is `shape` (H, W) and holds the classes."""
    if label is None:
        yield DataError(
            f"{where} has no label: images whose labels are withheld belong to no split"
        )
    elif label.dtype != np.uint8 or label.shape != shape:
        yield DataError(
            f"the label of {where} is {label.dtype} of shape {label.shape}; "
            f"uint8 of the image's shape {shape} is declared"
        )
    else:
        values = np.flatnonzero(np.bincount(label.reshape(-1))).tolist()
        strange = [v for v in values if len(info.classes) <= v != IGNORE_INDEX]
        if strange:
            yield LabelError(f"the label of {where}", strange, len(info.classes), IGNORE_INDEX)
