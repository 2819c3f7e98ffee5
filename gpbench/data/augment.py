"""Augmentation on the device, for any number of channels; channels are never mixed or exchanged.

All randomness comes from `draws`, and a sample's result is the same to the bit however the batch is
cut: only element-wise arithmetic that IEEE 754 rounds correctly, no reductions, no exp or log.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  torch's own idiom
from torch import Tensor

from gpbench.api import Draws
from gpbench.core.dataset import IGNORE_INDEX

_TRIES = 10  # as torchvision


def random_resized_crop(
    images: Tensor,
    draws: Draws,
    *,
    crop_px: int,
    scale: tuple[float, float],
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Tensor:
    """Return a random part of every image as a square (B, C, crop_px, crop_px) float32.

    Unlike torchvision, the part's corners lie between pixels, and its ratio is only near to
    log-uniform: (1 + kv) / (1 - kv) with v uniform in -1..1 needs no exp, and as that does gives a
    ratio and its inverse equal chances.

    Args:
        images: (B, C, H, W) float32.
        draws: Names used: `crop.area`, `crop.ratio`, `crop.place`.
        crop_px: Side of the result.
        scale: Range of the part's area as a share of the image's, uniform.
        ratio: Range of the part's width / height. Of 10 sizes drawn the first that fits the image
            is taken; where none does, the largest central part of an allowed ratio.
    """
    height, width = images.shape[-2:]
    area = _between(draws.uniform("crop.area", _TRIES), scale) * (height * width)
    wide = _ratios(draws.uniform("crop.ratio", _TRIES), ratio)
    sizes = torch.stack([area / wide, area * wide], dim=-1).sqrt()  # (B, tries, 2)
    whole = sizes.new_tensor([height, width])
    fits = (sizes <= whole).all(dim=-1)
    first = fits.to(torch.uint8).argmax(dim=1)
    chosen = sizes[torch.arange(len(sizes), device=sizes.device), first]
    found = fits.any(dim=1, keepdim=True)
    largest = sizes.new_tensor(_largest(height, width, ratio))
    size = torch.where(found, chosen, largest)
    place = torch.where(found, draws.uniform("crop.place", 2), 0.5)
    return crop_resize(images, torch.cat([place * (whole - size), size], dim=1), crop_px)


def augment_tiles(
    images: Tensor,
    labels: Tensor,
    draws: Draws,
    *,
    crop_px: int,
    scale: tuple[float, float],
    flip: float,
    jitter: float,
) -> tuple[Tensor, Tensor]:
    """Return images (B, C, crop_px, crop_px) float32 and labels (B, crop_px, crop_px) uint8.

    A tile is zoomed by a factor uniform in `scale` and a square of `crop_px` taken at random from
    it, or, where it became smaller, it lies at random in the square; around it images are 0, the
    mean of standardised images, and labels IGNORE_INDEX.

    Args:
        images: (B, C, H, W) float32, standardised.
        labels: (B, H, W) uint8.
        draws: Names used: `zoom`, `zoom.place`, `flip`, `jitter`.
        crop_px: Side of the result.
        scale: 2 shows half the side at twice the size.
        flip: Probability of exchanging left and right.
        jitter: Strength, see `jittered`.
    """
    height, width = images.shape[-2:]
    side = crop_px / _between(draws.uniform("zoom"), scale)
    room = side.new_tensor([height, width]) - side
    corner = (draws.uniform("zoom.place", 2) * room).round()  # whole pixels: zoom 1 blurs nothing
    boxes = torch.cat([corner, side, side], dim=1)
    exchanged = draws.uniform("flip")[:, 0] < flip
    cropped = crop_resize(jittered(images, draws, jitter), boxes, crop_px, outside="zeros")
    return flipped(cropped, exchanged), flipped(crop_labels(labels, boxes, crop_px), exchanged)


def crop_resize(
    images: Tensor, boxes: Tensor, out_px: int, outside: Literal["border", "zeros"] = "border"
) -> Tensor:
    """Return the boxes of the images as squares (B, C, out_px, out_px), bilinear.

    Args:
        images: (B, C, H, W) float32.
        boxes: (B, 4) float32 in pixels: top, left, height, width; may reach beyond the image.
        out_px: Side of the result.
        outside: Beyond the image: its nearest pixel, or 0.
    """
    grid = _sampling_grid(boxes, out_px, images)
    return F.grid_sample(images, grid, "bilinear", outside, align_corners=False)


def crop_labels(labels: Tensor, boxes: Tensor, out_px: int) -> Tensor:
    """Return the same boxes of labels (B, H, W) uint8: nearest pixel, IGNORE_INDEX outside."""
    shifted = labels[:, None].float() - IGNORE_INDEX  # outside is 0, which becomes IGNORE_INDEX
    grid = _sampling_grid(boxes, out_px, shifted)
    nearest = F.grid_sample(shifted, grid, "nearest", "zeros", align_corners=False)
    return (nearest[:, 0] + IGNORE_INDEX).to(torch.uint8)


def flipped(images: Tensor, mask: Tensor) -> Tensor:
    """Return images or labels (B, ..., W), left and right exchanged where mask (B,) is true."""
    return torch.where(mask.reshape(-1, *[1] * (images.dim() - 1)), images.flip(-1), images)


def jittered(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Return images * contrast + brightness, both drawn per image and shared by its channels.

    Args:
        images: (B, C, H, W), standardised: contrast changes about 0, brightness in deviations.
        draws: Name used: `jitter`.
        strength: Both changes lie in -strength .. strength; 0 changes nothing.
    """
    if strength == 0:
        return images
    change = _between(draws.uniform("jitter", 2), (-strength, strength))
    contrast, brightness = (column[:, None, None, None] for column in change.unbind(dim=1))
    return images * (1 + contrast) + brightness


def _between(uniform: Tensor, limits: tuple[float, float]) -> Tensor:
    low, high = limits
    return low + uniform * (high - low)


def _sampling_grid(boxes: Tensor, out_px: int, images: Tensor) -> Tensor:
    """Return grid_sample's grid (B, out_px, out_px, 2) of the pixel centres of the boxes."""
    centres = (torch.arange(out_px, device=images.device) + 0.5) / out_px
    top, left, heights, widths = (column[:, None] for column in boxes.unbind(dim=1))
    y = (top + centres * heights) * (2 / images.shape[-2]) - 1  # -1 and 1 are the outer edges
    x = (left + centres * widths) * (2 / images.shape[-1]) - 1
    shape = (len(boxes), out_px, out_px)
    return torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], dim=-1)


def _ratios(uniform: Tensor, limits: tuple[float, float]) -> Tensor:
    low, high = limits
    spread = math.sqrt(high / low)
    k = (spread - 1) / (spread + 1)
    v = _between(uniform, (-k, k))
    return math.sqrt(low * high) * (1 + v) / (1 - v)


def _largest(height: int, width: int, ratio: tuple[float, float]) -> tuple[float, float]:
    """Return the height and width of the largest part whose width / height lies in `ratio`."""
    allowed = min(max(width / height, ratio[0]), ratio[1])
    return min(height, width / allowed), min(width, height * allowed)
