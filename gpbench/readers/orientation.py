"""The orientation that a camera noted in an image file (EXIF). Pure.

Read here and not by Pillow, which warns of broken notes; those of ImageNet are many, and a broken
note is none.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

TAG = 0x0112
EXIF_PREFIX = b"Exif\0\0"


def noted_orientation(exif: bytes) -> int:
    """Return the orientation 1..8 that EXIF bytes, with or without prefix, note; 1 if they do not.

    Reference: Exif 2.32, section 4.6.4, tag Orientation, in the first directory of a TIFF.
    """
    exif = exif.removeprefix(EXIF_PREFIX)
    order: Literal["little", "big"] = "little" if exif.startswith(b"II") else "big"
    directory = int.from_bytes(exif[4:8], order)
    n_entries = int.from_bytes(exif[directory : directory + 2], order)
    for i in range(min(n_entries, len(exif) // 12)):
        entry = exif[directory + 2 + 12 * i :][:12]
        if int.from_bytes(entry[:2], order) == TAG:
            noted = int.from_bytes(entry[8:10], order)
            return noted if 1 <= noted <= 8 else 1
    return 1


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return an image (H, W, ...) turned and mirrored as its orientation says; a view."""
    if orientation in {5, 6, 7, 8}:
        pixels = np.swapaxes(pixels, 0, 1)
    rows = slice(None, None, -1 if orientation in {3, 4, 7, 8} else 1)
    columns = slice(None, None, -1 if orientation in {2, 3, 6, 7} else 1)
    return pixels[rows, columns]
