"""Amplitude mixing against numpy's Fourier transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from gpbench.parts.spectrum import PLANE, VOLUME, amplitude_mix

AXES = pytest.mark.parametrize("axes", [PLANE, VOLUME])


def pictures(seed: int, samples: int = 2, height: int = 8, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(samples, 3, height, width, generator=generator)


def spectrum(images: Tensor, axes: tuple[int, ...]) -> NDArray[Any]:
    return np.fft.fftn(images.double().numpy(), axes=axes)


@AXES
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_amplitudes_are_mixed_and_the_phase_stays(axes: tuple[int, ...], share: float) -> None:
    images, others = pictures(1), pictures(2)
    made = amplitude_mix(images, others, torch.full((2,), share), axes=axes)
    own, other, mixed = (spectrum(each, axes) for each in (images, others, made))
    expected = (1 - share) * np.abs(own) + share * np.abs(other)
    np.testing.assert_allclose(np.abs(mixed), expected, atol=2e-5)
    turned = np.abs(np.exp(1j * np.angle(mixed)) - np.exp(1j * np.angle(own)))
    assert turned[np.abs(mixed) > 0.05].max() < 1e-3


@AXES
def test_the_whole_result_is_numpys(axes: tuple[int, ...]) -> None:
    images, others, share = pictures(3), pictures(4), 0.6
    own, other = spectrum(images, axes), spectrum(others, axes)
    amplitude = (1 - share) * np.abs(own) + share * np.abs(other)
    expected = np.fft.ifftn(amplitude * np.exp(1j * np.angle(own)), axes=axes)
    assert np.abs(expected.imag).max() < 1e-12
    made = amplitude_mix(images, others, torch.full((2,), share), axes=axes)
    np.testing.assert_allclose(made.numpy(), expected.real, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_an_image_mixed_with_itself_or_not_at_all_is_itself(
    seed: int, height: int, width: int, share: float
) -> None:
    images = pictures(seed, 1, height, width)
    same = amplitude_mix(images, images, torch.tensor([share]))
    torch.testing.assert_close(same, images, rtol=0, atol=1e-5)
    none = amplitude_mix(images, pictures(seed + 1, 1, height, width), torch.zeros(1))
    torch.testing.assert_close(none, images, rtol=0, atol=1e-5)


def test_every_image_has_its_own_share() -> None:
    images, others = pictures(5), pictures(6)
    made = amplitude_mix(images, others, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(made[0], images[0])
    assert not torch.allclose(made[1], images[1], atol=0.01)


def test_a_channels_spectrum_is_its_own_in_a_plane_and_not_in_a_volume() -> None:
    images, others = pictures(7), pictures(8)
    changed = others.clone()
    changed[:, 2] = 1 - changed[:, 2] / 3
    share = torch.ones(2)
    plane = [amplitude_mix(images, each, share, axes=PLANE) for each in (others, changed)]
    volume = [amplitude_mix(images, each, share, axes=VOLUME) for each in (others, changed)]
    assert torch.equal(plane[0][:, :2], plane[1][:, :2])
    assert not torch.allclose(volume[0][:, :2], volume[1][:, :2], atol=0.01)
