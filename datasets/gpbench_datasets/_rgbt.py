"""Visible and thermal images that lie in two files, as one image of four bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpbench.api import DataError, Image
from gpbench.readers.image import read_image


def rgb_and_thermal(rgb: Path, thermal: Path) -> Image:
    """Return red, green, blue and thermal (H, W, 4) uint8.

    The thermal image is grey; where its file holds three channels, they must be equal.

    Raises:
        DataError: If the files are not such images of one size; names the file.
    """
    colours, grey = read_image(rgb), _grey(thermal)
    if colours.shape[2] != 3 or colours.dtype != np.uint8:
        raise DataError(
            f"{rgb} {_held(colours)}; red, green and blue of uint8 are wanted", "pixels"
        )
    if colours.shape[:2] != grey.shape[:2]:
        sizes = ["{} x {}".format(*each.shape[:2]) for each in (colours, grey)]
        raise DataError(
            f"{rgb} is {sizes[0]} pixels (height x width), and its thermal image {thermal} "
            f"{sizes[1]}",
            "size",
        )
    return np.concatenate([colours, grey], axis=2)


def _grey(path: Path) -> Image:
    pixels = read_image(path)
    if pixels.dtype != np.uint8 or pixels.shape[2] not in {1, 3}:
        raise DataError(
            f"{path} {_held(pixels)}; one channel of uint8 is wanted: the thermal image", "pixels"
        )
    if (pixels != pixels[:, :, :1]).any():
        raise DataError(
            f"{path} holds three channels that differ; a thermal image is grey: is this one shown "
            "in false colours?",
            "pixels",
        )
    return pixels[:, :, :1]


def _held(pixels: Image) -> str:
    return f"has {pixels.shape[2]} channel(s) of {pixels.dtype}"
