"""Label files as class indices (H, W) uint8: by identity, table, threshold or colour."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import IGNORE_INDEX
from gpbench.core.errors import DataError, LabelError
from gpbench.readers.image import TIFF_SIGNATURES, head_of, read_image, read_picture, read_tiff

NOT_MAPPED = 256
"""Outside uint8: marks values that a table does not hold."""
SHOWN_VALUES = 8


def read_label(path: Path) -> NDArray[np.int64]:
    """Return the values of a single-channel label file (H, W); of a colour table, the indices.

    Raises:
        DataError: If the file is missing or damaged, has several channels, or holds fractions.
    """
    if head_of(path).startswith(TIFF_SIGNATURES):
        pixels, axes, _ = read_tiff(path)
        shape = [n for n, axis in zip(pixels.shape, axes, strict=True) if axis in "YX" or n > 1]
        pixels = pixels.reshape(shape)
    else:
        pixels = read_picture(path, keep_indices=True)
    if pixels.ndim != 2:
        raise DataError(
            f"{path} has shape {pixels.shape}; a label file has one value per pixel: "
            "for a picture in class colours, list the colours"
        )
    return _whole_numbers(pixels, path)


def read_colours(path: Path) -> NDArray[np.int64]:
    """Return the colours of a label picture (H, W) as 0xRRGGBB; an alpha channel is ignored.

    Raises:
        DataError: If the file is missing or damaged, or is not 8-bit RGB.
    """
    pixels = read_image(path)
    if pixels.dtype != np.uint8 or pixels.shape[2] not in {3, 4}:
        raise DataError(
            f"{path} has {pixels.shape[2]} channel(s) of {pixels.dtype}; "
            "a label picture in class colours has 8-bit red, green and blue"
        )
    red, green, blue = np.moveaxis(pixels[:, :, :3].astype(np.int64), 2, 0)
    return np.asarray(red << 16 | green << 8 | blue)


def identified(
    values: NDArray[np.int64], n_classes: int, ignored: Collection[int], where: str
) -> NDArray[np.uint8]:
    """Return the values themselves, (H, W); those in `ignored` become IGNORE_INDEX.

    Raises:
        LabelError: If another value is not the index of a class.
    """
    left_out = np.isin(values, list(ignored))
    wrong = ~left_out & ((values < 0) | (values >= n_classes))
    if wrong.any():
        found = np.unique(values[wrong])[:SHOWN_VALUES]
        raise LabelError(where, found.tolist(), n_classes, IGNORE_INDEX)
    return np.where(left_out, IGNORE_INDEX, values).astype(np.uint8)


def mapped(
    values: NDArray[np.int64],
    table: Mapping[int, int],
    where: str,
    shown: Callable[[int], str] = str,
) -> NDArray[np.uint8]:
    """Return `table[value]` for each pixel (H, W).

    Args:
        shown: How a value is written in an error: colours are written as #rrggbb.

    Raises:
        DataError: If the label holds values that the table does not; names them.
    """
    size = max(table) + 1
    lookup = np.full(size + 1, NOT_MAPPED, dtype=np.uint16)
    lookup[list(table.keys())] = list(table.values())
    classes = lookup[np.where((values < 0) | (values >= size), size, values)]
    if (classes == NOT_MAPPED).any():
        unknown = np.unique(values[classes == NOT_MAPPED])
        listed = ", ".join(shown(int(value)) for value in unknown[:SHOWN_VALUES])
        more = f" and {len(unknown) - SHOWN_VALUES} more" if len(unknown) > SHOWN_VALUES else ""
        raise DataError(
            f"{where} holds label value(s) {listed}{more}, which are neither a class nor ignored; "
            f"known: {', '.join(shown(value) for value in sorted(table))}"
        )
    return classes.astype(np.uint8)


def thresholded(values: NDArray[np.int64], above: float) -> NDArray[np.uint8]:
    """Return 1 where a value is above the threshold, else 0: for masks with softened edges."""
    return (values > above).astype(np.uint8)


def colour_code(text: str) -> int:
    """Return the number 0xRRGGBB of a colour written #rrggbb.

    Raises:
        ValueError: If it is not written so.
    """
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise ValueError(f"{text!r} is not a colour; write it as '#rrggbb'")
    return int(text[1:], 16)


def colour_text(code: int) -> str:
    """Return a colour as #rrggbb."""
    return f"#{code:06x}"


def _whole_numbers(pixels: NDArray[Any], path: Path) -> NDArray[np.int64]:
    with np.errstate(invalid="ignore"):
        values = pixels.astype(np.int64)
    if pixels.dtype.kind == "f" and not np.array_equal(values, pixels):
        raise DataError(f"{path} holds fractions; label values are whole numbers")
    return values
