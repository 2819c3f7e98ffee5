"""iSAID in small: images of 24 to 90 px, with some larger and some smaller than a patch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from gpbench_datasets.isaid import CARD
from tests.datasets.miniatures.blocks import Picture, blocks
from tests.datasets.miniatures.cutting import cut, padded

SIZES = {
    "train": {"P0000": (70, 51), "P0001": (24, 40), "P0002": (40, 24), "P0013": (20, 20)},
    "val": {"P0003": (90, 66), "P0004": (64, 44)},
}
"""Folder -> name -> (height, width)."""
PATCH_PX, STRIDE_PX = 32, 20


def pictures(sizes: Mapping[str, tuple[int, int]]) -> dict[str, Picture]:
    """Return name -> image and class ids."""
    return {name: blocks(name, size, len(CARD.classes)) for name, size in sizes.items()}


def isaid_devkit(root: Path) -> Path:
    """Write the devkit's layout: images, class colours and object colours side by side."""
    colours = np.array([int(colour[1:], 16) for colour in CARD.classes.values()])
    for folder, sizes in SIZES.items():
        place = root / folder / "images"
        place.mkdir(parents=True)
        for name, (image, ids) in pictures(sizes).items():
            codes = colours[ids]
            label = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=2)
            Image.fromarray(image).save(place / f"{name}.png")
            label_picture = Image.fromarray(label.astype(np.uint8))
            label_picture.save(place / f"{name}_instance_color_RGB.png")
            label_picture.save(place / f"{name}_instance_id_RGB.png")
    (root / "test/images").mkdir(parents=True)
    Image.fromarray(image).save(root / "test/images/P0006.png")
    return root


def isaid_mmseg(root: Path) -> Path:
    """Write mmsegmentation's patches of the same pictures: BMP files under .png names, grey ids."""
    for folder, sizes in SIZES.items():
        for kind in ("img_dir", "ann_dir"):
            (root / kind / folder).mkdir(parents=True)
        for name, (image, ids) in pictures(sizes).items():
            for edges, patch in cut(padded(image, PATCH_PX, 0), PATCH_PX, STRIDE_PX).items():
                file = "_".join(map(str, [name, *edges]))
                Image.fromarray(patch).save(root / "img_dir" / folder / f"{file}.png", "BMP")
            for edges, patch in cut(padded(ids, PATCH_PX, 255), PATCH_PX, STRIDE_PX).items():
                file = "_".join(map(str, [name, *edges]))
                label = root / "ann_dir" / folder / f"{file}_instance_color_RGB.png"
                Image.fromarray(patch).save(label)
    return root
