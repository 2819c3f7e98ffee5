"""What the embedded datasets share: places seen more than once, images made from their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpbench.api import (
    DataError,
    DatasetInfo,
    EvaluationProtocol,
    Image,
    ImageRef,
    Label,
    Split,
    derive_seed,
)

SIDE_PX = 128
TILE_PX = 64


@dataclass(frozen=True)
class View:
    """What an image is made from."""

    number: int
    """Of the place, counted from 0 within the split."""
    name: str
    """Of the view within its place."""
    place: np.random.Generator
    """Starts alike in all views of a place."""
    moment: np.random.Generator
    """Of this view alone."""


@dataclass(frozen=True)
class Procedural:
    """A dataset whose images are drawn from their names alone; `root` is not looked at."""

    name: str
    info: DatasetInfo
    protocol: EvaluationProtocol
    draw: Callable[[View], tuple[Image, Label]]
    places: Mapping[Split, int]
    """How many places each split has; no place is in two splits."""
    views: tuple[str, ...] = ("a", "b")
    """The views of each place."""
    tags: Mapping[str, tuple[str, ...]] | None = None
    """View -> tags of its images; null: none."""

    def images(self, root: Path, split: Split) -> Sequence[ImageRef]:  # noqa: ARG002  procedural
        """Return the images of a split: place by place, view by view."""
        tags = self.tags or {}
        return [
            ImageRef(f"{split}-{place:02d}-{view}", f"{split}-{place:02d}", (), tags.get(view, ()))
            for place in range(self.places.get(split, 0))
            for view in self.views
        ]

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:  # noqa: ARG002  procedural
        """Return the image (128, 128, C) and the label (128, 128) that belong to a name."""
        place, _, view = ref.name.rpartition("-")
        number = place.rpartition("-")[2]
        if view not in self.views or not number.isdecimal():
            raise DataError(f"{self.name} has no image '{ref.name}'")
        return self.draw(
            View(
                number=int(number),
                name=view,
                place=np.random.default_rng(derive_seed(self.name, place)),
                moment=np.random.default_rng(derive_seed(self.name, place, view)),
            )
        )
