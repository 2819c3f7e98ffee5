"""TIFF through tifffile: any number of bands, any type, any compression."""

from __future__ import annotations

import logging
import math
import operator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from gpbench.core.errors import DataError
from gpbench.readers.damage import damage_named

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what is wrong, an error says


@dataclass(frozen=True)
class TiffPicture:
    """The first picture of a file, at full size."""

    pixels: NDArray[Any]
    axes: str
    """One letter for each axis of `pixels`; Y and X are rows and columns."""
    colours: NDArray[np.uint8] | None
    """The colour table (values, 3) that the pixels are indices of."""
    photometric: str
    """The name of what the bands are: MINISBLACK, RGB, SEPARATED (print colours) and so on."""


def read_tiff(file: Path | BinaryIO, where: str) -> TiffPicture:
    """Return the first picture of a TIFF.

    Raises:
        DataError: If it is damaged; names `where`.
    """
    with damage_named(where), tifffile.TiffFile(file) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        _check_extent(page, tiff.filehandle.size)
        pixels = series.asarray(maxworkers=1)  # who reads many files does so in parallel
        if not pixels.size:
            raise ValueError("It holds no whole picture")
        table = page.colormap
        return TiffPicture(
            pixels,
            series.axes,
            None if table is None else (table.T >> 8).astype(np.uint8),
            tifffile.PHOTOMETRIC(page.photometric).name,
        )


def _check_extent(page: Any, size_bytes: int) -> None:
    """Raise where tifffile would fill up with zeros, or a decoder with grey, what is not there."""
    n_parts = math.prod(page.chunked)
    if len(page.dataoffsets) < n_parts:
        raise ValueError(f"It has {len(page.dataoffsets)} of {n_parts} strips or tiles")
    ends = map(operator.add, page.dataoffsets, page.databytecounts)
    if page.compression != tifffile.COMPRESSION.NONE and max(ends) > size_bytes:
        raise ValueError("Its last strips or tiles are missing")


def bands(picture: TiffPicture, where: str) -> NDArray[Any]:
    """Return the bands (H, W, C), a colour table expanded.

    Raises:
        DataError: If there are more axes than rows, columns and bands.
    """
    pixels, axes = picture.pixels, picture.axes
    if picture.colours is not None:
        with damage_named(where):  # an index may lie outside the table
            pixels, axes = picture.colours[pixels], f"{axes}S"
    others = [n for n, axis in zip(pixels.shape, axes, strict=True) if axis not in "YX" and n > 1]
    if len(others) > 1 or axes.count("Y") != 1 or axes.count("X") != 1:
        raise DataError(
            f"{where} has axes {axes} of sizes {pixels.shape}; "
            "an image has rows, columns and bands",
            "pixels",
        )
    pixels = np.moveaxis(pixels, (axes.index("Y"), axes.index("X")), (0, 1))
    return pixels.reshape(*pixels.shape[:2], -1)
