"""The two files of a tile store while they grow: several processes write into them at once."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gpbench.data.tile_index import IMAGES, LABELS

CHUNK_BYTES = 1 << 22
KEPT_BYTES = 1 << 24
"""After so many a writer lets the system write the files out and forget them.

Else a large store fills the memory with what nobody reads now; where a virtual machine's memory is
given to it as it is touched, that cost eight times as much as writing again into the same memory.
"""


class TileFiles:
    """images.bin and labels.bin of a folder, opened for writing; made where they are not there.

    An image gets its place only when it is decoded, so what lies in the files has no gaps but those
    of processes that were killed. While it is open, `exclusively` of another process waits.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT
        self._images = os.open(folder / IMAGES, flags, 0o666)
        self._labels = os.open(folder / LABELS, flags, 0o666)
        fcntl.flock(self._images, fcntl.LOCK_SH)
        self._kept_bytes = 0

    def put(self, image: NDArray[Any], label: NDArray[np.uint8]) -> tuple[int, str, str]:
        """Write an image (H, W, C) and its label (H, W) behind what is there.

        Returns:
            Pixels before it in both files, and the sha256 of image and of label.
        """
        offset_px = self._room(label.size)
        hashes = []
        for file, values in ((self._images, image), (self._labels, label)):
            content = np.ascontiguousarray(values).data.cast("B")
            at = offset_px * len(content) // label.size
            os.posix_fallocate(file, at, len(content))  # written several times faster than the rest
            _write_at(file, content, at)
            hashes.append(hashlib.sha256(content).hexdigest())
            self._kept_bytes += len(content)
        if self._kept_bytes >= KEPT_BYTES:
            self._let_go()
        return offset_px, hashes[0], hashes[1]

    def hashes(self, offset_px: int, n_px: int, px_bytes: int) -> tuple[str, str]:
        """Return the sha256 of what lies in place of an image and of its label.

        Args:
            offset_px: Pixels before it.
            n_px: Its pixels.
            px_bytes: Bytes of one pixel of the image.
        """
        found = []
        for file, unit in ((self._images, px_bytes), (self._labels, 1)):
            total = hashlib.sha256()
            for at, size in _chunks(offset_px * unit, n_px * unit):
                total.update(os.pread(file, size, at))
            found.append(total.hexdigest())
        return found[0], found[1]

    def move_down(self, offset_px: int, to_px: int, n_px: int, px_bytes: int) -> None:
        """Copy an image and its label to a place before theirs, which may overlap it."""
        for file, unit in ((self._images, px_bytes), (self._labels, 1)):
            for at, size in _chunks(offset_px * unit, n_px * unit):
                content = os.pread(file, size, at)
                _write_at(file, memoryview(content), at - (offset_px - to_px) * unit)

    def cut(self, n_px: int, px_bytes: int) -> None:
        """Give both files the length of so many pixels."""
        os.ftruncate(self._images, n_px * px_bytes)
        os.ftruncate(self._labels, n_px)

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Wait until no other process has the files open, and let none open them meanwhile."""
        fcntl.flock(self._images, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._images, fcntl.LOCK_SH)

    def close(self) -> None:
        os.close(self._images)
        os.close(self._labels)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _let_go(self) -> None:
        self._kept_bytes = 0
        for file in (self._images, self._labels):
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)

    def _room(self, n_px: int) -> int:
        """Return the length of labels.bin, now longer by `n_px`: to one process at a time."""
        fcntl.flock(self._labels, fcntl.LOCK_EX)
        try:
            offset_px = os.fstat(self._labels).st_size
            os.posix_fallocate(self._labels, offset_px, n_px)
        finally:
            fcntl.flock(self._labels, fcntl.LOCK_UN)
        return offset_px


def _chunks(first: int, length: int) -> Iterator[tuple[int, int]]:
    for at in range(first, first + length, CHUNK_BYTES):
        yield at, min(CHUNK_BYTES, first + length - at)


def _write_at(file: int, content: memoryview, at: int) -> None:
    while content:  # one call writes at most 2 GiB
        written = os.pwrite(file, content, at)
        content, at = content[written:], at + written
