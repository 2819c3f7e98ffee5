"""LoveDA: land cover of three Chinese cities at 0.3 m; the official val is scored as test.

Masks hold 0 for no data and 1 to 7 for the classes, which are handed on as 255 and 0 to 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gpbench.api import IGNORE_INDEX, Image, ImageRef, Label, Split
from gpbench.readers.image import read_image
from gpbench.readers.label import mapped, read_label
from gpbench_datasets._published import (
    Listing,
    Published,
    any_file,
    by_name,
    files_below,
    published_card,
    unpaired,
)

CARD = published_card("loveda")
VALUES = {0: IGNORE_INDEX} | {value + 1: value for value in range(len(CARD.classes))}
TILE = re.compile(r"(?P<name>\d+)\.png")
EXAMPLE = "0.png (tiles are numbered)"


@dataclass(frozen=True)
class Part:
    """Images of a split that lie together, and their masks: patterns of paths below the root."""

    split: Split
    images: str
    masks: str
    tags: tuple[str, ...] = ()


class Tiles:
    """Whole tiles. A tile's number is its own in all splits, so it is its name in each layout."""

    def __init__(self, name: str, parts: Callable[[Path], list[Part]]) -> None:
        self.name, self.parts = name, parts

    def is_at(self, root: Path) -> bool:
        return any(any_file(root, part.images) for part in self.parts(root))

    def listing(self, root: Path) -> Listing:
        """Return all images that have a mask, in the order of their numbers."""
        listing = Listing()
        for part in self.parts(root):
            images, unknown = by_name(root, files_below(root, part.images), TILE, EXAMPLE)
            masks, unknown_masks = by_name(root, files_below(root, part.masks), TILE, EXAMPLE)
            listing.problems += [*unknown, *unknown_masks, *unpaired(root, images, masks)]
            listing.images.setdefault(part.split, []).extend(
                ImageRef(name, scene=name, files=(images[name], masks[name]), tags=part.tags)
                for name in sorted(images.keys() & masks.keys())
            )
        for refs in listing.images.values():
            refs.sort(key=lambda ref: int(ref.name))
        return listing

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        image, mask = (root / file for file in ref.files)
        return read_image(image), mapped(read_label(mask), VALUES, str(mask))


def _official(root: Path) -> list[Part]:
    """Return `{Train,Val}/{Urban,Rural}`, in capitals or not, in `root` or in a folder LoveDA."""
    inside = _any_case("LoveDA/")
    home = inside if any_file(root, inside) else ""
    splits: tuple[tuple[str, Split], ...] = (("Train", "train"), ("Val", "test"))
    parts = []
    for folder, split in splits:
        for area in ("Urban", "Rural"):
            place = home + _any_case(f"{folder}/{area}")
            images, masks = f"{place}/images_png/*.png", f"{place}/masks_png/*.png"
            parts.append(Part(split, images, masks, (area.lower(),)))
    return parts


def _converted(_root: Path) -> list[Part]:
    return [
        Part("train", "img_dir/train/*.png", "ann_dir/train/*.png"),
        Part("test", "img_dir/val/*.png", "ann_dir/val/*.png"),
    ]


def _any_case(path: str) -> str:
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in path)


PLUGIN = Published(
    CARD,
    [Tiles("the official files", _official), Tiles("mmsegmentation's folders", _converted)],
)
