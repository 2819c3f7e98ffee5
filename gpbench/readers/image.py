"""Image files as arrays, with all channels and in the dtype of the file.

TIFF goes through tifffile, because Pillow drops the fourth band of a GeoTIFF without a word; the
rest goes through Pillow. Nothing is scaled.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gpbench.core.errors import DataError, MissingExtraError

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_COLOUR_TYPES = (b"\2", b"\4", b"\6")
"""More than one channel: Pillow reads these at 16 bits as 8 bits, and says nothing."""
PIXEL_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "I", "F")
KEPT_DTYPES = ("uint8", "uint16", "float32")
WIDENED_DTYPES = {
    "bool": "uint8",
    "int8": "float32",
    "int16": "float32",
    "float16": "float32",
    "float64": "float32",
}
DECODER_ERRORS = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG chunk
    ValueError,
    EOFError,
    LookupError,
    ArithmeticError,
    AttributeError,
    TypeError,
    RuntimeError,
    MemoryError,  # a damaged header may ask for any size
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow and tifffile raise on damaged files, found by damaging many."""


def read_image(path: Path) -> NDArray[Any]:
    """Return an image (H, W, C) as uint8, uint16 or float32, values as stored.

    Grey images have one channel, an alpha channel is a band like any other, colour tables are
    expanded, and the orientation that a camera noted (EXIF) is applied. int8, int16 and 64-bit
    floats come as float32.

    Raises:
        DataError: If the file is missing or damaged, or its pixels are of another type.
        MissingExtraError: If its compression needs a package that is not installed.
    """
    head = head_of(path)
    if head.startswith(TIFF_SIGNATURES):
        pixels = _tiff_bands(path)
    elif _is_deep_colour_png(head):
        pixels = _deep_colour_png(path)
    else:
        pixels = read_picture(path, keep_indices=False)
    return _as_kept_dtype(np.atleast_3d(pixels), path)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return an image as (H, W, 3) uint8, red green blue, for pre-training.

    Grey is repeated, alpha and bands beyond the third are dropped, 16 bits become 8.

    Raises:
        DataError: If the file is missing or damaged, or its pixels are floats.
    """
    pixels = read_image(path)
    if pixels.dtype == np.uint16:
        pixels = pixels >> 8
    elif pixels.dtype != np.uint8:
        raise DataError(
            f"{path} holds {pixels.dtype} pixels; a pre-training image has 8 or 16 bits"
        )
    colours = pixels[:, :, :3] if pixels.shape[2] > 2 else np.repeat(pixels[:, :, :1], 3, axis=2)
    return np.ascontiguousarray(colours, dtype=np.uint8)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file, which tell its format.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(32)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def read_picture(path: Path, *, keep_indices: bool) -> NDArray[Any]:
    """Return what Pillow reads, (H, W) or (H, W, C); a colour table expanded or as indices."""
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if keep_indices and picture.mode in {"P", "1"}:
                return np.asarray(picture, dtype=np.uint8)
            if picture.mode not in PIXEL_MODES:
                picture = picture.convert(_plain_mode(picture))
            return np.asarray(picture)
    except DECODER_ERRORS as error:
        raise DataError(f"{path} cannot be decoded, is it damaged? {error}") from error


def read_tiff(path: Path) -> tuple[NDArray[Any], str, NDArray[np.uint8] | None]:
    """Return the first picture of a TIFF at full size, one letter per axis, its colour table.

    Y and X are the letters of rows and columns; the table is (values, 3), or None.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            table = series.keyframe.colormap
            pixels, axes = series.asarray(), series.axes
    except (*DECODER_ERRORS, tifffile.TiffFileError) as error:
        if "imagecodecs" in str(error):
            raise MissingExtraError(
                "imagecodecs", f"the compression of {path}", "pip install imagecodecs"
            ) from error
        raise DataError(f"{path} cannot be decoded, is it damaged? {error}") from error
    if pixels.ndim != len(axes) or not pixels.size:
        raise DataError(f"{path} cannot be decoded, is it damaged? It holds no whole picture")
    return pixels, axes, None if table is None else (table.T >> 8).astype(np.uint8)


def _plain_mode(picture: Image.Image) -> str:
    if picture.mode == "1":
        return "L"
    return "RGBA" if picture.mode == "PA" or "transparency" in picture.info else "RGB"


def _is_deep_colour_png(head: bytes) -> bool:
    bits, colour_type = head[24:25], head[25:26]
    return head.startswith(PNG_SIGNATURE) and bits == b"\x10" and colour_type in PNG_COLOUR_TYPES


def _deep_colour_png(path: Path) -> NDArray[Any]:
    """Return a 16-bit colour PNG (H, W, 3 or 4) uint16, which Pillow would cut to 8 bits."""
    import cv2  # noqa: PLC0415  slow to load, and needed for this rare kind of file only

    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DataError(f"{path} cannot be decoded, is it damaged?")
    order = [2, 1, 0, 3][: pixels.shape[2]]  # OpenCV puts blue first
    return np.asarray(pixels)[:, :, order]


def _tiff_bands(path: Path) -> NDArray[Any]:
    pixels, axes, colours = read_tiff(path)
    if colours is not None:
        pixels, axes = colours[pixels], f"{axes}S"
    others = [n for n, axis in zip(pixels.shape, axes, strict=True) if axis not in "YX" and n > 1]
    if len(others) > 1 or axes.count("Y") != 1 or axes.count("X") != 1:
        raise DataError(
            f"{path} has axes {axes} of sizes {pixels.shape}; an image has rows, columns and bands"
        )
    pixels = np.moveaxis(pixels, (axes.index("Y"), axes.index("X")), (0, 1))
    return pixels.reshape(*pixels.shape[:2], -1)


def _as_kept_dtype(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    name = WIDENED_DTYPES.get(pixels.dtype.name, pixels.dtype.name)
    if name not in KEPT_DTYPES:
        raise DataError(
            f"{path} holds {pixels.dtype} pixels; uint8, uint16 and float32 are read as they are, "
            "and int8, int16 and float64 as float32: convert the file"
        )
    return np.ascontiguousarray(pixels, dtype=name)  # also brings bytes into this machine's order
