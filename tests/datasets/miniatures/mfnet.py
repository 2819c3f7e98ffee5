"""MFNet in small: five images of full size, their lists, and what else lies in the download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpbench.api import Split
from tests.datasets.miniatures.blocks import Picture, blocks

SIZE = (480, 640)
N_CLASSES = 9
SPLITS: dict[Split, list[str]] = {
    "train": ["00001D", "00719N"],
    "val": ["01065N"],
    "test": ["01189N", "01402D"],
}
NAMES = [name for names in SPLITS.values() for name in names]


def picture(name: str) -> Picture:
    """Return red, green, blue and thermal (H, W, 4), and class ids."""
    return blocks(name, SIZE, N_CLASSES, bands=4, block_px=40)


def mfnet(root: Path) -> Path:
    """Write the authors' layout: thermal in the alpha channel, mirrored copies, more lists."""
    for name in NAMES:
        pixels, ids = picture(name)
        save(root / f"images/{name}.png", pixels)
        save(root / f"labels/{name}.png", ids)
    for name in SPLITS["train"]:
        pixels, ids = picture(name)
        save(root / f"images/{name}_flip.png", pixels[:, ::-1])
        save(root / f"labels/{name}_flip.png", ids[:, ::-1])
    write_lists(root)
    mirrored = [each for name in SPLITS["train"] for each in (name, f"{name}_flip")]
    (root / "train.txt").write_text("".join(f"{name}\n" for name in mirrored))
    (root / "test_day.txt").write_text("01402D\n")
    (root / "test_night.txt").write_text("01189N\n")
    return root


def mfnet_separate(root: Path, thermal: str = "Modal") -> Path:
    """Write the layout of RGBX code: thermal in a folder of its own, as three equal channels."""
    for name in NAMES:
        pixels, ids = picture(name)
        save(root / f"RGB/{name}.png", pixels[:, :, :3])
        save(root / thermal / f"{name}.png", pixels[:, :, [3, 3, 3]])
        save(root / f"Label/{name}.png", ids)
    write_lists(root)
    (root / "train2.txt").write_text("\n".join(SPLITS["train"] + SPLITS["val"]))
    return root


def write_lists(root: Path) -> None:
    for split, names in SPLITS.items():
        (root / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))


def save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
