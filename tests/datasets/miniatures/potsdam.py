"""ISPRS Potsdam in small: few tiles, of full size unless told otherwise."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gpbench_datasets.potsdam import CARD, TEST
from tests.datasets.miniatures import isprs
from tests.datasets.miniatures.blocks import Picture

TILES = ("2_10", "6_7", "2_13")
"""Two to train on and one to score."""
SIDE_PX = 6000
DEFAULT_KINDS = ("RGBIR", "ndsm", "full")
ALL_KINDS = (*DEFAULT_KINDS, "RGB", "IRRG", "eroded")


def picture(tile: str, side_px: int = SIDE_PX) -> Picture:
    """Return red, green, blue, infrared and height (H, W, 5), and class ids."""
    return isprs.picture(tile, (side_px, side_px), 5, block_px=max(side_px // 120, 4))


def potsdam_raw(
    root: Path,
    tiles: Sequence[str] = TILES,
    side_px: int = SIDE_PX,
    kinds: Collection[str] = DEFAULT_KINDS,
) -> Path:
    """Write official files, each kind in its folder; images unpacked into a folder in a folder."""
    for tile in tiles:
        image, ids = picture(tile, side_px)
        bands = {"RGB": [0, 1, 2], "IRRG": [3, 0, 1], "RGBIR": [0, 1, 2, 3]}
        for number, (kind, channels) in enumerate(bands.items(), start=2):
            if kind in kinds:
                folder = root / f"{number}_Ortho_{kind}/{number}_Ortho_{kind}"
                isprs.save_tif(folder / f"top_potsdam_{tile}_{kind}.tif", image[:, :, channels])
        if "ndsm" in kinds:
            save_ndsm(root, tile, image[:, :, 4])
        labels = root / "5_Labels_all"
        if "full" in kinds:
            colours = isprs.coloured(ids, CARD)
            isprs.save_tif(labels / f"top_potsdam_{tile}_label.tif", colours)
        if "eroded" in kinds:
            colours = isprs.coloured(isprs.eroded(ids), CARD)
            file = f"5_Labels_all_noBoundary/top_potsdam_{tile}_label_noBoundary.tif"
            isprs.save_tif(root / file, colours)
    return root


def save_ndsm(root: Path, tile: str, height: np.ndarray) -> Path:
    """Write a surface model: JPEG, so that values come back a little changed."""
    row, column = map(int, tile.split("_"))
    name = f"dsm_potsdam_{row:02}_{column:02}_normalized_lastools.jpg"
    path = root / "1_DSM_normalisation/1_DSM_normalisation" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(height).save(path, quality=95)
    return path


def potsdam_mmseg(
    root: Path, tiles: Sequence[str] = TILES, side_px: int = SIDE_PX, patch_px: int = 512
) -> Path:
    """Write mmsegmentation's patches of the same pictures: RGB and eroded labels."""
    for tile in tiles:
        image, ids = picture(tile, side_px)
        parts = [
            ("img_dir", image[:, :, :3]),
            ("ann_dir", isprs.patch_values(isprs.eroded(ids))),
        ]
        split = "val" if tile in TEST.split() else "train"
        isprs.save_patches(root, split, tile, parts, patch_px)
    return root
