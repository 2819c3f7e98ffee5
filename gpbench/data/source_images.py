"""Pre-training images of one role of a source, decoded, brought to one size, and kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from gpbench.api import Role, Source, SourceImage, SourceRef
from gpbench.core.errors import ContractError, DataError

CACHE_BYTES = 1 << 30
STATISTICS_SAMPLE = 1000
"""Images that mean and deviation are taken from, at most."""

_LABELLED: tuple[Role, ...] = ("labelled", "scenes")


class SourceImages:
    """The images of one role; `batch` may be called from several threads at once.

    Attributes:
        n_images: How many there are, at least 1.
        labels: (N,) class indices, or None where the role has none.
        num_classes: 0 where the role has no labels.
        full_scale: What values of a batch are divided by to lie in [0, 1].

    Raises:
        DatasetNotFoundError: If nothing usable lies at `root`.
        ContractError: If the source's labels or images are not as `gpbench.api.Source` promises.
    """

    full_scale = 255.0

    def __init__(
        self, source: Source, root: Path, role: Role, *, cache_bytes: int = CACHE_BYTES
    ) -> None:
        self._source, self._root = source, root
        self._refs = source.images(root, role)
        if not self._refs:
            raise DataError(
                f"source '{source.info.title}' has no image for the role {role} at {root}"
            )
        self.n_images = len(self._refs)
        self.labels = _labels(self._refs, source) if role in _LABELLED else None
        self.num_classes = 0 if self.labels is None else int(self.labels.max()) + 1
        self._cache = _Cache(cache_bytes)

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """Return the mean per channel (3,) in [0, 1] of a fixed sample, images weighted equally."""
        mean, _ = self._moments
        return mean / self.full_scale

    @cached_property
    def std(self) -> NDArray[np.float64]:
        """Return the standard deviation per channel (3,), as `mean`; 1 for a constant channel."""
        mean, square = self._moments
        std = np.sqrt(np.maximum(square - mean**2, 0)) / self.full_scale
        std[std == 0] = 1.0
        return std

    def batch(self, indices: NDArray[np.int64], size_px: int) -> NDArray[np.uint8]:
        """Return images (B, 3, size_px, size_px).

        The central square is taken and brought to `size_px` (bilinear, antialiased); one of that
        size already is not touched. Squares are kept in memory until `cache_bytes` are full; what
        is read is the same with and without, and whatever the number of torch's threads.
        """
        batch = np.empty((len(indices), 3, size_px, size_px), dtype=np.uint8)
        for i, index in enumerate(indices.tolist()):
            batch[i] = self._square(index, size_px)
        return batch

    def _square(self, index: int, size_px: int) -> NDArray[np.uint8]:
        square = self._cache.find((index, size_px))
        if square is None:
            square = _squared(self._decoded(index, size_px), size_px)
            self._cache.keep((index, size_px), square)
        return square

    def _decoded(self, index: int, least_px: int | None = None) -> SourceImage:
        ref = self._refs[index]
        try:
            image = self._source.read(self._root, ref, least_px)
        except OSError as error:
            raise DataError(f"source image '{ref.name}' cannot be read: {error}") from error
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ContractError(
                self._source.info.title,
                f"its images are (H, W, 3) uint8; '{ref.name}' is {image.dtype} of {image.shape}",
            )
        return image

    @cached_property
    def _moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the means over the sample of values (3,) and of their squares (3,)."""
        n_sampled = min(STATISTICS_SAMPLE, self.n_images)
        sample = np.linspace(0, self.n_images - 1, n_sampled).round().astype(int)
        mean, square = np.zeros(3), np.zeros(3)
        for index in sample.tolist():
            values = self._decoded(index).astype(np.float64)
            mean += values.mean(axis=(0, 1)) / n_sampled
            square += (values**2).mean(axis=(0, 1)) / n_sampled
        return mean, square


class _Cache:
    """Arrays by key until the byte limit is reached; what came first stays.

    Epochs pass over all images, so dropping the oldest would leave nothing to find.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._room_bytes = limit_bytes
        self._kept: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    def find(self, key: tuple[int, int]) -> NDArray[np.uint8] | None:
        return self._kept.get(key)

    def keep(self, key: tuple[int, int], values: NDArray[np.uint8]) -> None:
        with self._lock:
            if key not in self._kept and values.nbytes <= self._room_bytes:
                self._kept[key] = values
                self._room_bytes -= values.nbytes


def _labels(refs: Sequence[SourceRef], source: Source) -> NDArray[np.int64]:
    labels = [ref.label for ref in refs if ref.label is not None]
    if len(labels) < len(refs):
        unlabelled = next(ref.name for ref in refs if ref.label is None)
        raise ContractError(
            source.info.title, f"labelled images have a label; '{unlabelled}' has none"
        )
    found = sorted(set(labels))
    if found != list(range(len(found))):
        raise ContractError(
            source.info.title,
            f"labels count from 0 without gaps; there are {len(found)} in {found[0]}..{found[-1]}",
        )
    return np.array(labels, dtype=np.int64)


def _squared(image: SourceImage, size_px: int) -> NDArray[np.uint8]:
    """Return the central square as its own array (3, size_px, size_px)."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    # torch resizes bytes twice as fast as Pillow, channels last, if they lie together
    channels_last = torch.from_numpy(np.require(square, requirements=["C", "W"])).permute(2, 0, 1)
    if side != size_px:
        channels_last = functional.interpolate(
            channels_last[None], size=(size_px, size_px), mode="bilinear", antialias=True
        )[0]
    return channels_last.clone(memory_format=torch.contiguous_format).numpy()
