"""Image files of many kinds, made in memory."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import simplejpeg
import tifffile
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[Any]


def noise(*shape: int, dtype: Any = np.uint8) -> Pixels:
    """Return random values 0..255, or 0..65535 for uint16, in which both bytes differ."""
    values = np.random.default_rng(0).integers(0, 256, shape)
    return (values * 257 ^ 5 if dtype == np.uint16 else values).astype(dtype)


def picture(height: int = 45, width: int = 60) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) without sharp edges, so that JPEG changes it little."""
    coarse = Image.fromarray(noise(6, 7, 3))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the bytes of a file that Pillow writes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(pixels: Pixels, **options: Any) -> bytes:
    """Return the bytes of a TIFF."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


SMALLEST_NOTE = b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0)
"""Exif of one directory with one entry: orientation 6."""


def noted(orientation: int) -> Image.Exif:
    """Return what a camera notes that was held so."""
    exif = Image.Exif()
    exif[0x010F] = "a maker of cameras"
    exif[0x0112] = orientation
    return exif


def print_colours() -> bytes:
    """Return a JPEG in cyan, magenta, yellow and black, as print shops store it: YCCK."""
    inks = np.ascontiguousarray(255 - noise(6, 7, 4).repeat(8, 0).repeat(8, 1))
    return bytes(simplejpeg.encode_jpeg(inks, quality=95, colorspace="CMYK"))


IMAGE = Image.fromarray(picture())
KINDS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(IMAGE, "JPEG", exif=noted(6)),
    "progressive jpeg": lambda: saved(IMAGE, "JPEG", progressive=True),
    "grey jpeg": lambda: saved(IMAGE.convert("L"), "JPEG"),
    "cmyk jpeg": lambda: saved(IMAGE.convert("CMYK"), "JPEG"),
    "ycck jpeg": print_colours,
    "png": lambda: saved(IMAGE, "PNG", exif=noted(6)),
    "palette png": lambda: saved(IMAGE.convert("P"), "PNG"),
    "two-colour png": lambda: saved(IMAGE.convert("1"), "PNG"),
    "deep png": lambda: bytes(imagecodecs.png_encode(noise(24, 24, 3, dtype=np.uint16))),
    "bmp": lambda: saved(IMAGE, "BMP"),
    "gif": lambda: saved(IMAGE.convert("P"), "GIF"),
    "webp": lambda: saved(IMAGE, "WEBP"),
    "jpeg 2000": lambda: bytes(imagecodecs.jpeg2k_encode(noise(24, 24, 3, dtype=np.uint16))),
    "tiff": lambda: tiff(noise(24, 24, 4), photometric="rgb"),
    "lzw tiff": lambda: tiff(picture(), photometric="rgb", compression="lzw", tile=(16, 16)),
    "deflate tiff": lambda: tiff(noise(24, 24, 4), photometric="rgb", compression="zlib"),
    "jpeg tiff": lambda: tiff(picture(), photometric="rgb", compression="jpeg"),
    "palette tiff": lambda: tiff(
        noise(24, 24), photometric="palette", colormap=noise(3, 256, dtype=np.uint16)
    ),
}
"""A small file of every kind that is read."""


def assert_same(found: Pixels, expected: Pixels) -> None:
    """Fail unless values, shape and type are equal, in this machine's byte order."""
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    assert found.dtype.isnative
