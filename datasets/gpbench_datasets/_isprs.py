"""The official files of Potsdam and Vaihingen: tiles, each in several kinds of files.

Files are recognised by their names at any depth, because zips are unpacked in many ways: beside
each other, into folders of their own names, or all into one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from gpbench.api import (
    DataError,
    DatasetNotFoundError,
    Image,
    ImageRef,
    Label,
    Problem,
    Split,
)
from gpbench.readers.image import read_image
from gpbench_datasets._published import Listing, any_file, files_below

FOR_PARTICIPANTS = "participants"
"""In the name of a folder: labels as they were given to contestants, of the train tiles only."""
Splits = Mapping[Split, Sequence[str]]
Files = Mapping[str, Mapping[str, Sequence[str]]]
"""Kind of file -> tile -> paths below the root; several where a tile is there more than once."""


@dataclass(frozen=True)
class Kind:
    """One kind of official file; without bands a label."""

    path: re.Pattern[str]
    """Matches whole paths below the root; the groups, joined by `_`, are the tile."""
    written: str
    """How such a path is written, for a person."""
    bands: tuple[str, ...] = ()
    short_px: int = 0
    """So many rows or columns may be missing at the end: the last ones are repeated."""


@dataclass(frozen=True)
class Choice:
    """What was chosen of the official files."""

    selector: str
    """The dataset's name with its parameters, as it is typed."""
    bands: tuple[str, ...]
    images: tuple[tuple[str, ...], ...]
    """The kinds of files that hold these bands; where there are several ways, the preferred first.
    One is taken for all tiles: that of which most tiles have the files."""
    label: str
    """The kind of file that holds the labels."""

    def kinds(self, files: Files) -> tuple[str, ...]:
        """Return the kinds of files to be taken, the label's last."""
        ways = [(*images, self.label) for images in self.images]
        return max(ways, key=lambda kinds: len(_common_tiles(files, kinds)))

    def is_served(self, files: Files) -> bool:
        """Return whether at least one tile has all files."""
        return bool(_common_tiles(files, self.kinds(files)))


@dataclass(frozen=True)
class OfficialFiles:
    """The layout of the official files."""

    name = "the official files"
    kinds: Mapping[str, Kind]
    patterns: Sequence[str]
    """Find all files of all kinds, and few others; the first finds images and labels."""
    splits: Splits
    choice: Choice
    choices: Sequence[Choice]
    """All that can be chosen: one that the files serve is suggested where the chosen is not."""
    read_label: Callable[[Path, str], Label]
    """File, tile -> label (H, W)."""
    image_px: Collection[tuple[int, int]] = ()
    """(height, width) that tiles may have; empty: any."""
    strays: Collection[tuple[str, str]] = ()
    """(kind, tile) of files that are known to belong to no tile, and are left out."""

    def is_at(self, root: Path) -> bool:
        return any_file(root, self.patterns[0])

    def listing(self, root: Path) -> Listing:
        """Return the tiles of each split of which all files are there, sorted by name.

        Raises:
            DatasetNotFoundError: If there is no such tile; says what would be needed, and what the
                files that are there would serve.
        """
        files = self._found(root)
        kinds = self.choice.kinds(files)
        if not self.choice.is_served(files):
            raise DatasetNotFoundError(self.choice.selector, root, self._how(files))
        used = {kind: files[kind] for kind in kinds}
        listing = Listing(problems=[*self._strange(root, used), *self._lacking(used)])
        for split, tiles in self.splits.items():
            listing.images[split] = [
                ImageRef(tile, scene=tile, files=tuple(files[kind][tile][0] for kind in kinds))
                for tile in sorted(_common_tiles(files, kinds) & set(tiles))
            ]
        return listing

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        *images, label = ref.files
        return self._image(root, images), self.read_label(root / label, ref.name)

    def _found(self, root: Path) -> Files:
        files: dict[str, dict[str, list[str]]] = {name: {} for name in self.kinds}
        for path in chain.from_iterable(files_below(root, each) for each in self.patterns):
            for name, kind in self.kinds.items():
                match = kind.path.fullmatch(path)
                if match and (name, tile := "_".join(match.groups())) not in self.strays:
                    files[name].setdefault(tile, []).append(path)
        return {name: _originals(found) for name, found in files.items()}

    def _how(self, files: Files) -> str:
        needed = " and ".join(self.kinds[kind].written for kind in self.choice.kinds(files))
        others = [each.selector for each in self.choices if each.is_served(files)]
        mend = f"; with what is there choose -d '{others[0]}'" if others else ""
        return f"of the official files there no tile has {needed}{mend}"

    def _strange(self, root: Path, files: Files) -> Iterator[Problem]:
        known = {tile for tiles in self.splits.values() for tile in tiles}
        for tiles in files.values():
            for tile, paths in tiles.items():
                if tile not in known:
                    text = f"is of '{tile}', which is none of the {len(known)} labelled tiles"
                    yield Problem("names", f"{root / paths[0]} {text}")
                if len(paths) > 1:
                    where = " and ".join(str(root / path) for path in paths)
                    yield Problem("names", f"{where} are of one name: keep one")

    def _lacking(self, files: Files) -> Iterator[Problem]:
        *images, label = files
        for split, tiles in self.splits.items():
            for kind in images:
                without = [tile for tile in tiles if tile not in files[kind]]
                if without:
                    yield Problem("missing", self._without(split, without, kind))
            shown = _common_tiles(files, images)
            without = [tile for tile in tiles if tile in shown and tile not in files[label]]
            if not without:
                continue
            text = self._without(split, without, label)
            if split == "test" and _are_for_participants(files[label]):
                text += f"; the labels for {FOR_PARTICIPANTS} are of train tiles only"
                yield Problem("missing", text)
            else:
                yield Problem("unlabelled", text)

    def _without(self, split: Split, tiles: Sequence[str], kind: str) -> str:
        count = f"{len(tiles)} of {len(self.splits[split])} {split} tiles"
        return f"{count} have no {self.kinds[kind].written}: {', '.join(tiles)}"

    def _image(self, root: Path, files: Sequence[str]) -> Image:
        """Return the chosen bands (H, W, C), taken from the first file that has them."""
        first = _read_bands(root / files[0], self._kind(files[0]))
        shape = first.shape[:2]
        if self.image_px and shape not in self.image_px:
            known = " or ".join(map(size_text, self.image_px))
            text = f"is {size_text(shape)} pixels (height x width), not {known}"
            raise DataError(f"{root / files[0]} {text}", "size")
        bands = _by_name(first, self._kind(files[0]))
        for file in files[1:]:
            kind = self._kind(file)
            pixels = _lengthened(_read_bands(root / file, kind), shape, kind.short_px)
            if pixels.shape[:2] != shape:
                raise DataError(
                    f"{root / file} is {size_text(pixels.shape[:2])} pixels (height x width), and "
                    f"{root / files[0]} {size_text(shape)}: the files of a tile have one size",
                    "size",
                )
            bands = _by_name(pixels, kind) | bands
        if tuple(bands) == self.choice.bands and len(files) == 1:
            return first
        return np.stack([bands[band] for band in self.choice.bands], axis=2)

    def _kind(self, file: str) -> Kind:
        return next(kind for kind in self.kinds.values() if kind.path.fullmatch(file))


