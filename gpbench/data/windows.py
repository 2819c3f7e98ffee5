"""Windows of images: the grid of a protocol, and reading one window from a store. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import IGNORE_INDEX
from gpbench.data.tile_store import StoredImage, TileStore


def grid(height: int, width: int, tile_px: int, stride_px: int) -> NDArray[np.int64]:
    """Return the (row, column) offsets (N, 2) of the windows of an image, row by row.

    Every pixel lies in a window; the last window of a row or column is shifted inwards to end with
    the image. A side shorter than `tile_px` has one window, which reaches beyond the image.
    """
    rows, columns = (_offsets(side, tile_px, stride_px) for side in (height, width))
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def windows_of(images: Sequence[StoredImage], tile_px: int, stride_px: int) -> NDArray[np.int64]:
    """Return all windows (N, 3) of several images, image by image: image index, row, column."""
    parts = [np.empty((0, 3), dtype=np.int64)]
    for image in images:
        offsets = grid(image.height, image.width, tile_px, stride_px)
        parts.append(np.insert(offsets, 0, image.index, axis=1))
    return np.concatenate(parts)


def read_window(
    store: TileStore, window: NDArray[np.int64], tile_px: int
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return image (tile_px, tile_px, C) and label (tile_px, tile_px) of a row of `windows_of`.

    What lies beyond the image is 0 in the image and IGNORE_INDEX in the label.
    """
    index, row, column = (int(value) for value in window)
    image, label = store.read(index)
    return (
        padded_tile(image, row, column, tile_px),
        padded_tile(label, row, column, tile_px, fill=IGNORE_INDEX),
    )


def padded_tile(
    values: NDArray[Any], row: int, column: int, tile_px: int, fill: int = 0
) -> NDArray[Any]:
    """Return the window (tile_px, tile_px, ...) of an image or label, `fill` beyond its border.

    A view where the window lies within the image.
    """
    inside = values[row : row + tile_px, column : column + tile_px]
    height, width = inside.shape[:2]
    if (height, width) == (tile_px, tile_px):
        return inside
    tile = np.full((tile_px, tile_px, *values.shape[2:]), fill, dtype=values.dtype)
    tile[:height, :width] = inside
    return tile


def _offsets(side_px: int, tile_px: int, stride_px: int) -> NDArray[np.int64]:
    last = max(side_px - tile_px, 0)
    return np.array([*range(0, last, stride_px), last], dtype=np.int64)
