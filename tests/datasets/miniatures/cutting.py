"""Cutting images as mmsegmentation's converters do, with what they lose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Edges = tuple[int, int, int, int]
"""y0, y1, x0, x1 as a converter writes them into a name: a start may be negative."""


def cut(pixels: NDArray[Any], patch_px: int, stride_px: int) -> dict[Edges, NDArray[Any]]:
    """Return edges -> patch. A patch that would reach beyond the image is pushed back.

    iSAID's converter has 896 and 512; those of Potsdam and Vaihingen have 512 and 512, whatever
    stride they are called with.
    """
    height, width = pixels.shape[:2]
    return {
        (y1 - patch_px, y1, x1 - patch_px, x1): pixels[y1 - patch_px : y1, x1 - patch_px : x1]
        for y1 in _ends(height, patch_px, stride_px)
        for x1 in _ends(width, patch_px, stride_px)
    }


def padded(pixels: NDArray[Any], patch_px: int, value: int) -> NDArray[Any]:
    """Return what iSAID's converter cuts: a side that is too short is padded at its end.

    It forgets to where the other side has exactly a patch's length.
    """
    height, width = pixels.shape[:2]
    if patch_px in {height, width}:
        return pixels
    room = [(0, max(0, patch_px - side)) for side in (height, width)]
    return np.pad(pixels, room + [(0, 0)] * (pixels.ndim - 2), constant_values=value)


def _ends(side: int, patch_px: int, stride_px: int) -> list[int]:
    return sorted({min(start + patch_px, side) for start in range(0, side, stride_px)})
