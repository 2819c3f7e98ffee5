"""MFNet: streets by day and night, visible and thermal; nine classes, "unlabelled" is one of them.

The authors' PNG files hold thermal as their fourth channel, where other programs see transparency.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpbench.api import DataError, Image, ImageRef, Label, Problem, Split
from gpbench.readers.image import read_image
from gpbench.readers.label import identified, read_label
from gpbench_datasets._published import Listing, Published, published_card
from gpbench_datasets._rgbt import rgb_and_thermal

CARD = published_card("mfnet")
SPLITS: tuple[Split, ...] = ("train", "val", "test")
HOMES = ("", "ir_seg_dataset/", "MFNet/")
"""Where below the root the files may lie; the authors' zip unpacks into the second."""
NAME = re.compile(r"(?P<number>\d{5})(?P<time>[DN])")
FLIPPED = "_flip"
"""Ends the names of mirrored copies, which the authors' make_flip.py writes and lists name."""
TIMES = {"D": "day", "N": "night"}
SCENE_IMAGES = 20


@dataclass
class ListedFiles:
    """Files of images that train.txt, val.txt and test.txt name."""

    name: str
    patterns: tuple[str, ...]
    """Of an image's files, the label last; `{}` stands for the image's name."""
    read_bands: Callable[..., Image]
    """Image files, in the order of their patterns -> (H, W, 4) uint8."""

    def is_at(self, root: Path) -> bool:
        return any(True for _ in self._homes(root))

    def listing(self, root: Path) -> Listing:
        """Return the listed images in their order, without mirrored copies."""
        home = next(self._homes(root))
        listing = Listing()
        for split in SPLITS:
            names, problems = _listed(root / f"{home}{split}.txt")
            refs = [self._ref(home, name) for name in names]
            absent = {ref: list(_absent(root, ref, split)) for ref in refs}
            listing.images[split] = [ref for ref in refs if not absent[ref]]
            listing.problems += [*problems, *(each for ref in absent for each in absent[ref])]
        return listing

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        *images, label = (root / file for file in ref.files)
        ids = identified(read_label(label), len(CARD.classes), (), str(label))
        return self.read_bands(*images), ids

    def _homes(self, root: Path) -> Iterator[str]:
        folders = [pattern.rpartition("/")[0] for pattern in self.patterns]
        for home in HOMES:
            listed = any((root / f"{home}{split}.txt").is_file() for split in SPLITS)
            if listed and all((root / home / folder).is_dir() for folder in folders):
                yield home

    def _ref(self, home: str, name: str) -> ImageRef:
        number, time = int(name[:-1]), TIMES[name[-1]]
        return ImageRef(
            name,
            scene=f"{time}-{number - number % SCENE_IMAGES:05}",
            files=tuple(home + pattern.format(name) for pattern in self.patterns),
            tags=(time,),
        )


def _listed(path: Path) -> tuple[list[str], list[Problem]]:
    """Return the names of a list file, without mirrored copies, and what is no name."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror}; it names the images of a split"
        absent = isinstance(error, FileNotFoundError)
        return [], [Problem("missing" if absent else "unreadable", text)]
    entries = [line.strip() for line in lines if line.strip()]
    names = [name for name in entries if not name.endswith(FLIPPED)]
    problems = [
        Problem("names", f"{path} lists '{name}', which is not named like 00001D or 01234N")
        for name in names
        if not NAME.fullmatch(name)
    ]
    return [name for name in names if NAME.fullmatch(name)], problems


def _absent(root: Path, ref: ImageRef, split: Split) -> Iterator[Problem]:
    *images, label = (root / file for file in ref.files)
    missing = [file for file in images if not file.is_file()]
    for file in missing:
        yield Problem("missing", f"{file} is not there, and {split}.txt names it")
    if not missing and not label.is_file():
        yield Problem("unlabelled", f"{images[0]} has no label {label}")


def _four_channels(path: Path) -> Image:
    pixels = read_image(path)
    if pixels.shape[2] != len(CARD.bands) or pixels.dtype != np.uint8:
        raise DataError(
            f"{path} has {pixels.shape[2]} channel(s) of {pixels.dtype}, not four of uint8: "
            "thermal belongs in the fourth, the alpha channel of the PNG. Was the file saved again "
            "without it? Take the authors' file",
            "pixels",
        )
    return pixels


PLUGIN = Published(
    CARD,
    [
        ListedFiles("the authors' files", ("images/{}.png", "labels/{}.png"), _four_channels),
        *(
            ListedFiles(
                f"separate files: RGB, {thermal}, Label",
                ("RGB/{}.png", f"{thermal}/{{}}.png", "Label/{}.png"),
                rgb_and_thermal,
            )
            for thermal in ("Modal", "Thermal")
        ),
    ],
)
