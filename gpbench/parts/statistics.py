"""Means and deviations of feature maps, over positions: mixed between images, or made uncertain."""

from __future__ import annotations

from torch import Tensor

EPS = 1e-6
"""Added to variances, as in the references."""


def moments(maps: Tensor, positions: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return each image's and channel's mean and deviation over positions, axes kept.

    The variance is the unbiased one, with `EPS` added.

    Args:
        maps: (B, C, H, W), (B, H, W, C) or (B, N, C).
        positions: The axes of H and W, or of N.
    """
    variance = maps.var(dim=positions, keepdim=True)
    return maps.mean(dim=positions, keepdim=True), (variance + EPS).sqrt()


def mixed_style(
    maps: Tensor, positions: tuple[int, ...], *, partner: Tensor, weight: Tensor
) -> Tensor:
    """Return maps whose means and deviations are mixed with those of a partner in the batch.

    gamma (x - mu) / sigma + beta with gamma = w sigma + (1 - w) sigma', beta = w mu + (1 - w) mu'.
    No gradient passes through mu and sigma.

    Args:
        maps, positions: See `moments`.
        partner: (B,) int64, whose statistics are mixed in.
        weight: (B,) w, the image's own share.

    Reference: Zhou et al. 2021 (MixStyle), equations 3 to 5; KaiyangZhou/mixstyle-release.
    """
    exact = maps.float()
    mean, deviation = (each.detach() for each in moments(exact, positions))
    own = weight.reshape(-1, *[1] * (maps.dim() - 1))
    shift = own * mean + (1 - own) * mean[partner]
    scale = own * deviation + (1 - own) * deviation[partner]
    return ((exact - mean) / deviation * scale + shift).to(maps.dtype)


def uncertain_style(
    maps: Tensor, positions: tuple[int, ...], *, mean_noise: Tensor, deviation_noise: Tensor
) -> Tensor:
    """Return maps whose means and deviations are moved as far as they differ in the batch.

    (sigma + e' S_sigma) (x - mu) / sigma + mu + e S_mu, where S is the deviation of mu, and of
    sigma, over the images, with `EPS` added to its square. As in the reference, gradients pass
    through all statistics.

    Args:
        maps, positions: See `moments`; at least two images.
        mean_noise, deviation_noise: (B, C) e and e', standard normals times the factor.

    Reference: Li et al. 2022 (DSU), equations 3 to 8; lixiaotong97/DSU, dsu.py.
    """
    exact = maps.float()
    mean, deviation = moments(exact, positions)
    shift = mean + mean_noise.reshape(mean.shape) * _spread(mean)
    scale = deviation + deviation_noise.reshape(mean.shape) * _spread(deviation)
    return ((exact - mean) / deviation * scale + shift).to(maps.dtype)


def _spread(statistic: Tensor) -> Tensor:
    return (statistic.var(dim=0, keepdim=True) + EPS).sqrt()
