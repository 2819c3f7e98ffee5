"""Stem inflation, by hand: with 1 x 1 kernels red = 1, green = 2, blue = 4 all can be added up."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gpbench.core.errors import ConfigError, InvalidValueError
from gpbench.core.recipe import Inflate
from gpbench.models.backbone import create_classifier
from gpbench.models.stem import find_stems, inflate_stem, needs_inflation

KERNELS = torch.tensor([1.0, 2.0, 4.0]).reshape(1, 3, 1, 1)
HOWS: tuple[Inflate, ...] = get_args(Inflate)
RGBIR = ("red", "green", "blue", "nir")
POTSDAM = (*RGBIR, "height")


def inflated(bands: tuple[str, ...], how: Inflate | None, **options: Any) -> list[float]:
    generator = torch.Generator().manual_seed(0)
    weight = inflate_stem(KERNELS, bands, how, generator, **options)
    assert weight.shape == (1, len(bands), 1, 1)
    values: list[float] = weight.flatten().tolist()
    return values


def test_repeat_gives_a_fourth_band_reds_kernel_and_scales_all_by_three_quarters() -> None:
    assert inflated(RGBIR, "repeat") == [0.75, 1.5, 3.0, 0.75]


def test_repeat_goes_on_with_green_for_a_fifth_band_and_scales_by_three_fifths() -> None:
    assert inflated(POTSDAM, "repeat") == pytest.approx([0.6, 1.2, 2.4, 0.6, 1.2])


def test_mean_gives_extra_bands_the_mean_kernel_and_scales_nothing() -> None:
    assert inflated(POTSDAM, "mean") == pytest.approx([1, 2, 4, 7 / 3, 7 / 3])


def test_zero_gives_extra_bands_nothing_and_scales_nothing() -> None:
    assert inflated(POTSDAM, "zero") == [1, 2, 4, 0, 0]


def test_random_keeps_rgb_and_draws_the_rest_from_the_generator_alone() -> None:
    first = inflated(POTSDAM, "random", std=0.5)
    assert first[:3] == [1, 2, 4]
    assert first == inflated(POTSDAM, "random", std=0.5)
    assert first[3] != first[4] != 0


def test_random_kernels_have_the_asked_deviation_else_that_of_a_default_convolution() -> None:
    weight = torch.zeros(4000, 3, 2, 2)
    generator = torch.Generator().manual_seed(1)
    asked = inflate_stem(weight, RGBIR, "random", generator, std=0.02)[:, 3]
    default = inflate_stem(weight, RGBIR, "random", generator)[:, 3]
    convolution = torch.nn.Conv2d(4, 4000, 2).weight
    assert float(asked.std()) == pytest.approx(0.02, rel=0.03)
    assert float(default.std()) == pytest.approx(float(convolution.detach().std()), rel=0.03)


def test_irrg_takes_kernels_by_name_wherever_the_bands_stand() -> None:
    assert inflated(("nir", "red", "green"), "repeat") == [1, 1, 2]
    assert inflated(("nir", "red", "green"), "zero") == [0, 1, 2]


def test_blue_green_red_needs_no_way_to_inflate() -> None:
    assert inflated(("blue", "green", "red"), None) == [4, 2, 1]


def test_one_band_takes_its_own_kernel_which_repeat_alone_scales() -> None:
    assert inflated(("green",), "mean") == [2]
    assert inflated(("green",), "repeat") == [6]
    assert inflated(("thermal",), "mean") == pytest.approx([7 / 3])


@pytest.mark.parametrize("how", [*HOWS, None])
def test_red_green_blue_is_the_identity_to_the_bit(how: Inflate | None) -> None:
    weight = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    same = inflate_stem(weight, ("Red", "GREEN", "blue"), how, torch.Generator())
    assert torch.equal(same, weight)
    assert not needs_inflation(("Red", "GREEN", "blue"))
    assert needs_inflation(("blue", "green", "red"))


@given(st.permutations(POTSDAM), st.integers(0, 2**32))
def test_zero_answers_as_the_rgb_stem_whatever_the_other_bands_show(
    bands: list[str], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(2, 3, 3, 3, generator=generator, dtype=torch.float64)
    image = torch.randn(1, 5, 6, 6, generator=generator, dtype=torch.float64)
    rgb = image[:, [bands.index(name) for name in ("red", "green", "blue")]]
    ours = convolved(image, inflate_stem(weight, bands, "zero", generator))
    torch.testing.assert_close(ours, convolved(rgb, weight))


@given(st.integers(1, 4))
def test_repeat_keeps_the_answer_to_equal_bands_where_n_is_a_multiple_of_three(k: int) -> None:
    bands = ("red", "green", "blue", *(f"band {i}" for i in range(3 * k - 3)))
    generator = torch.Generator().manual_seed(k)
    weight = torch.randn(2, 3, 3, 3, generator=generator, dtype=torch.float64)
    grey = torch.randn(1, 1, 6, 6, generator=generator, dtype=torch.float64)
    ours = convolved(grey.expand(1, 3 * k, 6, 6), inflate_stem(weight, bands, "repeat", generator))
    torch.testing.assert_close(ours, convolved(grey.expand(1, 3, 6, 6), weight))


def convolved(image: Tensor, weight: Tensor) -> Tensor:
    return torch.nn.functional.conv2d(image, weight)


@pytest.mark.parametrize("bands", [("nir", "red", "green"), ("red",), RGBIR])
def test_a_missing_way_to_inflate_is_an_error_that_names_the_bands(bands: tuple[str, ...]) -> None:
    with pytest.raises(InvalidValueError, match=f"inflate = None .* {', '.join(bands)}"):
        inflated(bands, None)


def test_a_stem_over_other_than_three_channels_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"\(1, 12, 1, 1\)"):
        inflate_stem(KERNELS.repeat(1, 4, 1, 1), RGBIR, "mean", torch.Generator())


@pytest.mark.parametrize(
    ("name", "stems"),
    [
        ("test_convnext3", ("stem.0.weight",)),
        ("test_vit", ("patch_embed.proj.weight",)),
        ("test_resnet", ("conv1.0.weight",)),
        ("fastvit_t8", ("stem.0.conv_kxk.0.conv.weight", "stem.0.conv_scale.conv.weight")),
    ],
)
def test_the_stem_is_what_sees_the_image(name: str, stems: tuple[str, ...]) -> None:
    model = create_classifier(name, 5, 0, image_px=64, drop_path=0.0, seed=0)
    assert find_stems(model) == stems
    assert {dict(model.named_parameters())[stem].shape[1] for stem in stems} == {5}


def test_a_model_that_does_not_name_its_stem_is_refused() -> None:
    with pytest.raises(ConfigError, match="'Linear' does not say which layer"):
        find_stems(torch.nn.Linear(2, 2))
