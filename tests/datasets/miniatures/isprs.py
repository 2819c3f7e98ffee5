"""What the miniatures of Potsdam and Vaihingen share: pictures, their labels, and patches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from gpbench.readers.protocol_card import ProtocolCard
from tests.datasets.miniatures.blocks import Picture, blocks
from tests.datasets.miniatures.cutting import cut

BORDER = 255


def picture(name: str, size: tuple[int, int], bands: int, block_px: int) -> Picture:
    """Return image and class ids of blocks of one class each; cheap to make and store if large."""
    height, width = (-(-side // block_px) for side in size)
    image, ids = blocks(name, (height, width), 6, bands=bands, block_px=1)
    whole = [part.repeat(block_px, 0).repeat(block_px, 1) for part in (image, ids)]
    return whole[0][: size[0], : size[1]], whole[1][: size[0], : size[1]]


def eroded(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the ids with BORDER where a neighbour to the right or below is of another class."""
    border = np.zeros(ids.shape, dtype=bool)
    border[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    border[:-1] |= ids[:-1] != ids[1:]
    return np.where(border, np.uint8(BORDER), ids)


def coloured(ids: NDArray[np.uint8], card: ProtocolCard) -> NDArray[np.uint8]:
    """Return the label picture (H, W, 3); BORDER is black."""
    colours = np.zeros((256, 3), dtype=np.uint8)
    for code, value in card.palette.items():
        colours[value] = (code >> 16, code >> 8 & 255, code & 255)
    return np.stack([colours[:, channel][ids] for channel in range(3)], axis=2)


def save_tif(path: Path, pixels: NDArray[Any]) -> None:
    """Write a TIFF as GIS programs do; a fourth band is not said to be alpha."""
    path.parent.mkdir(parents=True, exist_ok=True)
    extra = ["unspecified"] * (pixels.shape[2] - 3)
    tifffile.imwrite(
        path, pixels, photometric="rgb", extrasamples=extra, compression="zstd", rowsperstrip=256
    )


def save_patches(
    root: Path, split: str, name: str, parts: Iterable[tuple[str, NDArray[Any]]], patch_px: int
) -> None:
    """Write what mmsegmentation's converters of both datasets do: columns before rows."""
    for folder, pixels in parts:
        (root / folder / split).mkdir(parents=True, exist_ok=True)
        for (y0, y1, x0, x1), patch in cut(pixels, patch_px, patch_px).items():
            file = root / folder / split / f"{name}_{x0}_{y0}_{x1}_{y1}.png"
            Image.fromarray(np.ascontiguousarray(patch)).save(file, compress_level=1)


def patch_values(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the values of the converters: 0 border, 1 to 6 the classes."""
    return ids + np.uint8(1)  # 255 becomes 0
