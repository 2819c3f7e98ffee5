"""What published datasets share: facts from a protocol card, files in one of several layouts.

A layout knows how one distribution of a dataset lies on disk. `Published` recognises which one is
there, compares what it lists with the card, and reads images the way the layout says.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
FolderIdentity = tuple[int, int]
"""Device and inode."""


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
    """A dataset of the literature: meets Dataset, InspectedDataset, HasFacts and HasLabelColours.

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
        self.label_colours = card.palette

    def layout(self, root: Path) -> str:
        return self._layout(root).name

    def images(self, root: Path, split: Split) -> Sequence[ImageRef]:
        """Return the images of a split whose files are all there, in a fixed order."""
        return self._listing(root).images.get(split, [])

    def problems(self, root: Path) -> Sequence[Problem]:
        """Return what the layout finds wrong, names listed twice, numbers unlike the card's."""
        listing = self._listing(root)
        miscounts = list(_wrong_counts(listing.images, self.card))
        zips = _zips(root) if any(each.kind == "count" for each in miscounts) else []
        if zips:
            text = f"{len(zips)} zip file(s) lie in {root}; were all unpacked? {_unpack(zips)}"
            miscounts.append(Problem("missing", text))
        return [*listing.problems, *_repeated_names(listing.images), *miscounts]

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        """Return image and label, their sizes checked against each other and the card.

        Raises:
            DataError: If something is not as declared; names the file.
        """
        image, label = self._layout(root).read(root, ref)
        where = f"{root / ref.files[0]} and {root / ref.files[-1]}"
        bands = [band.name for band in self.info.bands]
        if image.shape[2] != len(bands):
            raise DataError(
                f"{root / ref.files[0]} has {image.shape[2]} channel(s), not {len(bands)}: "
                f"{', '.join(bands)}",
                "pixels",
            )
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
        how = _packed(_zips(root)) or self.obtain.strip()
        raise DatasetNotFoundError(self.card.name, root, how)

    def _listing(self, root: Path) -> Listing:
        try:
            return self._layout(root).listing(root)
        except DatasetNotFoundError as error:
            packed = _packed(_zips(root))
            if not packed or packed in error.how:
                raise
            how = f"{error.how}; {packed}"
            raise DatasetNotFoundError(error.name, root, how) from error


def published_card(name: str) -> ProtocolCard:
    """Return the card of a built-in dataset."""
    return read_protocol_card(CARDS / f"{name}.yaml")


def files_below(root: Path, pattern: str) -> list[str]:
    """Return the paths below `root` that match a pattern, sorted, written with `/`.

    `**`, if any before the last part, matches folders at any depth, linked ones too; a link to a
    folder above it is not followed. Hidden files are left out: macOS leaves `._NAME` beside files
    that it unpacks.
    """
    return sorted(Path(path).as_posix() for path in _matches(root, pattern))


def any_file(root: Path, pattern: str) -> bool:
    """Return whether `files_below` would find something; stops at the first."""
    return next(_matches(root, pattern), None) is not None


def by_name(
    root: Path, files: Iterable[str], pattern: re.Pattern[str], example: str
) -> tuple[dict[str, str], list[Problem]]:
    """Return name -> file, and the files that are named unlike `example` or have another's name.

    Args:
        pattern: Matches the last part of a path; its group `name` is the name.
    """
    found: dict[str, str] = {}
    problems = []
    for file in files:
        match = pattern.fullmatch(Path(file).name)
        if match is None:
            problems.append(Problem("names", f"{root / file} is not named like {example}"))
        elif match["name"] in found:
            first = root / found[match["name"]]
            problems.append(Problem("names", f"{first} and {root / file} have one name"))
        else:
            found[match["name"]] = file
    return found, problems


def unpaired(root: Path, images: Mapping[str, str], labels: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the images (name -> file) without a label and the labels without an image."""
    for name in sorted(images.keys() - labels.keys()):
        yield Problem("unlabelled", f"{root / images[name]} has no label")
    for name in sorted(labels.keys() - images.keys()):
        yield Problem("missing", f"{root / labels[name]} is the label of an image that is missing")


def wrong_count(split: Split, found: int, allowed: Collection[int]) -> Iterator[Problem]:
    """Yield what is wrong with a number of images, if anything.

    More than the card knows are no part of the dataset: images of elsewhere, or another split's.
    """
    said = " or ".join(f"{count:,}" for count in allowed)
    if found > max(allowed):
        text = f"{found:,} images in the {split} split, more than the card's {said}"
        yield Problem("names", text)
    elif found not in allowed:
        yield Problem("count", f"the {split} split has {found:,} images; the card says {said}")


def _matches(root: Path, pattern: str) -> Iterator[str]:
    start, deep, name = pattern.rpartition("**/")
    if not deep:
        yield from glob.iglob(pattern, root_dir=root)  # noqa: PTH207  Path's finds hidden files
        return
    for path in _files(root / start, ()):
        if fnmatch.fnmatchcase(path.rpartition("/")[2], name):
            yield start + path


def _files(folder: Path, above: Collection[FolderIdentity]) -> Iterator[str]:
    """Yield the files below a folder, of what can be read; hidden ones left out."""
    try:
        status = folder.stat()
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return
    here = status.st_dev, status.st_ino
    if here in above:
        return
    # Of a link to itself DirEntry.is_dir raises what Path.is_dir takes for no folder.
    folders = [
        entry.name
        for entry in seen
        if entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry).is_dir())
    ]
    yield from {entry.name for entry in seen}.difference(folders)
    for name in folders:
        yield from (f"{name}/{path}" for path in _files(folder / name, (*above, here)))


def _zips(root: Path) -> list[Path]:
    return [root / path for path in files_below(root, "**/*.zip")]


def _packed(zips: Sequence[Path]) -> str:
    return f"there are zip files, which gpbench does not unpack; {_unpack(zips)}" if zips else ""


def _unpack(zips: Sequence[Path]) -> str:
    commands = [
        f"unzip -n {shlex.quote(str(path))} -d {shlex.quote(str(path.parent))}"
        for path in zips[:ZIPS_SHOWN]
    ]
    more = " (and the others)" if len(zips) > ZIPS_SHOWN else ""
    return f"run: {'; '.join(commands)}{more}"


def _repeated_names(images: Mapping[Split, Sequence[ImageRef]]) -> Iterator[Problem]:
    places: dict[str, list[str]] = {}
    for split, refs in images.items():
        for ref in refs:
            places.setdefault(ref.name, []).append(f"{split} ({ref.files[0]})")
    for name, where in places.items():
        if len(where) > 1:
            text = f"image '{name}' is there {len(where)} times: in {' and '.join(where)}"
            yield Problem("names", text)


def _wrong_counts(
    images: Mapping[Split, Sequence[ImageRef]], card: ProtocolCard
) -> Iterator[Problem]:
    for split, allowed in card.counts.items():
        yield from wrong_count(split, len(images.get(split, ())), allowed)


def _size(shape: Iterable[int]) -> str:
    height, width, *_ = shape
    return f"{height} x {width}"
