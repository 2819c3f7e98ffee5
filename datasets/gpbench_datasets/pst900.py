"""PST900: visible and thermal images of underground spaces; four objects and background."""

from __future__ import annotations

import re
from pathlib import Path

from gpbench.api import Image, ImageRef, Label, Problem, Split
from gpbench.readers.label import identified, read_label
from gpbench_datasets._published import (
    Listing,
    Published,
    any_file,
    by_name,
    files_below,
    published_card,
    unpaired,
)
from gpbench_datasets._rgbt import rgb_and_thermal

CARD = published_card("pst900")
SPLITS: tuple[Split, ...] = ("train", "test")
FRAME = re.compile(r"(?P<name>(?:.+_)?(?P<bag>bag[0-9A-Za-z]+)_.+)\.png")
"""A bag is one recording, and a scene."""
EXAMPLE = "60_bag23_rect_rgb_frame0000000001.png"


class Folders:
    """The authors' folders `{train,test}/{rgb,thermal,labels}`; thermal_raw and depth: not read."""

    name = "the authors' folders"

    def is_at(self, root: Path) -> bool:
        return any(any_file(root, f"{_home(root)}{split}/rgb/*.png") for split in SPLITS)

    def listing(self, root: Path) -> Listing:
        """Return the frames of which all three files are there, sorted by name."""
        listing = Listing()
        for split in SPLITS:
            place = f"{_home(root)}{split}"
            found = {}
            for kind in ("rgb", "thermal", "labels"):
                files = files_below(root, f"{place}/{kind}/*.png")
                found[kind], unknown = by_name(root, files, FRAME, EXAMPLE)
                listing.problems += unknown
            rgb, thermal, labels = found.values()
            listing.problems += [
                Problem("missing", f"{root / place / kind / name}.png is not there, {have} it")
                for kind, have, names in (
                    ("thermal", "and rgb has", rgb.keys() - thermal.keys()),
                    ("rgb", "and thermal has", thermal.keys() - rgb.keys()),
                )
                for name in sorted(names)
            ]
            listing.problems += unpaired(root, rgb, labels)
            listing.images[split] = [
                ImageRef(
                    name,
                    scene=FRAME.sub(r"\g<bag>", f"{name}.png"),
                    files=(rgb[name], thermal[name], labels[name]),
                )
                for name in sorted(rgb.keys() & thermal.keys() & labels.keys())
            ]
        return listing

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        rgb, thermal, label = (root / file for file in ref.files)
        ids = identified(read_label(label), len(CARD.classes), (), str(label))
        return rgb_and_thermal(rgb, thermal), ids


def _home(root: Path) -> str:
    folder = "PST900_RGBT_Dataset/"
    return folder if (root / folder).is_dir() else ""


PLUGIN = Published(CARD, [Folders()])
