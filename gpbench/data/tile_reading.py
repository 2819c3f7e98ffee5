"""One image of a dataset: read, checked, and put into the store's files where there are any."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.api import Dataset
from gpbench.core.errors import DataError, GpbenchError
from gpbench.core.problems import Problem
from gpbench.core.stage import canonical_json
from gpbench.data.band_statistics import Moments, image_moments, moments_from
from gpbench.data.image_checks import image_problems, label_problems, value_counts, value_problems
from gpbench.data.image_listing import Listed
from gpbench.data.tile_files import TileFiles
from gpbench.data.tile_index import StoredImage


@dataclass(frozen=True)
class Stored:
    """One image that lies in the store's files: a line of the journal."""

    image: StoredImage
    origin: str
    """Of `Listed.origin`, taken before the image was read."""
    dtype: str
    """numpy's text with byte order."""
    moments: Moments | None
    """Of training images."""

    def to_json(self) -> str:
        """Return one line, without its end."""
        return canonical_json(self)

    @classmethod
    def from_json(cls, line: str) -> Stored:
        """Return the row; a ValueError, KeyError or TypeError if it is not as it was written."""
        row: Mapping[str, Any] = json.loads(line)
        moments = None if row["moments"] is None else moments_from(row["moments"])
        image = StoredImage.from_row(row["image"])
        return cls(**{**row, "image": image, "moments": moments})


@dataclass(frozen=True)
class Taken:
    """What came of reading one image; `stored` where it is to be stored and nothing is wrong."""

    position: int
    dtype: str | None
    """numpy's text with byte order; None where there is no image as declared."""
    problems: tuple[Problem, ...] = ()
    stored: Stored | None = None


class ReadError(Exception):
    """A dataset's `read` raised what it must not. Made of one text, so that it can be pickled."""


class ImageReader:
    """Reads images of a dataset; with `files`, puts those that are as declared into the store."""

    def __init__(self, dataset: Dataset, root: Path, files: TileFiles | None) -> None:
        self._dataset, self._root, self._files = dataset, root, files

    def take(self, listed: Listed) -> Taken:
        """Read one image and check it.

        Raises:
            ReadError: If the dataset's code fails.
            OSError: If the store's files cannot be written.
        """
        origin = listed.origin(self._root, self._dataset.info) if self._files else ""
        try:
            image, label = self._dataset.read(self._root, listed.ref)
        except GpbenchError as error:
            kind = error.kind if isinstance(error, DataError) else "unreadable"
            return Taken(listed.position, None, (Problem(kind, str(error)),))
        except OSError as error:
            problem = Problem("unreadable", f"{listed.where} cannot be read: {error}")
            return Taken(listed.position, None, (problem,))
        except Exception as error:  # a plugin's bug, which says nothing about the image
            raise ReadError(f"reading {listed.where} raised {error!r}") from error
        if not (isinstance(image, np.ndarray) and isinstance(label, np.ndarray | None)):
            found = f"{type(image).__name__} and {type(label).__name__}"
            raise ReadError(f"reading {listed.where} returned {found}; arrays are promised")
        return self._checked(listed, origin, image, label)

    def _checked(
        self, listed: Listed, origin: str, image: NDArray[Any], label: NDArray[np.uint8] | None
    ) -> Taken:
        where, info = listed.where, self._dataset.info
        of_image = list(image_problems(image, where, info))
        of_label = list(label_problems(label, where, image.shape[:2]))
        dtype = None if of_image else image.dtype.str
        counts = np.zeros(0, np.int64)
        if label is not None and not of_label:
            counts = value_counts(label)
            of_label += value_problems(counts, where, info)
        found = (*of_image, *of_label)
        if found or label is None or self._files is None:
            return Taken(listed.position, dtype, found)
        offset_px, *hashes = self._files.put(image, label)
        ref, (height, width), n_classes = listed.ref, label.shape, len(info.classes)
        row = StoredImage(
            index=listed.position,
            split=listed.split,
            name=ref.name,
            scene=ref.scene,
            tags=ref.tags,
            height=height,
            width=width,
            offset_px=offset_px,
            class_pixels=tuple(counts[:n_classes].tolist()),
            image_sha256=hashes[0],
            label_sha256=hashes[1],
        )
        moments = image_moments(image) if listed.split == "train" else None
        stored = Stored(row, origin, image.dtype.str, moments)
        return Taken(listed.position, dtype, (), stored)
