"""Tiles of the store as what a segmentor takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gpbench.data.tile_store import TileStore


def standardised(pixels: NDArray[Any], store: TileStore, device: torch.device) -> Tensor:
    """Return tiles (B, H, W, C) as (B, C, H, W) float32; training images have mean 0, std 1."""
    wide = pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)
    images = torch.from_numpy(wide).to(device).permute(0, 3, 1, 2).float()
    mean = torch.tensor(store.mean, dtype=torch.float32, device=device)[:, None, None]
    std = torch.tensor(store.std, dtype=torch.float32, device=device)[:, None, None]
    return (images - mean) / std
