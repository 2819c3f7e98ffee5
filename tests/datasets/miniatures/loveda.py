"""LoveDA in small: two tiles to train on and two to score, of full size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.datasets.miniatures.blocks import Picture, blocks

SIDE_PX = 1024
TILES = {
    ("Train", "Rural"): ("0",),
    ("Train", "Urban"): ("1366",),
    ("Val", "Rural"): ("2522",),
    ("Val", "Urban"): ("3514",),
}


def picture(number: str) -> Picture:
    """Return image and mask values: 0 no data, 1 to 7 the classes."""
    return blocks(number, (SIDE_PX, SIDE_PX), 8, block_px=64)


def loveda(root: Path) -> Path:
    """Write the official layout, the test images without masks too."""
    for (folder, area), numbers in TILES.items():
        for number in numbers:
            write(root / folder / area, "images_png", "masks_png", number)
    place = root / "Test/Rural/images_png"
    place.mkdir(parents=True)
    Image.new("RGB", (SIDE_PX, SIDE_PX)).save(place / "4191.png")
    return root


def loveda_mmseg(root: Path) -> Path:
    """Write the layout of mmsegmentation's converter: both areas in one folder."""
    for (folder, _), numbers in TILES.items():
        split = folder.lower()
        for number in numbers:
            write(root, f"img_dir/{split}", f"ann_dir/{split}", number)
    return root


def write(place: Path, images: str, masks: str, number: str) -> None:
    """Write one tile and its mask."""
    image, values = picture(number)
    for folder, pixels in ((images, image), (masks, values)):
        (place / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(pixels)).save(place / folder / f"{number}.png")
