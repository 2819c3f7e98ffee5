"""Writes a tile store: all images of a dataset read once, checked, and put in place at once."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gpbench.api import Dataset
from gpbench.core.dataset import SPLITS, DatasetInfo, ImageRef, Split
from gpbench.core.errors import DataError
from gpbench.data.band_statistics import BandStatistics
from gpbench.data.image_checks import image_problems, label_problems
from gpbench.data.tile_index import IMAGES, INDEX, LABELS, StoredImage, TileIndex

MOST_PROBLEMS = 20
"""Reading stops after so many: the rest is likely the same mistake."""

Progress = Callable[[int, int], None]
Listing = Sequence[tuple[Split, ImageRef]]


def write_store(
    folder: Path, dataset: Dataset, root: Path, progress: Progress | None = None
) -> None:
    """Read, check and write all images of a dataset; the folder appears only when complete.

    A folder that is there already is left as it is. Of several processes that write the same store
    one does, and the others wait for it.

    Args:
        folder: Where the store is to lie; its parent is made where needed.
        dataset: Every image of its splits has a label.
        root: Of the dataset's raw files.
        progress: Called with the numbers of images done and of all.

    Raises:
        DatasetNotFoundError: If nothing usable lies at `root`.
        DataError: If an image or label is not as declared, with all problems found; or if the
            store cannot be written.
    """
    listing = _listing(dataset, root)
    try:
        with _sole_writer(folder):
            if not folder.exists():
                _write(folder, dataset, root, listing, progress or (lambda _done, _all: None))
    except OSError as error:
        raise DataError(f"the tile store {folder} cannot be written: {error}") from error


@contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    """Hold the store's lock, which the system lets go when a process dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(
    folder: Path, dataset: Dataset, root: Path, listing: Listing, progress: Progress
) -> None:
    partial = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
    partial.mkdir()
    try:
        with (partial / IMAGES).open("wb") as images, (partial / LABELS).open("wb") as labels:
            writer = _Writer(dataset.info, images, labels)
            for done, (split, ref) in enumerate(listing, start=1):
                writer.take(split, ref, dataset, root)
                progress(done, len(listing))
        (partial / INDEX).write_text(writer.index().to_json(), encoding="utf-8")
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _listing(dataset: Dataset, root: Path) -> Listing:
    """Return all images of all splits; names are unique, train and test are not empty."""
    listing = [(split, ref) for split in SPLITS for ref in dataset.images(root, split)]
    problems = [
        DataError(f"the {split} split is empty")
        for split in ("train", "test")
        if split not in {each for each, _ in listing}
    ]
    for name, times in Counter(ref.name for _, ref in listing).items():
        if times > 1:
            splits = " and ".join(split for split, ref in listing if ref.name == name)
            problems.append(DataError(f"image '{name}' is listed {times} times, in {splits}"))
    _raise(problems[:MOST_PROBLEMS], dataset.info)
    return listing


class _Writer:
    """Appends images and labels, and keeps what the index says about them."""

    def __init__(self, info: DatasetInfo, images: BinaryIO, labels: BinaryIO) -> None:
        self._info, self._files = info, (images, labels)
        self._hashes = (hashlib.sha256(), hashlib.sha256())
        self._statistics = BandStatistics(len(info.bands))
        self._dtype: np.dtype[Any] | None = None
        self._images: list[StoredImage] = []
        self._n_px = 0
        self._problems: list[DataError] = []

    def take(self, split: Split, ref: ImageRef, dataset: Dataset, root: Path) -> None:
        """Read one image and append it; where something is wrong, remember that instead."""
        where = f"{split} image '{ref.name}'"
        if ref.files:
            where += f" ({', '.join(ref.files)})"
        try:
            image, label = dataset.read(root, ref)
        except DataError as error:
            found = [error]
        except OSError as error:
            found = [DataError(f"{where} cannot be read: {error}")]
        else:
            found = [
                *image_problems(image, where, self._info, self._dtype),
                *label_problems(label, where, self._info, image.shape[:2]),
            ]
            if not found and label is not None:
                self._append(split, ref, image, label)
        self._problems += found
        if len(self._problems) >= MOST_PROBLEMS:
            _raise(self._problems, self._info)

    def index(self) -> TileIndex:
        """Return the index of all that was taken, or raise what was wrong with it."""
        _raise(self._problems, self._info)
        images_hash, labels_hash = (each.hexdigest() for each in self._hashes)
        return TileIndex(
            bands=tuple(band.name for band in self._info.bands),
            classes=self._info.classes,
            dtype=str(np.dtype(self._dtype).str),
            mean=self._statistics.mean,
            std=self._statistics.std,
            images=tuple(self._images),
            images_sha256=images_hash,
            labels_sha256=labels_hash,
        )

    def _append(
        self, split: Split, ref: ImageRef, image: NDArray[Any], label: NDArray[np.uint8]
    ) -> None:
        self._dtype = image.dtype
        if split == "train":
            self._statistics.add(image)
        for file, hashed, values in zip(self._files, self._hashes, (image, label), strict=True):
            content = np.ascontiguousarray(values).data
            file.write(content)
            hashed.update(content)
        height, width = label.shape
        n_classes = len(self._info.classes)
        class_pixels = np.bincount(label.reshape(-1), minlength=n_classes)[:n_classes]
        facts = (ref.name, ref.scene, ref.tags, height, width, self._n_px)
        self._images.append(
            StoredImage(len(self._images), split, *facts, tuple(class_pixels.tolist()))
        )
        self._n_px += height * width


def _raise(problems: Sequence[DataError], info: DatasetInfo) -> None:
    """Raise the only problem as it is, several as one error; nothing if there is none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        more = " or more" if len(problems) == MOST_PROBLEMS else ""
        lines = [f"{info.title}: {len(problems)}{more} problems", *(f"  - {p}" for p in problems)]
        raise DataError("\n".join(lines))
