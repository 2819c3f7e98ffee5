from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from gpbench.core.errors import UnknownNameError
from gpbench.core.recipe import FinetuneRecipe
from gpbench.models.heads import HEADS, Maps, auxiliary_head, decode_head, pyramid

RECIPE = FinetuneRecipe(batch=2, steps=1, head_channels=16, auxiliary_channels=8)
MAPS = Maps((8, 12, 16, 20), (4, 8, 16, 32))


def images_maps() -> list[torch.Tensor]:
    return [
        torch.rand(2, channels, 64 // int(reduction), 64 // int(reduction))
        for channels, reduction in zip(MAPS.channels, MAPS.reductions, strict=True)
    ]


@pytest.mark.parametrize("name", sorted(HEADS))
def test_every_listed_head_trains_on_four_maps(name: str) -> None:
    head = decode_head(MAPS, 5, replace(RECIPE, head=name), seed=0)
    logits = head(images_maps())
    assert logits.shape[:2] == (2, 5)
    logits.square().mean().backward()
    gradients = [parameter.grad for parameter in head.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_two_classes_are_two_maps() -> None:
    assert decode_head(MAPS, 2, RECIPE, seed=0)(images_maps()).shape[1] == 2


def test_the_default_head_is_mmsegs_upernet_with_pools_1_2_3_6() -> None:
    head: Any = decode_head(MAPS, 5, FinetuneRecipe(batch=2, steps=1), seed=0)
    assert type(head).__name__ == "UPerHead"
    assert (head.channels, head.dropout_ratio) == (512, 0.1)
    assert [pool[0].output_size for pool in head.psp_modules] == [1, 2, 3, 6]


def test_normalisation_is_not_synchronised_which_a_cpu_could_not_do() -> None:
    head = decode_head(MAPS, 5, RECIPE, seed=0)
    norms = {type(each) for each in head.modules() if "BatchNorm" in type(each).__name__}
    assert norms == {nn.BatchNorm2d}


def test_equal_seeds_give_equal_heads_and_others_others() -> None:
    first, again, other = (decode_head(MAPS, 5, RECIPE, seed) for seed in (1, 1, 2))
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )
    assert not torch.equal(first.conv_seg.weight, other.conv_seg.weight)  # type: ignore[union-attr, arg-type]  # mmseg's


def test_making_a_head_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    decode_head(MAPS, 5, RECIPE, seed=1)
    pyramid(8, 16, seed=1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_classifier_starts_as_mmseg_starts_it() -> None:
    head: Any = decode_head(MAPS, 50, replace(RECIPE, head_channels=256), seed=0)
    assert float(head.conv_seg.weight.detach().std()) == pytest.approx(0.01, rel=0.03)
    assert not head.conv_seg.bias.any()


def test_the_auxiliary_head_reads_the_last_map_but_one() -> None:
    head: Any = auxiliary_head(MAPS, 5, RECIPE, seed=0)
    assert (type(head).__name__, head.in_index, head.in_channels) == ("FCNHead", 2, 16)
    assert (head.channels, len(head.convs)) == (8, 1)
    assert head(images_maps()).shape == (2, 5, 4, 4)


def test_an_unknown_head_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown decode head 'UperHead'.*'UPerHead'"):
        decode_head(MAPS, 5, replace(RECIPE, head="UperHead"), seed=0)


@pytest.mark.parametrize(
    ("reduction", "sides", "reductions"),
    [(16, [16, 8, 4, 2], (4, 8, 16, 32)), (8, [16, 8, 4, 2], (4, 8, 16, 32))],
)
def test_the_pyramid_has_the_resolutions_of_a_hierarchical_backbone(
    reduction: int, sides: list[int], reductions: tuple[int, ...]
) -> None:
    neck, maps = pyramid(6, reduction, seed=0)
    made = neck([torch.rand(2, 6, 64 // reduction, 64 // reduction)] * 4)
    assert [each.shape[-1] for each in made] == sides
    assert maps == Maps((6, 6, 6, 6), reductions)
