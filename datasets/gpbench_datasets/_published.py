"""What published datasets share: facts from a protocol card, files in one of several layouts.

A layout knows how one distribution of a dataset lies on disk. `Published` recognises which one is
there, compares what it lists with the card, and reads images the way the layout says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gpbench.api import (
    DataError,
    DatasetNotFoundError,
    Fact,
    Image,
    ImageRef,
    Label,
    Problem,
    Split,
)
from gpbench.readers.protocol_card import ProtocolCard, read_protocol_card

CARDS = Path(__file__).parent / "cards"
ZIPS_SHOWN = 3


@dataclass
class Listing:
    """What a layout found: the images whose files are all there, and what is wrong."""

    images: dict[Split, list[ImageRef]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class Layout(Protocol):
    """One way in which the files of a dataset are distributed."""

    name: str
    """In a few words, for a person: "devkit", "mmsegmentation's patches"."""

    def is_at(self, root: Path) -> bool:
        """Return whether the files at `root` lie like this; cheap: it is asked for each image."""
        ...

    def listing(self, root: Path) -> Listing:
        """Return all images by split, in a fixed order, and what is wrong; opens no image."""
        ...

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        """Return image (H, W, C) in raw dtype and label (H, W).

        Raises:
            DataError: If something is not as declared; names the file.
        """
        ...


class Published:
    """A dataset of the literature: meets Dataset, InspectedDataset and HasFacts of `gpbench.api`.

    Args:
        card: Its facts.
        layouts: The distributions that are recognised, the more specific first.
        bands: Those handed on, if not all of the card's.
    """

    def __init__(
        self, card: ProtocolCard, layouts: Sequence[Layout], bands: tuple[str, ...] | None = None
    ) -> None:
        self.card, self.layouts = card, tuple(layouts)
        self.info = card.info(bands)
        self.protocol = card.evaluation()
        self.facts = [Fact(**fact.model_dump()) for fact in card.facts]
        self.obtain = card.obtain

    def layout(self, root: Path) -> str:
        return self._layout(root).name

    def images(self, root: Path, split: Split) -> Sequence[ImageRef]:
        """Return the images of a split whose files are all there, in a fixed order."""
        return self._layout(root).listing(root).images.get(split, [])

    def problems(self, root: Path) -> Sequence[Problem]:
        """Return what the layout finds wrong, names in two splits, numbers unlike the card's."""
        listing = self._layout(root).listing(root)
        return [
            *listing.problems,
            *_shared_names(listing.images),
            *_wrong_counts(listing.images, self.card),
        ]

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        """Return image and label, their sizes checked against each other and the card.

        Raises:
            DataError: If something is not as declared; names the file.
        """
        image, label = self._layout(root).read(root, ref)
        where = ", ".join(str(root / file) for file in ref.files[:2])
        if image.shape[:2] != label.shape:
            raise DataError(
                f"image and label of '{ref.name}' differ in size: {_size(image.shape)} and "
                f"{_size(label.shape)} pixels (height x width) in {where}",
                "size",
            )
        sizes = self.card.image_px
        if sizes and label.shape not in sizes:
            known = " or ".join(map(_size, sizes))
            raise DataError(
                f"'{ref.name}' is {_size(label.shape)} pixels (height x width), "
                f"not {known}: {where}",
                "size",
            )
        return image, label

    def _layout(self, root: Path) -> Layout:
        for layout in self.layouts:
            if layout.is_at(root):
                return layout
        raise DatasetNotFoundError(self.card.name, root, self._how(root))

    def _how(self, root: Path) -> str:
        zips = sorted(root.rglob("*.zip"))[: ZIPS_SHOWN + 1] if root.is_dir() else []
        if not zips:
            return self.obtain.strip()
        commands = [f"unzip -n '{path}' -d '{path.parent}'" for path in zips[:ZIPS_SHOWN]]
        more = " (and the others)" if len(zips) > ZIPS_SHOWN else ""
        unpack = f"{'; '.join(commands)}{more}"
        return f"there are zip files, which gpbench does not unpack; run: {unpack}"


def published_card(name: str) -> ProtocolCard:
    """Return the card of a built-in dataset."""
    return read_protocol_card(CARDS / f"{name}.yaml")


def _shared_names(images: Mapping[Split, Sequence[ImageRef]]) -> Iterator[Problem]:
    splits: dict[str, list[str]] = {}
    for split, refs in images.items():
        for name, times in Counter(ref.name for ref in refs).items():
            splits.setdefault(name, []).extend([split] * times)
    for name, owners in splits.items():
        if len(owners) > 1:
            where = " and ".join(owners)
            yield Problem("names", f"image '{name}' is listed {len(owners)} times: in {where}")


def _wrong_counts(
    images: Mapping[Split, Sequence[ImageRef]], card: ProtocolCard
) -> Iterator[Problem]:
    for split, allowed in card.counts.items():
        found = len(images.get(split, ()))
        if found not in allowed:
            said = " or ".join(f"{count:,}" for count in allowed)
            yield Problem("count", f"the {split} split has {found:,} images; the card says {said}")


def _size(shape: Iterable[int]) -> str:
    height, width, *_ = shape
    return f"{height} x {width}"
