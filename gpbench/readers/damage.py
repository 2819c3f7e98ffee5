"""Whatever a decoder raises on a damaged file becomes a DataError that names the file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from gpbench.core.errors import DataError

DECODER_ERRORS = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG chunk
    ValueError,  # tifffile's are of this kind
    EOFError,
    LookupError,
    ArithmeticError,
    AttributeError,
    TypeError,
    RuntimeError,  # imagecodecs' are of this kind
    ImportError,  # imagecodecs' word for a codec that it was built without
    MemoryError,  # a damaged header may ask for any size
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow, tifffile and imagecodecs raise on damaged files, found by damaging many."""


@contextmanager
def damage_named(where: str) -> Iterator[None]:
    """Raise a DataError that names `where` in place of what a decoder raises inside."""
    try:
        yield
    except UnidentifiedImageError:  # its text is an address in memory
        raise _damaged(where, "It is no image of a kind that is read here") from None
    except DECODER_ERRORS as error:
        raise _damaged(where, str(error) or type(error).__name__) from error


def _damaged(where: str, reason: str) -> DataError:
    return DataError(f"{where} cannot be decoded, is it damaged? {reason}")
