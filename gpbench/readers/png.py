"""PNG of 8 or 16 bits a channel by libpng, which neither cuts 16 bits nor composites alpha."""

from __future__ import annotations

import logging
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from gpbench.readers.orientation import noted_orientation, upright

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Of each colour type but that of indices; a transparent colour makes libpng add one."""

logging.getLogger("imagecodecs").addHandler(logging.NullHandler())  # of broken colour profiles


def decode_png(data: bytes) -> NDArray[Any] | None:
    """Return an upright image (H, W, C) as stored; None: it has indices or less than 8 bits.

    Raises:
        imagecodecs.PngError: If it is damaged.
    """
    bits, colour_type = data[24], data[25]
    if bits < 8 or colour_type not in CHANNELS:
        return None
    pixels = np.atleast_3d(imagecodecs.png_decode(data))[:, :, : CHANNELS[colour_type]]
    return upright(pixels, noted_orientation(_exif(data)))


def _exif(data: bytes) -> bytes:
    """Return the content of the first eXIf chunk, else nothing."""
    start = len(PNG_SIGNATURE)
    while start < len(data):
        end = start + 8 + int.from_bytes(data[start : start + 4])
        if data.startswith(b"eXIf", start + 4):
            return data[start + 8 : end]
        start = end + 4  # a checksum
    return b""
