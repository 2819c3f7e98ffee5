"""Confusion counts between the worker's .npz file, the database's bytes and numpy."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpbench.core.errors import StoreError
from gpbench.core.stage import ScoredVariant

Counts = NDArray[np.int64]
_STORED = np.dtype("<i8")
_UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error),
    RuntimeError,  # zipfile's word for a damaged header: "encrypted", "not supported"
)


@dataclass(frozen=True)
class PackedScore:
    """The counts of one variant, one packed matrix per image and their sum, ready to be stored."""

    variant: str
    evaluation: str
    classes: int
    packed: tuple[bytes, ...]
    total: bytes


def pack(counts: Counts) -> bytes:
    """Return the (C, C) counts as zlib-compressed little-endian int64, row by row."""
    return zlib.compress(np.ascontiguousarray(counts, dtype=_STORED).tobytes())


def unpack(packed: Sequence[bytes], classes: int) -> Counts:
    """Return the packed matrices as (N, C, C) int64."""
    size = classes * classes * _STORED.itemsize  # else zlib makes room for 16 KiB, then for less
    raw = b"".join(zlib.decompress(one, bufsize=size) for one in packed)
    return np.frombuffer(raw, dtype=_STORED).reshape(-1, classes, classes).astype(np.int64)


def read_scored(folder: Path, scored: ScoredVariant, images: Sequence[str]) -> PackedScore:
    """Return the counts that a worker left, checked against the images that its outcome names.

    Raises:
        StoreError: If the file is missing, unreadable or not as `ScoredVariant` says.
    """
    path = folder / scored.path
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            names, counts = file["images"], file["counts"]
    except _UNREADABLE as error:
        raise _broken(path, f"cannot be read ({error})") from error
    square = counts.ndim == 3 and counts.shape[1] == counts.shape[2] > 0
    if counts.dtype != np.int64 or not square:
        raise _broken(path, f"'counts' is {counts.dtype} {counts.shape}, not int64 (N, C, C)")
    if names.dtype.kind != "U" or names.shape != counts.shape[:1]:
        raise _broken(path, f"'images' is {names.dtype} {names.shape}, not text ({len(counts)},)")
    if names.tolist() != list(images):
        raise _broken(path, "its images are not those of the outcome, in their order")
    if len(set(images)) != len(images):
        raise _broken(path, "an image occurs twice")
    if (counts < 0).any():
        raise _broken(path, "it holds a count below 0")
    packed, total = tuple(pack(one) for one in counts), pack(counts.sum(axis=0))
    return PackedScore(scored.variant, scored.evaluation, int(counts.shape[1]), packed, total)


def _broken(path: Path, problem: str) -> StoreError:
    return StoreError(
        f"scores {path}: {problem}; delete the stage's folder and run it again with --force"
    )
