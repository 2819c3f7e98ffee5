"""Pictures of coloured blocks: a class has a colour of its own, so that a network can learn it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpbench.api import derive_seed

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Image (H, W, C) and class ids (H, W)."""


def blocks(
    name: str, size: tuple[int, int], n_classes: int, *, bands: int = 3, block_px: int = 8
) -> Picture:
    """Return a picture that its name decides."""
    height, width = size
    rng = np.random.default_rng(derive_seed("miniature", name))
    rows, columns = -(-height // block_px), -(-width // block_px)
    coarse = rng.integers(n_classes, size=(rows, columns), dtype=np.uint8)
    ids = np.kron(coarse, np.ones((block_px, block_px), np.uint8))[:height, :width]
    colours = np.random.default_rng(n_classes).integers(20, 236, (n_classes, bands))
    shades = rng.integers(-15, 16, (rows, columns, 1)).repeat(block_px, 0).repeat(block_px, 1)
    return (colours[ids] + shades[:height, :width]).astype(np.uint8), ids