def selector(name: str, chosen: Mapping[str, str], default: Mapping[str, str]) -> str:
    """Return the canonical text of a name with those parameters that are not the default."""
    inside = ",".join(
        f"{key}={chosen[key]}" for key in sorted(chosen) if chosen[key] != default[key]
    )
    return f"{name}[{inside}]" if inside else name


def size_text(shape: Sequence[int]) -> str:
    """Return "height x width"."""
    return " x ".join(map(str, shape))


def _common_tiles(files: Files, kinds: Collection[str]) -> set[str]:
    return set.intersection(*(set(files[kind]) for kind in kinds))


def _originals(found: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Return the files that are not for participants; all, where there are no others."""
    kept = {
        tile: [path for path in paths if FOR_PARTICIPANTS not in path]
        for tile, paths in found.items()
    }
    kept = {tile: paths for tile, paths in kept.items() if paths}
    return kept or found


def _are_for_participants(files: Mapping[str, Sequence[str]]) -> bool:
    return all(FOR_PARTICIPANTS in path for paths in files.values() for path in paths)


def _read_bands(path: Path, kind: Kind) -> Image:
    pixels = read_image(path)
    if pixels.dtype != np.uint8 or pixels.shape[2] != len(kind.bands):
        raise DataError(
            f"{path} has {pixels.shape[2]} channel(s) of {pixels.dtype}, not "
            f"{len(kind.bands)} of uint8: {', '.join(kind.bands)}",
            "pixels",
        )
    return pixels


def _by_name(pixels: Image, kind: Kind) -> dict[str, Image]:
    """Return band -> (H, W)."""
    return {band: pixels[:, :, channel] for channel, band in enumerate(kind.bands)}


def _lengthened(pixels: Image, shape: tuple[int, ...], short_px: int) -> Image:
    short = [whole - there for whole, there in zip(shape, pixels.shape[:2], strict=True)]
    if any(short) and all(0 <= each <= short_px for each in short):
        return np.pad(pixels, [(0, short[0]), (0, short[1]), (0, 0)], mode="edge")
    return pixels
