"""Mean and standard deviation per band over many images, which may be taken in any order.

Integers are added up exactly; float32 in float64 by merged moments. numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROW_PX = 1024
_ROWS = 256
"""Of a block: so many squares of uint8 add up exactly in float32."""


@dataclass(frozen=True)
class IntegerMoments:
    """Sums and sums of squares per band (C,), exact."""

    n_px: int
    sums: tuple[int, ...]
    squares: tuple[int, ...]

    def __add__(self, other: IntegerMoments) -> IntegerMoments:
        return IntegerMoments(
            self.n_px + other.n_px,
            tuple(map(add, self.sums, other.sums)),
            tuple(map(add, self.squares, other.squares)),
        )

    @property
    def mean(self) -> tuple[float, ...]:
        """Return the mean per band (C,)."""
        return tuple(float(Fraction(total, self.n_px)) for total in self.sums)

    @property
    def std(self) -> tuple[float, ...]:
        """Return the population standard deviation per band (C,)."""
        n, sums = self.n_px, zip(self.sums, self.squares, strict=True)
        return tuple(math.sqrt(Fraction(n * square - total**2, n**2)) for total, square in sums)


@dataclass(frozen=True)
class FloatMoments:
    """Means and sums of squared deviations from them per band (C,).

    Reference: Chan, Golub & LeVeque 1983, equation 2.1.
    """

    n_px: int
    mean: tuple[float, ...]
    m2: tuple[float, ...]

    def __add__(self, other: FloatMoments) -> FloatMoments:
        n_px = self.n_px + other.n_px
        share = other.n_px / n_px
        shifts = [theirs - mine for mine, theirs in zip(self.mean, other.mean, strict=True)]
        mean = tuple(mine + shift * share for mine, shift in zip(self.mean, shifts, strict=True))
        m2 = tuple(
            mine + theirs + shift**2 * self.n_px * share
            for mine, theirs, shift in zip(self.m2, other.m2, shifts, strict=True)
        )
        return FloatMoments(n_px, mean, m2)

    @property
    def std(self) -> tuple[float, ...]:
        """Return the population standard deviation per band (C,)."""
        return tuple(math.sqrt(each / self.n_px) for each in self.m2)


Moments = IntegerMoments | FloatMoments
"""Of images of one kind: `+` joins them."""


def image_moments(image: NDArray[Any]) -> Moments:
    """Return the moments of an image (H, W, C): uint8 and uint16 exactly, or float32."""
    n_bands = image.shape[-1]
    if image.dtype.kind == "u":
        return _of_integers(_blocks(image), n_bands)
    return reduce(add, (_of_floats(block, n_bands) for block in _blocks(image)))


def moments_from(row: Mapping[str, Any]) -> Moments:
    """Return moments from their fields, as `dataclasses.asdict` and JSON give them."""
    kind = IntegerMoments if "sums" in row else FloatMoments
    lists = {name: tuple(values) for name, values in row.items() if name != "n_px"}
    return kind(n_px=row["n_px"], **lists)


def _blocks(image: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield all pixels as (rows, pixels x C): sums down long rows are fast, those of C values slow.

    What does not fill a row of `_ROW_PX` pixels is a block of its own.
    """
    values = image.reshape(-1)
    row = _ROW_PX * image.shape[-1]
    whole = len(values) // row * row
    rows = values[:whole].reshape(-1, row)
    for first in range(0, len(rows), _ROWS):
        yield rows[first : first + _ROWS]
    if whole < len(values):
        yield values[whole:].reshape(1, -1)


def _of_integers(blocks: Iterable[NDArray[Any]], n_bands: int) -> IntegerMoments:
    # Floats are summed several times faster than integers are widened. All sums down the columns
    # of a block are whole numbers below 2**24 (uint8) or 2**53 (uint16): exact in any order.
    totals = np.zeros((2, n_bands), np.uint64)
    n_values = 0
    for block in blocks:
        kind = np.float32 if block.dtype == np.uint8 else np.float64
        values: NDArray[Any] = block.astype(kind)
        columns = np.stack([values.sum(axis=0), np.einsum("ij,ij->j", values, values)])
        totals += columns.astype(np.uint64).reshape(2, -1, n_bands).sum(axis=1)
        n_values += block.size
    sums, squares = totals.tolist()
    return IntegerMoments(n_values // n_bands, tuple(sums), tuple(squares))


def _of_floats(block: NDArray[Any], n_bands: int) -> FloatMoments:
    values, n_px = block.astype(np.float64), block.size // n_bands
    mean = values.sum(axis=0).reshape(-1, n_bands).sum(axis=0) / n_px
    values -= np.tile(mean, values.shape[1] // n_bands)
    m2 = np.einsum("ij,ij->j", values, values).reshape(-1, n_bands).sum(axis=0)
    return FloatMoments(n_px, tuple(mean.tolist()), tuple(m2.tolist()))
