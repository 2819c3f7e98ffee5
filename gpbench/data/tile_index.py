"""What a tile store's index.json says: facts, images and checksums. No arrays are read here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gpbench.core.dataset import Split
from gpbench.core.stage import digest

SCHEMA = "gpbench.tiles/1"
INDEX, IMAGES, LABELS = "index.json", "images.bin", "labels.bin"


@dataclass(frozen=True)
class StoredImage:
    """One source image of a store; `index` is what `TileStore.read` takes."""

    index: int
    split: Split
    name: str
    scene: str
    tags: tuple[str, ...]
    height: int
    width: int
    offset_px: int
    """Pixels of all images before it."""
    class_pixels: tuple[int, ...]
    """(C,) pixels of each class in the label."""


@dataclass(frozen=True)
class TileIndex:
    """Facts of a store, the same for all its images unless said otherwise."""

    bands: tuple[str, ...]
    classes: tuple[str, ...]
    dtype: str
    """numpy's text with byte order: |u1, <u2 or <f4."""
    mean: tuple[float, ...]
    """One per band over all pixels of the training split, raw units."""
    std: tuple[float, ...]
    """As `mean`; population standard deviation, 0 for a constant band."""
    images: tuple[StoredImage, ...]
    images_sha256: str
    labels_sha256: str

    @property
    def content_hash(self) -> str:
        """Return the sha256 of all that the store holds, 64 hexadecimal digits."""
        return digest(self)

    def to_json(self) -> str:
        document = {"schema": SCHEMA, "content_hash": self.content_hash, **asdict(self)}
        return json.dumps(document, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> TileIndex:
        """Return the index; a ValueError, KeyError or TypeError if it is not as it was written."""
        document: dict[str, Any] = json.loads(text)
        if document.pop("schema") != SCHEMA:
            raise ValueError("another version of gpbench wrote it")
        expected = document.pop("content_hash")
        lists = {name: tuple(document[name]) for name in ("bands", "classes", "mean", "std")}
        images = tuple(_image(row) for row in document["images"])
        index = cls(**{**document, **lists, "images": images})
        if index.content_hash != expected:
            raise ValueError(f"{INDEX} was changed after it was written")
        return index


def _image(row: Mapping[str, Any]) -> StoredImage:
    tuples = {name: tuple(row[name]) for name in ("tags", "class_pixels")}
    return StoredImage(**{**row, **tuples})
