"""The first convolution of a backbone, and how it is brought to other channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gpbench.core.errors import ConfigError, InvalidValueError
from gpbench.core.recipe import Inflate

RGB = ("red", "green", "blue")


def find_stems(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the first convolution's weight: two where parallel ones read the image.

    Raises:
        ConfigError: If timm does not say which layer it is.
    """
    named = getattr(model, "default_cfg", {}).get("first_conv")
    names = (named,) if isinstance(named, str) else tuple(named or ())
    stems = tuple(f"{name}.weight" for name in names)
    parameters = dict(model.named_parameters())
    if not stems or any(stem not in parameters for stem in stems):
        raise ConfigError(
            f"backbone '{type(model).__name__}' does not say which layer is its first convolution, "
            "so its stem cannot be brought to other bands: use strategies that pre-train on the "
            "target's channels"
        )
    return stems


def needs_inflation(bands: Sequence[str]) -> bool:
    """Return whether a stem for `bands` differs from one for red, green, blue."""
    return tuple(band.casefold() for band in bands) != RGB


def inflate_stem(
    weight: Tensor,
    bands: Sequence[str],
    how: Inflate | None,
    generator: torch.Generator,
    *,
    std: float | None = None,
) -> Tensor:
    """Return the first convolution's weight for `bands`, (O, n, kh, kw), from that for RGB.

    With K_r, K_g, K_b the given kernels, a band named red, green or blue takes its own kernel,
    wherever it stands. The other bands, in their order e = 0, 1, ..., take

    - `repeat`: K_r, K_g, K_b, K_r, ... (the kernel e mod 3), and then *all* kernels, RGB's too,
      are multiplied by 3/n, so that n bands excite the layer about as much as three did;
    - `mean`: (K_r + K_g + K_b) / 3;
    - `zero`: zeros: the network starts as if it saw RGB alone;
    - `random`: normal draws with the standard deviation of the layer's default initialisation.

    Only `repeat` rescales, and for every n: two bands by 3/2, one by 3. For red, green, blue all
    four return the kernels unchanged, to the bit; for these three in another order, the kernels
    in that order. `how` may be None for these cases alone.

    Args:
        weight: Kernels for red, green, blue, (O, 3, kh, kw).
        bands: Names of the n target channels in their order, in upper or lower case.
        how: What extra bands take.
        generator: Source of the `random` kernels; untouched otherwise.
        std: Standard deviation of the `random` kernels; None: that of torch's own convolution,
            1 / sqrt(3 n kh kw).

    Raises:
        InvalidValueError: If `weight` is no convolution over three channels, or `how` is missing.
    """
    if weight.ndim != 4 or weight.shape[1] != len(RGB):
        raise InvalidValueError("the first layer's weight", tuple(weight.shape), "(O, 3, kh, kw)")
    names = [band.casefold() for band in bands]
    extra = [name for name in names if name not in RGB]
    if how is None and (extra or len(names) != len(RGB)):
        raise InvalidValueError(
            "inflate", None, f"repeat, mean, zero or random: the bands are {', '.join(bands)}"
        )
    kernels = dict(zip(RGB, weight.unbind(1), strict=True))
    if how == "random" and std is None:
        std = 1 / math.sqrt(3 * len(names) * weight.shape[2] * weight.shape[3])
    for position, name in enumerate(extra):
        if how == "repeat":
            kernels[name] = weight[:, position % len(RGB)]
        elif how == "mean":
            kernels[name] = weight.mean(1)
        elif how == "zero":
            kernels[name] = torch.zeros_like(weight[:, 0])
        else:
            draws = torch.randn(weight[:, 0].shape, generator=generator, dtype=weight.dtype)
            kernels[name] = draws * (std or 0.0)
    inflated = torch.stack([kernels[name] for name in names], dim=1)
    if how == "repeat" and len(names) != len(RGB):
        inflated = inflated * (len(RGB) / len(names))
    return inflated
