"""Which outputs of which backbones can be changed, and what is said of those that cannot."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from gpbench.api import ConfigError, InvalidValueError, PretrainRecipe
from gpbench.models.backbone import create_classifier
from gpbench.parts.stages import Change, Stage, changed, first_stages

RECIPE = PretrainRecipe(batch=2, crop_px=64, steps=1)


@dataclass(frozen=True)
class Context:
    backbone: str
    recipe: PretrainRecipe = RECIPE
    in_chans: int = 3
    num_classes: int = 2

    def classifier(self) -> nn.Module:
        side = self.recipe.crop_px
        return create_classifier(self.backbone, 3, 2, image_px=side, drop_path=0.0, seed=0)


SWIN = {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 4, 8), "img_size": 64}


def network(name: str) -> nn.Module:
    """Return a small network of the name's family; timm has no tiny Swin of its own."""
    if name.startswith("swin"):
        made: nn.Module = timm.create_model(name, num_classes=2, window_size=2, **SWIN)
        return made
    return Context(name).classifier()


def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def seen(backbone: str, count: int = 4) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return shape and positions of what each change is given in one forward pass."""
    net = network(backbone)
    stages = first_stages(net, Context(backbone), count)
    found = []

    def note(maps: Tensor, positions: tuple[int, ...]) -> Tensor:
        found.append((tuple(maps.shape), positions))
        return maps

    with changed(net, stages, [note] * count):
        net(images())
    return found


CONVOLUTIONAL = [
    "test_convnext3",
    "test_resnet",
    "test_efficientnet",
    "test_byobnet",
    "test_nfnet",
    "test_coatnet",
]


@pytest.mark.parametrize("backbone", CONVOLUTIONAL)
def test_maps_of_convolutional_networks_have_channels_first(backbone: str) -> None:
    found = seen(backbone)
    assert [shape[2:] for shape, _ in found] == [(16, 16), (8, 8), (4, 4), (2, 2)]
    assert {positions for _, positions in found} == {(2, 3)}


@pytest.mark.parametrize("backbone", ["test_mambaout", "swin_tiny_patch4_window7_224"])
def test_maps_of_swin_and_its_like_have_channels_last(backbone: str) -> None:
    found = seen(backbone)
    assert [shape[1:3] for shape, _ in found] == [(16, 16), (8, 8), (4, 4), (2, 2)]
    assert {positions for _, positions in found} == {(1, 2)}


@pytest.mark.parametrize("backbone", ["test_vit", "test_vit_relpos"])
def test_tokens_without_a_place_are_left_alone(backbone: str) -> None:
    found = seen(backbone)
    assert {shape[:2] for shape, _ in found} == {(2, 16)}  # 64 px in patches of 16; no class token
    assert {positions for _, positions in found} == {(1,)}


def doubled(maps: Tensor, _positions: tuple[int, ...]) -> Tensor:
    return 2 * maps


def test_a_class_token_is_handed_on_as_it_was_and_patches_are_changed() -> None:
    net = network("test_vit")
    stage = first_stages(net, Context("test_vit"), 1)
    outputs: list[Tensor] = []
    block = net.get_submodule(stage[0].module)

    def keep(_module: nn.Module, _inputs: Any, out: Tensor) -> None:
        outputs.append(out.detach())

    plain = block.register_forward_hook(keep)
    net(images())
    plain.remove()
    with changed(net, stage, [doubled]):
        last = block.register_forward_hook(keep)  # after the change
        net(images())
        last.remove()
    before, after = outputs
    assert torch.equal(after[:, :1], before[:, :1])
    assert torch.equal(after[:, 1:], 2 * before[:, 1:])


@pytest.mark.parametrize("backbone", ["test_convnext3", "test_vit", "test_mambaout"])
def test_changes_reach_the_classifier_and_end_with_the_context(backbone: str) -> None:
    net = network(backbone).eval()
    plain = net(images())
    stages = first_stages(net, Context(backbone), 2)
    changes: list[Change | None] = [None, lambda maps, _: maps.flip(0)]
    with changed(net, stages, changes):
        other = net(images())
    assert not torch.allclose(other, plain, atol=1e-4)
    assert torch.equal(net(images()), plain)
    with pytest.raises(RuntimeError, match="stop"), changed(net, stages, changes):
        raise RuntimeError("stop")
    assert torch.equal(net(images()), plain)


@pytest.mark.parametrize("count", [0, 5])
def test_as_many_stages_as_there_are_can_be_asked_for(count: int) -> None:
    expected = re.escape(f"stages = {count} is not allowed: 1 to 4 for backbone 'test_convnext3'")
    with pytest.raises(InvalidValueError, match=expected):
        first_stages(network("test_convnext3"), Context("test_convnext3"), count)


def test_a_crop_of_one_position_is_refused_with_the_least_that_fits() -> None:
    small = Context("test_convnext3", replace(RECIPE, crop_px=32))
    first_stages(small.classifier(), small, 3)
    with pytest.raises(InvalidValueError, match=r"crop_px = 32 .* 64 or more, or fewer `stages`"):
        first_stages(small.classifier(), small, 4)


def test_a_backbone_whose_stages_are_no_modules_is_refused() -> None:
    with torch.device("meta"):
        net = timm.create_model("hrnet_w18_small", num_classes=2)
    with pytest.raises(ConfigError, match=r"'hrnet_w18_small' has no module 'stage1'.*ConvNeXt"):
        first_stages(net, Context("hrnet_w18_small"), 1)


class Pair(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images, images


@pytest.mark.parametrize(
    ("module", "what"),
    [(Pair(), "hands on tuple:"), (nn.Identity(), re.escape("hands on (2, 3, 64, 64):"))],
)
def test_an_output_of_another_kind_is_refused_with_those_that_fit(
    module: nn.Module, what: str
) -> None:
    net = nn.Sequential(module)
    stage = Stage("strange", "0", 5, channels_last=False, prefix_tokens=0)
    with changed(net, [stage], [doubled]), pytest.raises(ConfigError, match=what) as refused:
        net(images())
    assert "stage '0' of backbone 'strange'" in str(refused.value)
    assert "tokens (B, N, C)" in str(refused.value)
    assert "C = 5 here" in str(refused.value)
