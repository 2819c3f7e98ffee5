"""MixStyle and DSU by hand: two images of one channel with the values 1 3 and 10 20."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gpbench.parts.statistics import EPS, mixed_style, moments, uncertain_style

MAPS = torch.tensor([[1.0, 3.0], [10.0, 20.0]])[:, None, None]  # (2, 1, 1, 2)
PLANE = (2, 3)
MEANS, DEVIATIONS = (2.0, 15.0), (math.sqrt(2), math.sqrt(50))  # unbiased
SWAPPED = torch.tensor([1, 0])


def close(made: Tensor, expected: list[list[float]]) -> None:
    wanted = torch.tensor(expected, dtype=torch.float32)
    torch.testing.assert_close(made.reshape(2, 2), wanted, rtol=1e-5, atol=1e-5)


def noise(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


def test_moments_are_the_mean_and_the_root_of_the_unbiased_variance() -> None:
    mean, deviation = moments(MAPS, PLANE)
    assert mean.shape == deviation.shape == (2, 1, 1, 1)
    assert mean.flatten().tolist() == list(MEANS)
    assert deviation.flatten().tolist() == pytest.approx(DEVIATIONS)


def test_a_flat_map_has_a_deviation_that_can_be_divided_by() -> None:
    assert float(moments(torch.ones(1, 1, 2, 2), PLANE)[1]) == pytest.approx(math.sqrt(EPS))


def test_mixed_statistics_by_hand() -> None:
    """Weights 1/4 and 1/2; the standardised values are -1 and 1 over the root of 2."""
    made = mixed_style(MAPS, PLANE, partner=SWAPPED, weight=torch.tensor([0.25, 0.5]))
    expected = []
    for own, weight in ((0, 0.25), (1, 0.5)):
        shift = weight * MEANS[own] + (1 - weight) * MEANS[1 - own]
        scale = weight * DEVIATIONS[own] + (1 - weight) * DEVIATIONS[1 - own]
        expected.append([shift - scale / math.sqrt(2), shift + scale / math.sqrt(2)])
    close(made, expected)


def test_with_weight_one_maps_stay_and_with_zero_they_take_the_partners_statistics() -> None:
    close(mixed_style(MAPS, PLANE, partner=SWAPPED, weight=torch.ones(2)), [[1, 3], [10, 20]])
    close(mixed_style(MAPS, PLANE, partner=SWAPPED, weight=torch.zeros(2)), [[10, 20], [1, 3]])


def test_uncertain_statistics_by_hand() -> None:
    """S_mu = 13 / sqrt 2 and S_sigma = 4 (sqrt 50 - sqrt 2 = 4 sqrt 2, over the root of 2)."""
    made = uncertain_style(
        MAPS, PLANE, mean_noise=noise(1.0, -2.0), deviation_noise=noise(0.5, 0.25)
    )
    spread_of_mean = 13 / math.sqrt(2)
    expected = []
    for own, e_mean, e_deviation in ((0, 1.0, 0.5), (1, -2.0, 0.25)):
        shift = MEANS[own] + e_mean * spread_of_mean
        scale = DEVIATIONS[own] + e_deviation * 4
        expected.append([shift - scale / math.sqrt(2), shift + scale / math.sqrt(2)])
    close(made, expected)


def test_without_noise_maps_stay() -> None:
    still = noise(0.0, 0.0)
    made = uncertain_style(MAPS, PLANE, mean_noise=still, deviation_noise=still)
    close(made, [[1, 3], [10, 20]])


def test_mixstyles_statistics_have_no_gradient_and_dsus_have() -> None:
    """Without gradients through the statistics slopes are the ratios of the deviations."""
    maps = MAPS.clone().requires_grad_()
    mixed = mixed_style(maps, PLANE, partner=SWAPPED, weight=torch.zeros(2))
    (gradient,) = torch.autograd.grad(mixed.sum(), maps)
    close(gradient, [[DEVIATIONS[1] / DEVIATIONS[0]] * 2, [DEVIATIONS[0] / DEVIATIONS[1]] * 2])
    made = uncertain_style(
        maps, PLANE, mean_noise=noise(0.0, 0.0), deviation_noise=noise(0.5, 0.25)
    )
    (gradient,) = torch.autograd.grad(made.sum(), maps)
    close(gradient, [[1, 1], [1, 1]])  # the sum is that of the means, however wide the values


LAYOUTS = pytest.mark.parametrize("layout", ["NHWC", "tokens"])


def other_layout(maps: Tensor, layout: str) -> tuple[Tensor, tuple[int, ...]]:
    if layout == "NHWC":
        return maps.permute(0, 2, 3, 1), (1, 2)
    return maps.flatten(2).transpose(1, 2), (1,)


@LAYOUTS
def test_layouts_give_the_same_numbers(layout: str) -> None:
    generator = torch.Generator().manual_seed(3)
    maps = torch.randn(4, 5, 3, 2, generator=generator)
    noises = torch.randn(2, 4, 5, generator=generator)
    partner, weight = torch.tensor([2, 0, 3, 1]), torch.rand(4, generator=generator)
    there, positions = other_layout(maps, layout)
    for expected, made in (
        (
            mixed_style(maps, PLANE, partner=partner, weight=weight),
            mixed_style(there, positions, partner=partner, weight=weight),
        ),
        (
            uncertain_style(maps, PLANE, mean_noise=noises[0], deviation_noise=noises[1]),
            uncertain_style(there, positions, mean_noise=noises[0], deviation_noise=noises[1]),
        ),
    ):
        torch.testing.assert_close(made, other_layout(expected, layout)[0])


@given(st.integers(0, 999), st.floats(0, 1))
def test_mixed_maps_have_the_mixed_statistics(seed: int, weight: float) -> None:
    maps = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(seed))
    partner = torch.tensor([1, 2, 0])
    made = mixed_style(maps, PLANE, partner=partner, weight=torch.full((3,), weight))
    for found, own in zip(moments(made, PLANE), moments(maps, PLANE), strict=True):
        expected = weight * own + (1 - weight) * own[partner]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_half_precision_maps_keep_their_type() -> None:
    half = MAPS.bfloat16()
    assert mixed_style(half, PLANE, partner=SWAPPED, weight=torch.ones(2)).dtype == half.dtype
    still = noise(0.0, 0.0)
    made = uncertain_style(half, PLANE, mean_noise=still, deviation_noise=still)
    assert made.dtype == half.dtype
