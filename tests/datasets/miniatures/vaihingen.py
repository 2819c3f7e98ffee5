"""ISPRS Vaihingen in small: areas of 96 to 150 px."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gpbench_datasets.vaihingen import CARD, TEST
from tests.datasets.miniatures import isprs
from tests.datasets.miniatures.blocks import Picture

SIZES = {1: (120, 96), 3: (96, 150), 2: (101, 110)}
"""Area -> (height, width): two to train on and one to score."""
COMPLETE = "ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE"
ERODED = "ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE"


def picture(area: int, size: tuple[int, int]) -> Picture:
    """Return infrared, red and green (H, W, 3), and class ids."""
    return isprs.picture(f"area{area}", size, 3, block_px=8)


def vaihingen_raw(root: Path, sizes: Mapping[int, tuple[int, int]] | None = None) -> Path:
    """Write official files: images, full and eroded labels, and those labels of contestants."""
    for area, size in (SIZES if sizes is None else sizes).items():
        image, ids = picture(area, size)
        name = f"top_mosaic_09cm_area{area}"
        isprs.save_tif(root / f"top/{name}.tif", image)
        isprs.save_tif(root / COMPLETE / f"{name}.tif", isprs.coloured(ids, CARD))
        borders = isprs.coloured(isprs.eroded(ids), CARD)
        isprs.save_tif(root / ERODED / f"{name}_noBoundary.tif", borders)
        if area not in TEST:
            given = root / f"gts_for_participants/{name}.tif"
            isprs.save_tif(given, isprs.coloured(ids, CARD))
    return root


def vaihingen_mmseg(root: Path, patch_px: int = 64) -> Path:
    """Write mmsegmentation's patches of the same pictures, with eroded labels."""
    for area, size in SIZES.items():
        image, ids = picture(area, size)
        parts = [("img_dir", image), ("ann_dir", isprs.patch_values(isprs.eroded(ids)))]
        split = "val" if area in TEST else "train"
        isprs.save_patches(root, split, f"area{area}", parts, patch_px)
    return root
