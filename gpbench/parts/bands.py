"""Simulated bands: mixtures of red, green and blue in the place of bands beyond them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gpbench.api import Draws
from gpbench.parts.channels import SOURCE_CHANNELS

Rows = Literal["sample", "batch"]


def band_mixtures(
    samples: int, in_chans: int, draws: Draws, *, rows: Rows, shuffle: bool
) -> Tensor:
    """Return the share of each source channel in each band, (samples, in_chans, 3) float32.

    The first three bands are red, green and blue. The shares of each further band are uniform in
    0..1, then divided by their sum. Of fewer than three bands each is such a mixture, so that every
    source channel is seen.

    Args:
        samples: Images in the batch.
        in_chans: Wanted bands.
        draws: Names used: `bands.shares`, `bands.order`.
        rows: Whether every image or every step has mixtures of its own.
        shuffle: Whether every image's bands stand in a random order.

    Our reading of arXiv 2512.02643, whose band generation is known to us from a summary.
    """
    kept = SOURCE_CHANNELS if in_chans >= SOURCE_CHANNELS else 0
    source = draws.of_step() if rows == "batch" else draws
    drawn = source.uniform("bands.shares", max(in_chans - kept, 0) * SOURCE_CHANNELS)
    drawn = drawn.reshape(len(drawn), -1, SOURCE_CHANNELS)
    mixed = drawn / drawn.sum(dim=2, keepdim=True)
    plain = torch.eye(SOURCE_CHANNELS, device=drawn.device)[:kept].expand(len(drawn), -1, -1)
    mixtures = torch.cat([plain, mixed], dim=1).expand(samples, -1, -1)
    if not shuffle:
        return mixtures
    order = draws.permutation("bands.order", in_chans)
    return mixtures.gather(1, order[..., None].expand_as(mixtures))


def bands(images: Tensor, mixtures: Tensor) -> Tensor:
    """Return bands (B, n, H, W), band j the sum of mixtures[b, j, c] images[b, c] over c.

    Args:
        images: (B, 3, H, W) float32.
        mixtures: (B, n, 3), from `band_mixtures`.
    """
    shares, sources = mixtures[..., None, None], images[:, None]
    return shares[:, :, 0] * sources[:, :, 0] + (
        shares[:, :, 1] * sources[:, :, 1] + shares[:, :, 2] * sources[:, :, 2]
    )
