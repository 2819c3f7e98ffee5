"""Small datasets and a source, with any mistake that a test wants to plant."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpbench.api import Dataset, Role, SourceInfo, SourceRef
from gpbench.core.dataset import Band, DatasetInfo, ImageRef, Protocol, Split
from gpbench.core.problems import Problem
from gpbench.planning import resolve_dataset

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
class Inspected(HeldDataset):
    """A dataset that also meets `gpbench.api.InspectedDataset`."""

    known: tuple[Problem, ...] = ()

    def layout(self, root: Path) -> str:  # noqa: ARG002  held in memory
        return "held in memory"

    def problems(self, root: Path) -> Sequence[Problem]:  # noqa: ARG002  held in memory
        return self.known


CARD = """
name: pictures
bands: [red, green, blue]
classes: [road, roof, tree]
images: {pattern: "images/{name}.png"}
labels: {pattern: "labels/{name}.png"}
splits:
  train: {regex: "t.*"}
  test: {regex: "e.*"}
protocol: {tile_px: 8, stride_px: 8, metric: mIoU}
"""


@dataclass(frozen=True)
class PictureFolder:
    """PNG files with a card: a dataset that any process can load by its selector."""

    root: Path

    @classmethod
    def written(cls, root: Path, n_images: int, side_px: int = 20) -> "PictureFolder":
        """Write random images, every third of the test split, and return their folder."""
        folder = cls(root)
        for part in ("images", "labels"):
            (root / part).mkdir(parents=True)
        (root / "card.yaml").write_text(CARD)
        for i in range(n_images):
            image, label = content(i, side_px, side_px + i % 3)
            for part, values in (("images", image), ("labels", label)):
                Image.fromarray(values).save(folder.file(part, i))
        return folder

    def file(self, part: str, i: int) -> Path:
        return self.root / part / f"{'e' if i % 3 == 2 else 't'}{i:03d}.png"

    @property
    def selector(self) -> str:
        return f"folder[card={self.root / 'card.yaml'}]"

    @property
    def dataset(self) -> Dataset:
        return resolve_dataset(self.selector, {}).dataset


@dataclass
class HeldSource:
    """Meets `gpbench.api.Source`; counts how often an image is read and notes how small."""

    pictures: list[NDArray[Any] | Exception]
    labels: list[int | None]
    reads: int = 0
    least_px: set[int | None] = field(default_factory=set)

    @property
    def info(self) -> SourceInfo:
        return SourceInfo(title="Held", version=1, roles=("labelled", "unlabelled"))

    def images(self, root: Path, role: Role) -> Sequence[SourceRef]:  # noqa: ARG002  held in memory
        return [SourceRef(str(i), label) for i, label in enumerate(self.labels)]

    def read(
        self,
        root: Path,  # noqa: ARG002  held in memory
        ref: SourceRef,
        least_px: int | None = None,
    ) -> NDArray[Any]:
        self.reads += 1
        self.least_px.add(least_px)
        picture = self.pictures[int(ref.name)]
        if isinstance(picture, Exception):
            raise picture
        return picture
