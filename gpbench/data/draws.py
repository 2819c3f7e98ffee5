"""Random numbers as a hash of where they are used, so that cutting a batch changes none of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from gpbench.core.seeds import derive_seed

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHARED = -1
"""The sample that all samples of a step share; real ones count from 0."""


class HashDraws:
    """Meets `gpbench.api.Draws`: every number is a hash of (seed, step, name, sample, column).

    Computed on the CPU in integers, then moved to the device: the same bits everywhere. Drawing the
    same name twice gives the same numbers.

    Args:
        seed: The phase's or fine-tuning's.
        step: The optimiser's update.
        samples: Numbers from 0 (B,), each once in the step, such as places in the whole batch.
        device: Where the tensors go.
    """

    def __init__(self, seed: int, step: int, samples: NDArray[np.int64], device: Any) -> None:
        self.device = device
        self._seed, self._step, self._samples = seed, step, samples

    def uniform(self, name: str, n: int = 1) -> Tensor:
        """Return (B, n) float32 in [0, 1), multiples of 2**-24."""
        values = (self._bits(name, n) >> np.uint64(40)).astype(np.float32)
        return self._moved(values * np.float32(2**-24))

    def normal(self, name: str, n: int = 1) -> Tensor:
        """Return (B, n) float32 standard normals, by inverse CDF of 52 bits."""
        midpoints = (self._bits(name, n) >> np.uint64(12)).astype(np.float64) + 0.5
        return self._moved(ndtri(midpoints * 2.0**-52).astype(np.float32))

    def permutation(self, name: str, n: int) -> Tensor:
        """Return (B, n) int64, each row a uniform permutation of 0..n-1."""
        return self._moved(np.argsort(self._bits(name, n), axis=1, kind="stable"))

    def of_step(self) -> HashDraws:
        """Return draws with B = 1 that all samples of the step share, however the batch is cut."""
        return HashDraws(self._seed, self._step, np.array([_SHARED]), self.device)

    def _bits(self, name: str, n: int) -> NDArray[np.uint64]:
        """Return (B, n) of 64 random bits: one SplitMix64 stream per (seed, step, name, sample).

        Reference: Steele, Lea & Flood 2014, figure 17 (the finaliser is Stafford's variant 13).
        """
        key = np.uint64(derive_seed(self._seed, self._step, name))
        start = _mixed(key + _mixed(self._samples.astype(np.uint64) * _GOLDEN))
        columns = np.arange(1, n + 1, dtype=np.uint64) * _GOLDEN
        return _mixed(start[:, None] + columns)

    def _moved(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self.device)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
