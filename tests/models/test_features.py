from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import nn

from gpbench.core.errors import ConfigError
from gpbench.models.backbone import create_classifier, stages_of
from gpbench.models.features import feature_maps, feature_stages


@pytest.mark.parametrize(
    ("name", "reductions", "channels"),
    [
        ("test_convnext3", (4, 8, 16, 32), (32, 64, 96, 128)),
        ("swin_tiny_patch4_window7_224", (4, 8, 16, 32), (96, 192, 384, 768)),
        ("resnet18", (4, 8, 16, 32), (64, 128, 256, 512)),  # not the stem's map at 1/2
        ("vit_tiny_patch16_224", (16, 16, 16, 16), (192, 192, 192, 192)),
    ],
)
def test_a_head_gets_the_last_map_of_each_resolution(
    name: str, reductions: tuple[int, ...], channels: tuple[int, ...]
) -> None:
    stages = stages_of(name)
    assert (stages.reductions, stages.channels) == (reductions, channels)
    assert stages.multiple_px == max(reductions)


def test_a_vision_transformer_gives_maps_at_equal_depths() -> None:
    assert stages_of("vit_tiny_patch16_224").isotropic
    assert not stages_of("resnet18").isotropic
    assert stages_of("vit_tiny_patch16_224").indices == (2, 5, 8, 11)
    assert stages_of("vit_large_patch16_224").indices == (5, 11, 17, 23)


@pytest.mark.parametrize(
    ("name", "px"),
    [
        ("test_convnext3", 64),
        ("test_resnet", 64),
        ("test_vit", 64),
        pytest.param("swin_tiny_patch4_window7_224", 64, marks=pytest.mark.slow),
        pytest.param("swin_tiny_patch4_window7_224", 512, marks=pytest.mark.slow),
        pytest.param("vit_tiny_patch16_224", 512, marks=pytest.mark.slow),
    ],
)
def test_maps_are_channels_first_and_as_large_as_promised(name: str, px: int) -> None:
    model = create_classifier(name, 4, 0, image_px=px, drop_path=0.0, seed=0)
    stages = feature_stages(model)
    with torch.no_grad():
        maps = feature_maps(model, torch.rand(1, 4, px, px), stages)
    expected = [
        (1, channels, px // reduction, px // reduction)
        for channels, reduction in zip(stages.channels, stages.reductions, strict=True)
    ]
    assert [tuple(each.shape) for each in maps] == expected


@pytest.mark.parametrize("name", ["test_convnext3", "test_resnet", "test_efficientnet"])
def test_maps_equal_those_of_timms_features_only_model(name: str) -> None:
    model = create_classifier(name, 3, 0, image_px=64, drop_path=0.0, seed=3).eval()
    stages = feature_stages(model)
    theirs: Any = timm.create_model(name, features_only=True, out_indices=stages.indices).eval()
    names = {key.replace("_", ".", 1): key for key in theirs.state_dict()}
    weights = model.state_dict()
    theirs.load_state_dict(
        {
            key: weights[plain if plain in weights else key]
            for plain, key in names.items()
            if plain in weights or key in weights
        }
    )
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for ours, other in zip(feature_maps(model, images, stages), theirs(images), strict=True):
            torch.testing.assert_close(ours, other)


def test_a_model_without_maps_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'Linear' hands out no feature maps"):
        feature_stages(nn.Linear(2, 2))
