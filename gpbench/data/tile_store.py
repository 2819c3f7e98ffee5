"""The tile store: every image of a dataset once, contiguous, in its raw dtype, memory-mapped."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import Split
from gpbench.core.errors import DataError
from gpbench.core.stage import DatasetSpec, digest
from gpbench.data.tile_index import IMAGES, INDEX, LABELS, SCHEMA, StoredImage, TileIndex
from gpbench.data.tile_writer import write_store

__all__ = ["StoredImage", "TileIndex", "TileStore", "store_folder", "write_store"]


def store_folder(data_folder: Path, spec: DatasetSpec) -> Path:
    """Return where the store of a dataset lies: <dataset>-<16 digits of what determines it>."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", spec.plugin.name).strip("-.")
    facts = [SCHEMA, spec.plugin, spec.info.bands, spec.info.classes, spec.fingerprint]
    return data_folder / f"{name}-{digest(facts)[:16]}"


class TileStore:
    """An opened store; reading is thread-safe and returns views of the mapped files.

    Attributes:
        folder: Where it lies.
        info: Bands, classes, checksums, and all images in the order train, val, test.
        dtype: Of the images: uint8, uint16 or float32.
        mean: (C,) float64 per band over all pixels of the training split, raw units.
        std: (C,) float64, likewise; 1 where a band is constant, so that dividing by it is safe.
        content_hash: The sha256 of all that the store holds, 64 hexadecimal digits.
    """

    def __init__(self, folder: Path, info: TileIndex) -> None:
        self.folder, self.info = folder, info
        self.dtype = np.dtype(info.dtype)
        self.mean: NDArray[np.float64] = np.array(info.mean)
        std = np.array(info.std)
        self.std: NDArray[np.float64] = np.where(std > 0, std, 1.0)
        self.content_hash = info.content_hash
        self._images = np.memmap(folder / IMAGES, self.dtype, mode="r")
        self._labels = np.memmap(folder / LABELS, np.uint8, mode="r")

    @classmethod
    def open(cls, folder: Path) -> TileStore:
        """Return the store in a folder, its index and the files' sizes checked.

        Raises:
            DataError: If there is no store, or it is damaged.
        """
        if not folder.is_dir():
            raise DataError(f"no tile store at {folder}: `gpbench run` prepares it")
        try:
            info = TileIndex.from_json((folder / INDEX).read_text(encoding="utf-8"))
            pixels = sum(image.n_px for image in info.images)
            sizes = {IMAGES: np.dtype(info.dtype).itemsize * len(info.bands), LABELS: 1}
            for name, bytes_per_px in sizes.items():
                found, expected = (folder / name).stat().st_size, pixels * bytes_per_px
                if found != expected:
                    raise ValueError(f"{name} has {found} bytes, not {expected}")  # noqa: TRY301  below
            return cls(folder, info)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _damaged(folder, error) from error

    def images(self, split: Split) -> tuple[StoredImage, ...]:
        """Return the images of a split, in the dataset's order."""
        return tuple(image for image in self.info.images if image.split == split)

    def class_pixels(self, split: Split) -> NDArray[np.int64]:
        """Return how many pixels of each class the labels of a split's images hold, (N, C)."""
        rows = [image.class_pixels for image in self.images(split)]
        return np.array(rows, dtype=np.int64).reshape(-1, len(self.info.classes))

    def read(self, index: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Return image (H, W, C) in raw dtype and label (H, W), read-only views of the files."""
        image, channels = self.info.images[index], len(self.info.bands)
        shape = (image.height, image.width)
        first, last = image.offset_px, image.offset_px + image.n_px
        return (
            np.asarray(self._images[first * channels : last * channels]).reshape(*shape, channels),
            np.asarray(self._labels[first:last]).reshape(shape),
        )

    def verify_content(self) -> None:
        """Read everything and compare it with the checksums made when it was written.

        Raises:
            DataError: If a byte differs.
        """
        for row in self.info.images:
            found = [hashlib.sha256(values.data).hexdigest() for values in self.read(row.index)]
            for name, now, before in zip(
                (IMAGES, LABELS), found, (row.image_sha256, row.label_sha256), strict=True
            ):
                if now != before:
                    raise _damaged(self.folder, f"'{row.name}' in {name} is not as it was written")


def _damaged(folder: Path, reason: object) -> DataError:
    return DataError(
        f"the tile store {folder} is damaged ({reason}): delete that folder, "
        "and the next `gpbench run` prepares it again"
    )
