"""Channel shuffling: images of n channels made of RGB channels in a random order.

Our reading of arXiv 2604.27704, whose mechanism is known to us from a digest alone.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gpbench.api import Draws

Duplicate = Literal["cyclic", "random"]
Shuffle = Literal["sample", "batch", "none"]
Normalise = Literal["before", "after"]
SOURCE_CHANNELS = 3


def base_channels(in_chans: int) -> tuple[int, ...]:
    """Return the source channels in base order, cyclic: 0, 1, 2, 0, 1, ... `in_chans` of them."""
    return tuple(channel % SOURCE_CHANNELS for channel in range(in_chans))


def arrangements(
    samples: int,
    in_chans: int,
    draws: Draws,
    *,
    duplicate: Duplicate,
    shuffle: Shuffle,
    probability: float,
) -> Tensor:
    """Return which source channel each channel of each image shows, (samples, in_chans) int64.

    With the list c of max(n, 3) source channels, red, green, blue first, and a uniform permutation
    pi of its places, channel j shows c[pi(j)]; an image that is not shuffled shows c[j]. Where
    fewer than three channels are wanted, the first n of the three are taken after the shuffling,
    so that every source channel is seen.

    Args:
        samples: Images in the batch.
        in_chans: Wanted channels n.
        draws: Names used: `channels.duplicate`, `channels.shuffle`, `channels.order`.
        duplicate: What lies beyond the third place of c: red, green, blue, red, ... again, or for
            every image channels drawn uniformly from the three.
        shuffle: One permutation per image, one for all images of the step, or none.
        probability: That an image, or with `batch` the step, is shuffled.
    """
    places = max(in_chans, SOURCE_CHANNELS)
    base = torch.tensor(base_channels(places), device=draws.device).expand(samples, places)
    extra = places - SOURCE_CHANNELS
    if duplicate == "random" and extra:
        drawn = (draws.uniform("channels.duplicate", extra) * SOURCE_CHANNELS).long()
        base = torch.cat([base[:, :SOURCE_CHANNELS], drawn], dim=1)
    if shuffle == "none":
        return base[:, :in_chans]
    source = draws.of_step() if shuffle == "batch" else draws
    order = source.permutation("channels.order", places).expand(samples, places)
    is_shuffled = source.uniform("channels.shuffle") < probability
    return torch.where(is_shuffled, base.gather(1, order), base)[:, :in_chans]


def shuffled(
    images: Tensor, channels: Tensor, mean: Tensor, std: Tensor, *, normalise: Normalise
) -> Tensor:
    """Return standardised images (B, n, H, W) whose channel j is channel channels[b, j].

    Args:
        images: (B, 3, H, W), not standardised.
        channels: (B, n) source channels, from `arrangements`.
        mean, std: (3,) of the source's channels.
        normalise: `before`: each channel by its own mean and deviation, as if standardised before
            the shuffling; `after`: by those that its place has in base order, whatever it shows.
            The latter leaves a constant offset that tells a network which channel stands where.
    """
    rows = torch.arange(len(images), device=images.device)[:, None]
    chosen = images[rows, channels]
    if normalise == "after":
        places = base_channels(channels.shape[1])
        channels = torch.tensor(places, device=channels.device).expand_as(channels)
    return (chosen - mean[channels][..., None, None]) / std[channels][..., None, None]
