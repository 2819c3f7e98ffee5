"""Image files as arrays, with all channels and in the dtype of the file; or as 8-bit RGB.

TIFF goes through tifffile, because Pillow drops the fourth band of a GeoTIFF without a word. What
a file is, its first bytes say: its name may lie.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpbench.core.errors import DataError
from gpbench.readers.picture import decode_picture
from gpbench.readers.tiff import TIFF_SIGNATURES, TiffPicture, bands, read_tiff

KEPT_DTYPES = ("uint8", "uint16", "float32")
WIDENED_DTYPES = {
    "bool": "uint8",
    "int8": "float32",
    "int16": "float32",
    "float16": "float32",
    "float64": "float32",
}
LIGHT_PHOTOMETRICS = ("MINISBLACK", "RGB", "PALETTE", "YCBCR")
"""What a TIFF may hold to be shown as it is; tifffile has made RGB of YCBCR."""


def read_image(path: Path) -> NDArray[Any]:
    """Return an image (H, W, C) as uint8, uint16 or float32, values as stored.

    Grey images have one channel, an alpha channel is a band like any other, colour tables are
    expanded, and the orientation that a camera noted (EXIF) is applied; that of a TIFF is not, as
    GDAL does not either. int8, int16 and 64-bit floats come as float32.

    Raises:
        DataError: If the file is missing or damaged, or its pixels are of another type.
    """
    where = str(path)
    if is_tiff(path):
        pixels = bands(read_tiff(path, where), where)
    else:
        pixels = np.atleast_3d(decode_picture(bytes_of(path), where))
    return _as_kept_dtype(pixels, where)


def read_rgb(path: Path, least_px: int | None = None) -> NDArray[np.uint8]:
    """Return an image file as `decode_rgb` does.

    Raises:
        DataError: If the file is missing or damaged, or cannot be shown as RGB.
    """
    return decode_rgb(bytes_of(path), str(path), least_px)


def decode_rgb(data: bytes, where: str, least_px: int | None = None) -> NDArray[np.uint8]:
    """Return the image that a file's bytes hold as (H, W, 3) uint8, for pre-training.

    Grey is repeated, alpha and bands beyond the third are dropped, print colours (CMYK) are
    converted, 16 bits become 8, and the orientation that a camera noted is applied.

    Args:
        data: All bytes of the file.
        where: The file, or the archive and its member, for messages.
        least_px: A JPEG may come smaller, in proportion, if both sides keep that many pixels.

    Raises:
        DataError: If it is empty, damaged or no image, or cannot be shown as RGB.
    """
    if data.startswith(TIFF_SIGNATURES):
        pixels = _shown_bands(read_tiff(BytesIO(data), where), where)
    else:
        pixels = np.atleast_3d(decode_picture(data, where, least_px=least_px))
    if pixels.dtype == np.uint16:
        pixels = pixels >> 8
    elif pixels.dtype != np.uint8:
        raise DataError(
            f"{where} holds {pixels.dtype} pixels; a pre-training image has 8 or 16 bits", "pixels"
        )
    colours = pixels[:, :, :3] if pixels.shape[2] > 2 else np.repeat(pixels[:, :, :1], 3, axis=2)
    return np.ascontiguousarray(colours, dtype=np.uint8)


def is_tiff(path: Path) -> bool:
    """Return whether a file begins as TIFF does.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(4) in TIFF_SIGNATURES
    except OSError as error:
        raise _unreadable(path, error) from error


def bytes_of(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror}")


def _shown_bands(picture: TiffPicture, where: str) -> NDArray[Any]:
    """Return the bands (H, W, C) of a TIFF as light: more is brighter."""
    pixels, photometric = bands(picture, where), picture.photometric
    if photometric in LIGHT_PHOTOMETRICS:
        return pixels
    if photometric == "MINISWHITE" and pixels.dtype.kind == "u":
        return ~pixels
    if photometric == "SEPARATED" and pixels.dtype == np.uint8 and pixels.shape[2] == 4:
        height, width = pixels.shape[:2]
        return np.asarray(Image.frombytes("CMYK", (width, height), pixels.tobytes()).convert("RGB"))
    raise DataError(
        f"{where} holds {pixels.shape[2]} band(s) of {photometric} colours and {pixels.dtype}: "
        "convert the file to RGB",
        "pixels",
    )


def _as_kept_dtype(pixels: NDArray[Any], where: str) -> NDArray[Any]:
    name = WIDENED_DTYPES.get(pixels.dtype.name, pixels.dtype.name)
    if name not in KEPT_DTYPES:
        raise DataError(
            f"{where} holds {pixels.dtype} pixels; uint8, uint16 and float32 are read as they are, "
            "and int8, int16 and float64 as float32: convert the file",
            "pixels",
        )
    return np.ascontiguousarray(pixels, dtype=name)
