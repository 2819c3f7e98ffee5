"""Amplitude spectra exchanged or mixed between images; each keeps its phase, hence its shapes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

PLANE = (-2, -1)
"""Each channel's own spectrum."""
VOLUME = (-3, -2, -1)
"""One spectrum of all channels, as in APR."""


def amplitude_mix(
    images: Tensor, others: Tensor, share: Tensor, *, axes: Sequence[int] = PLANE
) -> Tensor:
    """Return images (B, C, H, W) with amplitude (1 - share) A(image) + share A(other).

    The phase is the image's own: F^-1(A' exp(i P)). The whole spectrum is mixed, and nothing is
    clipped.

    Args:
        images, others: (B, C, H, W) float32.
        share: (B,) in 0..1; 1 exchanges the amplitude.
        axes: Over which the Fourier transform goes: `PLANE` or `VOLUME`.

    Reference: Xu et al. 2021 (FACT), equations 4 to 6; with share = 1 Chen et al. 2021 (APR),
    equation 6.
    """
    spectrum = torch.fft.fftn(images, dim=tuple(axes))
    other = torch.fft.fftn(others, dim=tuple(axes)).abs()
    weight = share[:, None, None, None]
    amplitude = (1 - weight) * spectrum.abs() + weight * other
    mixed: Tensor = torch.fft.ifftn(torch.polar(amplitude, spectrum.angle()), dim=tuple(axes)).real
    return mixed
