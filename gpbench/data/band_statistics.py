"""Mean and standard deviation per band over many images, one image at a time. numpy only."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK_PX = 1 << 16  # squares of a block of uint16 stay far below 2**64


class BandStatistics:
    """Adds up images (H, W, C): integers exactly, float32 in float64 by merged moments.

    Reference: Chan, Golub & LeVeque 1983, equation 2.1, for float32.
    """

    def __init__(self, n_bands: int) -> None:
        self._n_px = 0
        self._sums, self._squares = [0] * n_bands, [0] * n_bands  # of integers
        self._mean, self._m2 = np.zeros(n_bands), np.zeros(n_bands)  # of floats
        self._is_exact = True

    def add(self, image: NDArray[Any]) -> None:
        """Take an image (H, W, C) in; all images have one dtype."""
        pixels = image.reshape(-1, image.shape[-1])
        self._is_exact = image.dtype.kind == "u"
        for start in range(0, len(pixels), _BLOCK_PX):
            block = pixels[start : start + _BLOCK_PX]
            if self._is_exact:
                self._add_integers(block.astype(np.uint64))
            else:
                self._add_floats(block.astype(np.float64))
            self._n_px += len(block)

    @property
    def mean(self) -> tuple[float, ...]:
        """Return the mean per band (C,)."""
        if not self._is_exact:
            return tuple(self._mean.tolist())
        return tuple(float(Fraction(total, self._n_px)) for total in self._sums)

    @property
    def std(self) -> tuple[float, ...]:
        """Return the population standard deviation per band (C,)."""
        if not self._is_exact:
            return tuple(np.sqrt(self._m2 / self._n_px).tolist())
        n = self._n_px
        sums = zip(self._sums, self._squares, strict=True)
        return tuple(math.sqrt(Fraction(n * square - total**2, n**2)) for total, square in sums)

    def _add_integers(self, block: NDArray[np.uint64]) -> None:
        for band, values in enumerate(block.T):
            self._sums[band] += int(values.sum())
            self._squares[band] += int((values * values).sum())

    def _add_floats(self, block: NDArray[np.float64]) -> None:
        mean = block.mean(axis=0)
        shift, share = mean - self._mean, len(block) / (self._n_px + len(block))
        self._m2 += ((block - mean) ** 2).sum(axis=0) + shift**2 * self._n_px * share
        self._mean += shift * share
