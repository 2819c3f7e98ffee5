"""A small dataset and source held in memory, with any mistake a test wants to plant."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.api import Role, SourceInfo, SourceRef
from gpbench.core.dataset import Band, DatasetInfo, ImageRef, Protocol, Split

Content = tuple[NDArray[Any], NDArray[np.uint8] | None]


@dataclass
class HeldDataset:
    """Meets `gpbench.api.Dataset`; `contents` may hold an error in an image's place."""

    contents: dict[str, dict[str, Content | Exception]]
    bands: tuple[str, ...] = ("red", "green", "nir")
    classes: tuple[str, ...] = ("road", "roof", "tree")
    files: tuple[str, ...] = ()
    protocol: Protocol = field(
        default_factory=lambda: Protocol(name="p", version=1, metric="mIoU", tile_px=8, stride_px=8)
    )

    @property
    def info(self) -> DatasetInfo:
        bands = tuple(Band(name) for name in self.bands)
        return DatasetInfo(title="Held", version=1, bands=bands, classes=self.classes)

    def images(self, root: Path, split: Split) -> Sequence[ImageRef]:  # noqa: ARG002  held in memory
        names = self.contents.get(split, {})
        return [ImageRef(name, f"scene-{name}", self.files, ("day",)) for name in names]

    def read(self, root: Path, ref: ImageRef) -> Content:  # noqa: ARG002  held in memory
        found = next(split[ref.name] for split in self.contents.values() if ref.name in split)
        if isinstance(found, Exception):
            raise found
        return found


def content(
    seed: int, height: int = 12, width: int = 10, dtype: type = np.uint8, n_bands: int = 3
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return a random image (H, W, n_bands) and label (H, W) of classes 0..2 and 255."""
    rng = np.random.default_rng(seed)
    image: NDArray[Any] = (rng.random((height, width, n_bands)) * 250).astype(dtype)
    return image, rng.choice(np.array([0, 1, 2, 255], dtype=np.uint8), (height, width))


@dataclass
class HeldSource:
    """Meets `gpbench.api.Source`; counts how often an image is read."""

    pictures: list[NDArray[Any] | Exception]
    labels: list[int | None]
    reads: int = 0

    @property
    def info(self) -> SourceInfo:
        return SourceInfo(title="Held", version=1, roles=("labelled", "unlabelled"))

    def images(self, root: Path, role: Role) -> Sequence[SourceRef]:  # noqa: ARG002  held in memory
        return [SourceRef(str(i), label) for i, label in enumerate(self.labels)]

    def read(self, root: Path, ref: SourceRef) -> NDArray[Any]:  # noqa: ARG002  held in memory
        self.reads += 1
        picture = self.pictures[int(ref.name)]
        if isinstance(picture, Exception):
            raise picture
        return picture
