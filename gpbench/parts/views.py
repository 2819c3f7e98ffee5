"""Views of source images: cropped, mirrored, standardised, jittered; all chance from `draws`."""

from __future__ import annotations

from torch import Tensor

from gpbench.api import Draws, PretrainRecipe, RoleBatch
from gpbench.data.augment import flipped, jittered, random_resized_crop

__all__ = ["cropped", "jittered", "standard_views", "standardised"]


def standard_views(role: RoleBatch, draws: Draws, recipe: PretrainRecipe) -> Tensor:
    """Return one view of every image, (B, C, crop_px, crop_px), standardised per source channel."""
    views = standardised(cropped(role.images, draws, recipe), role.mean, role.std)
    return jittered(views, draws, recipe.jitter)


def cropped(images: Tensor, draws: Draws, recipe: PretrainRecipe) -> Tensor:
    """Return a random resized crop of every image, mirrored with the recipe's probability.

    The result is (B, C, crop_px, crop_px) on the images' own scale.
    """
    parts = random_resized_crop(images, draws, crop_px=recipe.crop_px, scale=recipe.scale)
    return flipped(parts, draws.uniform("flip")[:, 0] < recipe.flip)


def standardised(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return (images - mean) / std; images (B, C, H, W), mean and std (C,)."""
    return (images - mean[:, None, None]) / std[:, None, None]
