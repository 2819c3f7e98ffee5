"""Colour taken away: luminance in all channels, or one channel in the place of all."""

from __future__ import annotations

import torch
from torch import Tensor

from gpbench.api import Draws

LUMINANCE = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue, ITU-R BT.601, as torchvision's and the channel exchange's."""
CASES = 4
"""Of the channel exchange: red, green or blue in all places, or the image itself."""


def luminance(images: Tensor) -> Tensor:
    """Return .2989 R + .587 G + .114 B in all three channels, as images (B, 3, H, W)."""
    red, green, blue = images.unbind(dim=1)
    gray = LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue
    return gray[:, None].expand_as(images)


def grayed(images: Tensor, draws: Draws, *, probability: float) -> Tensor:
    """Return images (B, 3, H, W), each with this probability as its luminance.

    Args:
        images: (B, 3, H, W) float32.
        draws: Name used: `color.gray`.
        probability: That an image becomes grey; drawn per image.
    """
    is_gray = draws.uniform("color.gray") < probability
    return torch.where(is_gray[..., None, None], luminance(images), images)


def exchanged(images: Tensor, draws: Draws, *, gray: float) -> Tensor:
    """Return images (B, 3, H, W) of which each shows red, green or blue thrice, or is as it was.

    The four cases are equally likely and drawn per image.

    Args:
        images: (B, 3, H, W) float32, standardised as in the reference.
        draws: Names used: `color.exchange`, `color.gray`.
        gray: That an image of the fourth case becomes grey. 0 is the class ChannelAdap, 0.5 the
            class ChannelAdapGray of the reference.

    Reference: Ye et al. 2021 (ICCV), Channel Augmented Joint Learning;
    mangye16/Cross-Modal-Re-ID-baseline, ICCV21_CAJ/ChannelAug.py.
    """
    case = (draws.uniform("color.exchange")[:, 0] * CASES).long()
    rows = torch.arange(len(images), device=images.device)
    single = images[rows, case.clamp(max=images.shape[1] - 1)][:, None].expand_as(images)
    kept = (case == CASES - 1)[:, None, None, None]
    return torch.where(kept, grayed(images, draws, probability=gray), single)
