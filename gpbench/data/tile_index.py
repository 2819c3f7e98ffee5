"""What a tile store's index.json says: facts, images and checksums. No arrays are read here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

from gpbench.core.dataset import Split
from gpbench.core.stage import canonical_json, digest

SCHEMA = "gpbench.tiles/2"
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
    """Pixels before it in the files, which hold the images in the order they were finished in."""
    class_pixels: tuple[int, ...]
    """(C,) pixels of each class in the label."""
    image_sha256: str
    label_sha256: str

    @property
    def n_px(self) -> int:
        return self.height * self.width

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> StoredImage:
        """Return the image from its fields, as `dataclasses.asdict` and JSON give them."""
        tuples = {name: tuple(row[name]) for name in ("tags", "class_pixels")}
        return cls(**{**row, **tuples})


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

    @property
    def content_hash(self) -> str:
        """Return the sha256 of all that the store holds, 64 hexadecimal digits.

        Where in the files an image lies is not part of it: that depends on who was first.
        """
        facts = asdict(self)
        for row in facts["images"]:
            del row["offset_px"]
        return digest(facts)

    def to_json(self) -> str:
        return canonical_json({"schema": SCHEMA, "content_hash": self.content_hash, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> TileIndex:
        """Return the index; a ValueError, KeyError or TypeError if it is not as it was written."""
        document: dict[str, Any] = json.loads(text)
        if document.pop("schema") != SCHEMA:
            raise ValueError("another version of gpbench wrote it")
        expected = document.pop("content_hash")
        lists = {name: tuple(document[name]) for name in ("bands", "classes", "mean", "std")}
        images = tuple(StoredImage.from_row(row) for row in document["images"])
        index = cls(**{**document, **lists, "images": images})
        if index.content_hash != expected or not _is_gapless(images):
            raise ValueError(f"{INDEX} was changed after it was written")
        return index


def _is_gapless(images: tuple[StoredImage, ...]) -> bool:
    """Return whether every pixel of the files belongs to one image."""
    end = 0
    for image in sorted(images, key=attrgetter("offset_px")):
        if image.offset_px != end:
            return False
        end += image.n_px
    return True
