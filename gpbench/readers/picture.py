"""Any image file but TIFF, from its bytes: by its signature, never by its name."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpbench.core.errors import DataError
from gpbench.readers.damage import damage_named
from gpbench.readers.jpeg import JPEG_SIGNATURE, decode_jpeg
from gpbench.readers.orientation import noted_orientation, upright
from gpbench.readers.png import PNG_SIGNATURE, decode_png

JPEG2000_SIGNATURES = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
"""Of the others, some run programs (EPS) and some cut 16 bits to 8 without a word (PPM)."""
GREY_STEPS = {2: 85, 4: 17}
"""By what Pillow multiplies the grey of a PNG of so many bits; 8 and 16 never come to it."""
PIXEL_MODES = ("L", "LA", "RGB", "RGBA")


def decode_picture(
    data: bytes, where: str, *, keep_indices: bool = False, least_px: int | None = None
) -> NDArray[Any]:
    """Return the upright pixels of a file, (H, W) or (H, W, C), values as stored.

    Args:
        data: All bytes of the file.
        where: Its name for messages.
        keep_indices: Return the indices into a colour table, not the colours; less than 8 bits
            as the numbers that they are, not from black to white.
        least_px: A JPEG may come smaller, if both sides keep that many pixels.

    Raises:
        DataError: If it is empty, damaged, or no image.
    """
    if not data:
        raise DataError(f"{where} cannot be decoded: it is empty")
    with damage_named(where):
        pixels = None
        if data.startswith(JPEG_SIGNATURE):
            pixels = decode_jpeg(data, least_px)
        elif data.startswith(PNG_SIGNATURE):
            pixels = decode_png(data)
        elif data.startswith(JPEG2000_SIGNATURES):
            pixels = np.asarray(imagecodecs.jpeg2k_decode(data))
        return _by_pillow(data, keep_indices=keep_indices) if pixels is None else pixels


def _by_pillow(data: bytes, *, keep_indices: bool) -> NDArray[Any]:
    with Image.open(BytesIO(data), formats=PILLOW_FORMATS) as opened:
        opened.load()  # reads what is noted behind the pixels, too
        orientation = noted_orientation(opened.info.get("exif", b""))
        picture: Image.Image = opened
        if keep_indices and picture.mode in {"P", "1"}:
            return upright(np.asarray(picture, dtype=np.uint8), orientation)
        if picture.mode not in PIXEL_MODES:
            picture = picture.convert(_plain_mode(picture))
        pixels = np.asarray(picture)
        if keep_indices and opened.format == "PNG" and opened.mode == "L":
            pixels = pixels // GREY_STEPS[data[24]]
        return upright(pixels, orientation)


def _plain_mode(picture: Image.Image) -> str:
    if picture.mode == "1":
        return "L"
    return "RGBA" if picture.mode == "PA" or "transparency" in picture.info else "RGB"
