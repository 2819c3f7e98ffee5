"""JPEG by libjpeg-turbo, at a fraction of the size where less is enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gpbench.readers.orientation import EXIF_PREFIX, noted_orientation, upright

JPEG_SIGNATURE = b"\xff\xd8\xff"
MODES = {"Gray": "GRAY", "YCbCr": "RGB", "RGB": "RGB"}
"""Colour space of a file -> what it is decoded to. CMYK would be decoded too, to wrong colours."""
MOST_PX = 1 << 26
"""Of more pixels Pillow decides whether the file is meant so: decoding may take gigabytes."""


def decode_jpeg(data: bytes, least_px: int | None = None) -> NDArray[Any] | None:
    """Return an upright image (H, W, 1 or 3) uint8; None: Pillow must decide whether it can be.

    With `least_px` it is a half or less of its size where that leaves both sides so many pixels;
    and where both sides have more, its colours, if of half the resolution, are not smoothed.
    """
    least = least_px or 0
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in MODES or height * width > MOST_PX:
            return None
        pixels = simplejpeg.decode_jpeg(
            data,
            MODES[colours],
            min_height=least,
            min_width=least,
            min_factor=2,  # others are no faster
            fastupsample=0 < least < min(height, width),  # whoever asks makes it smaller yet
        )
    except ValueError:  # also where a decoder can recover, as from stray bytes between segments
        return None
    return upright(np.asarray(pixels), noted_orientation(_exif(data)))


def _exif(data: bytes) -> bytes:
    """Return the content of the Exif segment among those before the pixels, else nothing."""
    start = 2
    while data[start : start + 1] == b"\xff":
        marker, size = data[start + 1 : start + 2], int.from_bytes(data[start + 2 : start + 4])
        if marker == b"\xff":  # filling
            start += 1
            continue
        if marker == b"\xe1" and data.startswith(EXIF_PREFIX, start + 4):
            return data[start + 4 : start + 2 + size]
        start += 2 + size
    return b""
