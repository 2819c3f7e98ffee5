"""iSAID: 15 kinds of objects and background in aerial images; the official val is scored as test.

Label pictures of the official files are in class colours, and black, the background, is a class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gpbench.api import IGNORE_INDEX, DataError, Image, ImageRef, Label, Problem, Split
from gpbench.readers.image import read_rgb
from gpbench.readers.label import colour_text, identified, mapped, read_colours, read_label
from gpbench_datasets._patches import (
    AGAIN,
    SPLITS,
    PatchLayout,
    false_padding,
    place,
    without_padding,
)
from gpbench_datasets._published import (
    Listing,
    Published,
    any_file,
    by_name,
    files_below,
    published_card,
    unpaired,
)

CARD = published_card("isaid")
COLOURS, INSTANCES = "_instance_color_RGB.png", "_instance_id_RGB.png"
"""End the names of a picture in class colours, and of one with a colour per object: not read."""
IMAGE = re.compile(r"(?P<name>P\d+)\.png")
IMAGE_EXAMPLE = "P0002.png (patches of the devkit's split.py are not read)"
LABEL = re.compile(rf"(?P<name>P\d+){re.escape(COLOURS)}")
EDGES = r"(?P<y0>-?\d+)_(?P<y1>\d+)_(?P<x0>-?\d+)_(?P<x1>\d+)"
PATCH = re.compile(rf"(?P<name>P\d+)_{EDGES}\.png")
PATCH_LABEL = re.compile(rf"(?P<name>P\d+)_{EDGES}{re.escape(COLOURS)}")
PNG = b"\x89PNG\r\n\x1a\n"
COLLAPSED = (
    "has less than 8 bits per pixel and a colour table: when mmsegmentation's converter saved it, "
    "Pillow wrote every class as 1. Convert again with `Image.fromarray(lab_patch)` in place of "
    "`Image.fromarray(lab_patch.astype(np.uint8), mode='P')` in tools/dataset_converters/isaid.py, "
    "or use the official files"
)


class Devkit:
    """The official files: `{train,val}` with images and label pictures at any depth."""

    name = "the official files"

    def is_at(self, root: Path) -> bool:
        return any(any_file(root, f"{_home(root)}{folder}/**/P*.png") for folder in SPLITS)

    def listing(self, root: Path) -> Listing:
        """Return all images that have a label picture, sorted by name."""
        listing = Listing()
        for folder, split in SPLITS.items():
            files = files_below(root, f"{_home(root)}{folder}/**/*.png")
            coloured = [file for file in files if file.endswith(COLOURS)]
            others = [file for file in files if not file.endswith((COLOURS, INSTANCES))]
            images, unknown = by_name(root, others, IMAGE, IMAGE_EXAMPLE)
            labels, unknown_labels = by_name(root, coloured, LABEL, f"P0002{COLOURS}")
            listing.problems += [*unknown, *unknown_labels, *unpaired(root, images, labels)]
            listing.images[split] = [
                ImageRef(name, scene=name, files=(images[name], labels[name]))
                for name in sorted(images.keys() & labels.keys())
            ]
        return listing

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        image, label = (root / file for file in ref.files)
        # read_rgb repeats grey images to three channels, as mmsegmentation's converter does.
        return read_rgb(image), mapped(read_colours(label), CARD.palette, str(label), colour_text)


class Patches(PatchLayout):
    """mmsegmentation's patches: labels are class ids, and 255 where a small image was padded."""

    def __init__(self, counts: Mapping[Split, int] = CARD.patches) -> None:
        super().__init__(PATCH, PATCH_LABEL, read_rgb, _patch_label, counts)

    def listing(self, root: Path) -> Listing:
        """Return the images whose patches are all there; looks into a label per split.

        A converter collapses all labels or none, and one problem says more than one per image.
        """
        listing = super().listing(root)
        firsts = [root / refs[0].files[-1] for refs in listing.images.values() if refs]
        listing.problems += [
            Problem("label", f"{first} {COLLAPSED}") for first in firsts if _is_collapsed(first)
        ]
        return listing

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        image, label = super().read(root, ref)
        at = false_padding(image, label, IGNORE_INDEX)
        if at:
            file = root / self.label_at(ref, at)
            raise DataError(
                f"{file} holds {IGNORE_INDEX} at {place(at)} of its image, which is no padding: "
                f"background is a class here, with the value 0; {AGAIN}",
                "label",
            )
        return without_padding(image, label, IGNORE_INDEX)


def _home(root: Path) -> str:
    return "iSAID/" if (root / "iSAID").is_dir() else ""


def _patch_label(path: Path) -> Label:
    if _is_collapsed(path):
        raise DataError(f"{path} {COLLAPSED}", "label")
    return identified(read_label(path), len(CARD.classes), {IGNORE_INDEX}, str(path))


def _is_collapsed(path: Path) -> bool:
    """Return whether a label is a PNG of less than 8 bits per pixel with a colour table.

    The converter saves ids as mode P without a colour table. Pillow 9.3 and 10.0 wrote 8 bits with
    a grey table of 256; 10.4, 11.0, 11.3 and 13.0 take the empty table for one of a single entry
    and write 1 bit, in which every id but 0, and the padding's 255, is 1. (All six were tried.)
    """
    try:
        with path.open("rb") as file:
            head = file.read(26)
    except OSError:
        return False  # whoever reads it says why it cannot
    bits, colour_type = head[24:25], head[25:26]
    return head.startswith(PNG) and colour_type == b"\3" and bits < b"\x08"


PLUGIN = Published(CARD, [Devkit(), Patches()])
