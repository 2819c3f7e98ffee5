"""PST900 in small: two frames to train on and two to score, of full size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpbench.api import Split
from tests.datasets.miniatures.blocks import Picture, blocks

SIZE = (720, 1280)
N_CLASSES = 5
SPLITS: dict[Split, list[str]] = {
    "train": ["31_bag1a_rect_rgb_frame0000000007", "40_bag10_rect_rgb_frame0000000021"],
    "test": ["58_bag21_rect_rgb_frame0000000440", "60_bag23_rect_rgb_frame0000000001"],
}


def picture(name: str) -> Picture:
    """Return red, green, blue and thermal (H, W, 4), and class ids."""
    return blocks(name, SIZE, N_CLASSES, bands=4, block_px=80)


def pst900(root: Path) -> Path:
    """Write the authors' layout, with the 16-bit images that are not read."""
    for split, names in SPLITS.items():
        for name in names:
            pixels, ids = picture(name)
            for folder, values in (
                ("rgb", pixels[:, :, :3]),
                ("thermal", pixels[:, :, 3]),
                ("thermal_raw", pixels[:, :, 3].astype(np.uint16) * 90),
                ("depth", ids.astype(np.uint16) * 2560),
                ("labels", ids),
            ):
                save(root / split / folder / f"{name}.png", values)
    return root


def save(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
