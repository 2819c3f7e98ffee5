"""Label files as class indices (H, W) uint8: by identity, table, threshold or colour."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import IGNORE_INDEX
from gpbench.core.errors import DataError, LabelError
from gpbench.readers.image import bytes_of, is_tiff, read_image
from gpbench.readers.picture import decode_picture
from gpbench.readers.tiff import read_tiff

Values = NDArray[np.integer[Any]]
"""(H, W): what a label file holds."""
N_COLOURS = 1 << 24
BLOCK_PX = 1 << 15
"""Looked up at once: the indices, which numpy widens to 64 bits, stay in the cache."""
SHOWN_VALUES = 8


def read_label(path: Path) -> Values:
    """Return the values of a single-channel label file (H, W); of a colour table, the indices.

    Integers keep the type of the file.

    Raises:
        DataError: If the file is missing or damaged, has several channels, or holds fractions.
    """
    where = str(path)
    if is_tiff(path):
        picture = read_tiff(path, where)
        sizes = zip(picture.pixels.shape, picture.axes, strict=True)
        pixels = picture.pixels.reshape([n for n, axis in sizes if axis in "YX" or n > 1])
    else:
        pixels = decode_picture(bytes_of(path), where, keep_indices=True)
        pixels = pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels
    if pixels.ndim != 2:
        raise DataError(
            f"{where} has shape {pixels.shape}; a label file has one value per pixel: "
            "for a picture in class colours, list the colours",
            "label",
        )
    return _whole_numbers(pixels, where)


def read_colours(path: Path) -> NDArray[np.uint32]:
    """Return the colours of a label picture (H, W) as 0xRRGGBB; an alpha channel is ignored.

    Raises:
        DataError: If the file is missing or damaged, or is not 8-bit RGB.
    """
    pixels = read_image(path)
    if pixels.dtype != np.uint8 or pixels.shape[2] not in {3, 4}:
        raise DataError(
            f"{path} has {pixels.shape[2]} channel(s) of {pixels.dtype}; "
            "a label picture in class colours has 8-bit red, green and blue",
            "label",
        )
    packed = np.zeros((*pixels.shape[:2], 4), dtype=np.uint8)
    for channel in range(3):  # blue is the lowest byte
        packed[:, :, 2 - channel] = pixels[:, :, channel]
    return packed.view("<u4")[:, :, 0]


def identified(
    values: Values, n_classes: int, ignored: Collection[int], where: str
) -> NDArray[np.uint8]:
    """Return the values themselves, (H, W); those in `ignored` become IGNORE_INDEX.

    Raises:
        LabelError: If another value is not the index of a class; says how often and where first.
    """
    table = {i: i for i in range(n_classes)} | dict.fromkeys(ignored, IGNORE_INDEX)
    classes, is_unknown = _looked_up(values, table)
    if is_unknown.any():
        found = _listed(values, is_unknown, str)
        raise LabelError(where, found, n_classes, max(ignored, default=None))
    return classes


def mapped(
    values: Values,
    table: Mapping[int, int],
    where: str,
    shown: Callable[[int], str] = str,
) -> NDArray[np.uint8]:
    """Return `table[value]` for each pixel (H, W).

    Args:
        values: Integers, or the codes of `read_colours`.
        table: Class index or IGNORE_INDEX of each value.
        where: The file, for messages.
        shown: How a value is written in an error: colours are written as #rrggbb.

    Raises:
        DataError: If the label holds values that the table does not; says of each how often and
            where first, rows and columns counted from 0.
    """
    classes, is_unknown = _looked_up(values, table)
    if is_unknown.any():
        raise DataError(
            f"{where} holds label values that are neither a class nor ignored: "
            f"{_listed(values, is_unknown, shown)}; "
            f"known: {', '.join(shown(value) for value in sorted(table))}",
            "label",
        )
    return classes


def thresholded(values: Values, above: float) -> NDArray[np.uint8]:
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


def _whole_numbers(pixels: NDArray[Any], where: str) -> Values:
    if pixels.dtype.kind in "ui":
        return pixels
    with np.errstate(invalid="ignore"):
        values = pixels.astype(np.int64)
    if not np.array_equal(values, pixels):
        raise DataError(f"{where} holds fractions; label values are whole numbers", "label")
    return values


def _looked_up(
    values: Values, table: Mapping[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return `table[value]` and whether the table lacks the value, both (H, W)."""
    keys, size_bytes = tuple(sorted(table)), values.dtype.itemsize
    most = min(N_COLOURS - 1, np.iinfo(values.dtype).max)
    if size_bytes <= 4 and keys[0] >= 0 and keys[-1] <= most:
        values = values.astype(f"u{size_bytes}", copy=False)  # below 0 becomes more than all keys
    else:
        places = np.searchsorted(keys, values).clip(max=len(keys) - 1)
        values = np.where(np.asarray(keys)[places] == values, places, len(keys)).astype(np.uint32)
        table = {i: table[key] for i, key in enumerate(keys)}
    lookup, unknown = _lookup(tuple(sorted(table.items())))
    flat = values.reshape(-1)
    found = np.empty(flat.shape, dtype=lookup.dtype)
    for start in range(0, flat.size, BLOCK_PX):
        block = slice(start, start + BLOCK_PX)
        np.take(lookup, flat[block], out=found[block], mode="clip")
    found = found.reshape(values.shape)
    return found.astype(np.uint8, copy=False), found == unknown


@lru_cache(maxsize=2)  # 16 MB for a table of colours
def _lookup(table: tuple[tuple[int, int], ...]) -> tuple[NDArray[Any], int]:
    """Return the classes by value, the last one for all greater values; and what marks no class."""
    unknown = min(set(range(257)) - {index for _, index in table})
    lookup = np.full(max(value for value, _ in table) + 2, unknown, np.min_scalar_type(unknown))
    for value, index in table:
        lookup[value] = index
    return lookup, unknown


def _listed(values: Values, is_unknown: NDArray[np.bool_], shown: Callable[[int], str]) -> str:
    """Return each unknown value, how often it occurs and where first, the most frequent first."""
    places = np.flatnonzero(is_unknown)
    found, first, counts = np.unique(
        values.reshape(-1)[places], return_index=True, return_counts=True
    )
    texts = []
    for i in np.argsort(-counts, kind="stable")[:SHOWN_VALUES].tolist():
        row, column = divmod(int(places[first[i]]), values.shape[1])
        pixels = "1 pixel" if counts[i] == 1 else f"{counts[i]} pixels"
        texts.append(f"{shown(int(found[i]))} on {pixels}, first at row {row}, column {column}")
    if len(found) > SHOWN_VALUES:
        texts.append(f"and {len(found) - SHOWN_VALUES} more")
    return "; ".join(texts)
