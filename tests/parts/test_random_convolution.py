"""Random convolutions against the paper's formulas."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from gpbench.api import Draws
from gpbench.data.draws import HashDraws
from gpbench.parts.random_convolution import (
    KERNELS_PX,
    disagreement,
    random_convolution,
    randomly_convolved,
)


def draws(step: int = 0, samples: int = 2) -> Draws:
    return HashDraws(11, step, np.arange(samples), torch.device("cpu"))


def noise(samples: int = 2, side: int = 24) -> Tensor:
    return torch.randn(samples, 3, side, side, generator=torch.Generator().manual_seed(1))


class Chosen:
    """Draws that are what a test says, for the step and every sample alike."""

    device = "cpu"

    def __init__(self, **values: float) -> None:
        self.values = values

    def uniform(self, name: str, n: int = 1) -> Tensor:
        return torch.full((1, n), self.values[name.split(".")[1]])

    def normal(self, name: str, n: int = 1) -> Tensor:
        return torch.full((1, n), self.values[name.split(".")[1]])

    def of_step(self) -> Any:
        return self


def chosen(**values: float) -> Draws:
    return cast("Draws", Chosen(**values))


@pytest.mark.parametrize(
    ("size", "side"), [(0.0, 1), (0.24, 1), (0.25, 3), (0.5, 5), (0.75, 7), (0.99, 7)]
)
def test_weights_are_normals_over_the_root_of_the_fan_in(size: float, side: int) -> None:
    """All normals 2: every output is 2 / sqrt(3 k k) times the sum of the 3 k k inputs, 1 each."""
    made = random_convolution(torch.ones(1, 3, 9, 9), chosen(size=size, weights=2.0))
    fan_in = 3 * side * side
    assert made.shape == (1, 3, 9, 9)
    assert made[0, :, 4, 4].tolist() == pytest.approx([2 / math.sqrt(fan_in) * fan_in] * 3)


def test_zeros_lie_around_the_image() -> None:
    made = random_convolution(torch.ones(1, 3, 9, 9), chosen(size=0.25, weights=1.0))
    assert float(made[0, 0, 0, 0]) == pytest.approx(3 * 4 / math.sqrt(27))  # 4 of 9 are inside


def test_the_variance_of_the_weights_is_one_over_the_fan_in() -> None:
    """A unit impulse shows every weight once; those of a kernel with k = 1 are 9."""
    squares: dict[int, list[float]] = {side: [] for side in KERNELS_PX}
    impulse = torch.zeros(3, 3, 15, 15)
    for channel in range(3):
        impulse[channel, channel, 7, 7] = 1
    for step in range(300):
        shown = random_convolution(impulse, draws(step, 3))
        side = int((shown != 0).any(dim=3).any(dim=1).sum(dim=1).max())
        squares[side].append(float(shown.square().sum()) / 9)  # k k times the mean square
    assert {side: len(found) > 50 for side, found in squares.items()} == dict.fromkeys(
        KERNELS_PX, True
    )
    for found in squares.values():
        assert np.mean(found) == pytest.approx(1 / 3, rel=0.1)  # k k / (3 k k)


def test_the_mean_square_of_uncorrelated_pixels_is_preserved() -> None:
    images = noise(4, 40)
    kept = [
        float(random_convolution(images, draws(step, 4))[..., 4:-4, 4:-4].square().mean())
        for step in range(200)
    ]
    assert np.mean(kept) == pytest.approx(1.0, abs=0.06)


def test_one_kernel_serves_a_whole_step_and_the_next_has_another() -> None:
    same = noise(1).expand(5, -1, -1, -1)
    made = random_convolution(same, draws(0, 5))
    torch.testing.assert_close(made, made[:1].expand_as(made))
    assert not torch.allclose(made, random_convolution(same, draws(1, 5)))
    assert not torch.allclose(made, random_convolution(same, draws(0, 5), name="second"))


def test_about_the_asked_share_of_steps_keeps_its_images() -> None:
    images = noise(1, 4)
    kept = sum(
        torch.equal(images, randomly_convolved(images, draws(step), blend="image", keep=0.5))
        for step in range(400)
    )
    assert 160 < kept < 240


def test_mix_is_alpha_times_the_convolution_and_the_rest_of_the_image() -> None:
    """k = 1 and normals 1: w * x = (1 + 2 + 3) / sqrt(3) in each channel; alpha is 0.25."""
    images = torch.tensor([1.0, 2.0, 3.0])[None, :, None, None].expand(1, 3, 2, 2)
    about = chosen(size=0.0, weights=1.0, keep=0.7, alpha=0.25)
    made = randomly_convolved(images, about, blend="mix", keep=0.5)
    expected = [0.25 * 6 / math.sqrt(3) + 0.75 * own for own in (1, 2, 3)]
    assert made[0, :, 1, 1].tolist() == pytest.approx(expected)
    plain = randomly_convolved(images, about, blend="image", keep=0.5)
    assert plain[0, :, 1, 1].tolist() == pytest.approx([6 / math.sqrt(3)] * 3)


def test_disagreement_by_hand() -> None:
    """p = (1, 0) and (1/2, 1/2), mean (3/4, 1/4): the mean of ln 4/3 and (ln 2/3 + ln 2) / 2."""
    sure, unsure = torch.tensor([[30.0, -30.0]]), torch.zeros(1, 2)
    expected = (math.log(4 / 3) + (math.log(2 / 3) + math.log(2)) / 2) / 2
    assert float(disagreement([sure, unsure])) == pytest.approx(expected, rel=1e-5)
    assert float(disagreement([unsure, unsure, unsure])) == pytest.approx(0, abs=1e-6)


def test_disagreement_is_a_mean_over_images() -> None:
    logits = [torch.randn(6, 4, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    single = [disagreement([each[i : i + 1] for each in logits]) for i in range(6)]
    torch.testing.assert_close(disagreement(logits), torch.stack(single).mean())
