from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gpbench.core.errors import ConfigError, InvalidValueError, StageError, UnknownNameError
from gpbench.models.backbone import catalog, create_classifier, load_backbone, save_backbone

TINY = "test_convnext3"
SWIN = "swin_tiny_patch4_window7_224"


def made(
    name: str = TINY, in_chans: int = 3, classes: int = 5, *, px: int = 64, seed: int = 0
) -> nn.Module:
    return create_classifier(name, in_chans, classes, image_px=px, drop_path=0.0, seed=seed)


def saved(model: nn.Module, folder: Path) -> Path:
    path = folder / "backbone.safetensors"
    save_backbone(model, path)
    return path


# --- catalog -----------------------------------------------------------------------------


def test_the_catalog_names_all_models_and_knows_the_named_ones() -> None:
    found = catalog([TINY, "vit_tiny_patch16_224"])
    assert {TINY, SWIN, "resnet18"} <= found.names
    assert set(found.facts) == {TINY, "vit_tiny_patch16_224"}
    assert found.facts[TINY].layout == "hierarchical"
    assert found.facts["vit_tiny_patch16_224"].layout == "isotropic"


def test_parameters_are_those_of_the_real_model_without_classifier() -> None:
    real = made(classes=0)
    counted = sum(parameter.numel() for parameter in real.parameters())
    assert catalog([TINY]).facts[TINY].parameters == counted == 339_840


def test_an_unknown_backbone_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'convnext_tiny'"):
        catalog(["convnext_tinny"])


# --- making ------------------------------------------------------------------------------


def test_equal_arguments_give_equal_weights_and_another_seed_others() -> None:
    first, again, other = made(seed=1), made(seed=1), made(seed=2)
    assert differing(first, again) == set()
    assert "stem.0.weight" in differing(first, other)


def test_making_a_model_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    made(seed=1)
    catalog(["test_vit2"])
    assert torch.equal(before, torch.random.get_rng_state())


def test_channels_and_classes_are_as_asked() -> None:
    model: Any = made(in_chans=5, classes=7)
    assert model.stem[0].weight.shape[1] == 5
    assert model(torch.rand(2, 5, 64, 64)).shape == (2, 7)


def test_stochastic_depth_reaches_the_blocks() -> None:
    model = create_classifier(TINY, 3, 5, image_px=64, drop_path=0.25, seed=0)
    rates: list[Any] = [
        each.drop_prob for each in model.modules() if type(each).__name__ == "DropPath"
    ]
    assert max(rates) == pytest.approx(0.25)


def test_without_stochastic_depth_swins_own_default_does_not_slip_in() -> None:
    assert not [each for each in made(SWIN).modules() if type(each).__name__ == "DropPath"]


def test_stochastic_depth_is_refused_where_the_model_has_none() -> None:
    with pytest.raises(InvalidValueError, match=r"drop_path = 0\.1 .* 'vgg11'"):
        create_classifier("vgg11", 3, 5, image_px=64, drop_path=0.1, seed=0)


def test_what_timm_cannot_build_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"'nest_tiny_jx' cannot be built with .*img_size = 60"):
        made("nest_tiny_jx", px=60)


def test_the_size_reaches_models_that_hand_their_arguments_on() -> None:
    model: Any = made("deit_tiny_distilled_patch16_224", px=64)
    assert model.pos_embed.shape[1] == 2 + 4 * 4


@pytest.mark.slow
def test_swin_at_its_default_size_is_timms_own_model() -> None:
    ours = made(SWIN, px=224).eval()
    theirs: Any = timm.create_model(SWIN, num_classes=5, drop_path_rate=0.0).eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


# --- keeping -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [TINY, "test_vit", "test_resnet", pytest.param(SWIN, marks=pytest.mark.slow)]
)
def test_a_file_holds_timms_names_without_the_classifier(name: str, tmp_path: Path) -> None:
    model = made(name)
    path = saved(model, tmp_path)
    plain: Any = timm.create_model(name, num_classes=5, img_size=64) if name == SWIN else None
    plain = plain or timm.create_model(name, num_classes=5)
    classifier = {
        key for key in plain.state_dict() if key.startswith(plain.default_cfg["classifier"])
    }
    assert len(classifier) == 2
    assert set(load_file(path)) == set(plain.state_dict()) - classifier
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_what_is_kept_must_be_the_whole_model(tmp_path: Path) -> None:
    model: Any = made()
    del model.stem
    with pytest.raises(StageError, match=r"not all of backbone 'test_convnext3': it lacks stem"):
        save_backbone(model, tmp_path / "backbone.safetensors")


def test_norms_that_timm_drops_with_the_classifier_are_part_of_it(tmp_path: Path) -> None:
    classifier = made("levit_128s", px=64)
    assert "head.bn.weight" in classifier.state_dict()
    bare = made("levit_128s", classes=0, px=64, seed=1)
    load_backbone(bare, saved(classifier, tmp_path))
    weights = classifier.state_dict()
    assert all(torch.equal(each, weights[key]) for key, each in bare.state_dict().items())


def test_weights_come_back_to_the_bit_beside_another_classifier(tmp_path: Path) -> None:
    model = made(seed=1, classes=5)
    path = saved(model, tmp_path)
    other: Any = made(seed=2, classes=9)
    classifier = other.head.fc.weight.clone()
    load_backbone(other, path)
    assert differing(model, other) == {"head.fc.weight", "head.fc.bias"}
    assert torch.equal(other.head.fc.weight, classifier)


def test_batch_statistics_are_part_of_the_weights(tmp_path: Path) -> None:
    model: Any = made("test_resnet", seed=1)
    model(torch.rand(4, 3, 64, 64))
    other: Any = made("test_resnet", seed=2)
    load_backbone(other, saved(model, tmp_path))
    assert float(other.bn1.running_mean.abs().sum()) > 0
    assert torch.equal(other.bn1.running_mean, model.bn1.running_mean)


def test_the_file_says_which_architecture_it_holds(tmp_path: Path) -> None:
    with safe_open(saved(made(), tmp_path), "pt") as file:
        assert file.metadata()["architecture"] == TINY


def test_what_a_file_lacks_is_named(tmp_path: Path) -> None:
    tensors = load_file(saved(made(), tmp_path))
    del tensors["stem.0.bias"]
    save_file(tensors, tmp_path / "short.safetensors")
    with pytest.raises(
        StageError, match=r"short.*does not fit .*'test_convnext3': it lacks stem\.0\.bias"
    ):
        load_backbone(made(), tmp_path / "short.safetensors")


def test_what_a_file_has_too_much_is_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    tensors = load_file(saved(made(seed=1), tmp_path))
    save_file({**tensors, "extra": torch.zeros(1)}, tmp_path / "long.safetensors")
    model = made(seed=2)
    with pytest.raises(StageError, match="has the unknown extra"):
        load_backbone(model, tmp_path / "long.safetensors")
    assert differing(model, made(seed=2)) == set()


def test_another_channel_count_without_a_stem_is_a_shape_that_does_not_fit(tmp_path: Path) -> None:
    path = saved(made(in_chans=3), tmp_path)
    shapes = r"stem.0.weight of shape \(32, 3, 4, 4\) where \(32, 4, 4, 4\) is needed"
    with pytest.raises(StageError, match=shapes):
        load_backbone(made(in_chans=4), path)


@pytest.mark.parametrize("content", [None, b"not weights"])
def test_an_unreadable_file_is_one_sentence(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "backbone.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StageError, match="cannot be read as backbone weights"):
        load_backbone(made(), path)


# --- stems and positions -----------------------------------------------------------------


def test_an_rgb_stem_is_inflated_by_band_name_on_the_way(tmp_path: Path) -> None:
    rgb: Any = made(in_chans=3, seed=1)
    four: Any = made(in_chans=4, seed=2)
    bands = ["nir", "red", "green", "blue"]
    load_backbone(four, saved(rgb, tmp_path), stem="rgb", bands=bands, inflate="zero", seed=0)
    assert torch.equal(four.stem[0].weight[:, 1:], rgb.stem[0].weight)
    assert not four.stem[0].weight[:, 0].any()
    assert differing(rgb, four) == {"stem.0.weight", "head.fc.weight"}


def test_a_three_band_target_other_than_rgb_is_matched_by_name_too(tmp_path: Path) -> None:
    rgb: Any = made(seed=1)
    irrg: Any = made(seed=2)
    path = saved(rgb, tmp_path)
    load_backbone(irrg, path, stem="rgb", bands=["nir", "red", "green"], inflate="mean", seed=0)
    assert torch.equal(irrg.stem[0].weight[:, 1], rgb.stem[0].weight[:, 0])
    assert torch.equal(irrg.stem[0].weight[:, 2], rgb.stem[0].weight[:, 1])


def test_a_stem_of_the_targets_channels_is_taken_as_it_is(tmp_path: Path) -> None:
    first: Any = made(in_chans=4, seed=1)
    second: Any = made(in_chans=4, seed=2)
    bands = ["nir", "red", "green", "blue"]
    load_backbone(second, saved(first, tmp_path), stem="target", bands=bands)
    assert torch.equal(first.stem[0].weight, second.stem[0].weight)


def test_random_kernels_depend_on_the_seed_and_have_the_layers_deviation(tmp_path: Path) -> None:
    path = saved(made(seed=1), tmp_path)

    def kernel(seed: int) -> Tensor:
        model: Any = made(in_chans=4, seed=2)
        bands = ["red", "green", "blue", "nir"]
        load_backbone(model, path, stem="rgb", bands=bands, inflate="random", seed=seed)
        stem: Tensor = model.stem[0].weight[:, 3].detach()
        return stem

    assert torch.equal(kernel(3), kernel(3))
    assert not torch.equal(kernel(3), kernel(4))
    assert float(kernel(3).std()) == pytest.approx(0.02, rel=0.15)  # ConvNeXt's trunc_normal


def test_vit_positions_are_resampled_and_the_class_tokens_kept(tmp_path: Path) -> None:
    small: Any = made("test_vit", px=64)
    large: Any = made("test_vit", px=128, seed=1)
    with torch.no_grad():  # a plane stays a plane under bicubic interpolation, but for its rim
        small.pos_embed[:, 1:] = torch.arange(4.0).repeat(4)[None, :, None]
    load_backbone(large, saved(small, tmp_path))
    grid = large.pos_embed[0, 1:, 0].reshape(8, 8).detach()
    assert torch.equal(large.pos_embed[:, :1], small.pos_embed[:, :1])
    assert torch.allclose(grid, grid[:1].expand(8, 8), atol=1e-5)
    assert grid[0, 2:6].tolist() == pytest.approx([0.75, 1.25, 1.75, 2.25], abs=0.05)


@pytest.mark.slow
def test_swin_tables_are_resized_where_the_window_differs(tmp_path: Path) -> None:
    small: Any = made(SWIN, px=64)
    large: Any = made(SWIN, px=224, seed=1)
    name = "layers.2.blocks.0.attn.relative_position_bias_table"
    with torch.no_grad():
        small.get_parameter(name).fill_(0.5)
    load_backbone(large, saved(small, tmp_path))
    assert small.get_parameter(name).shape == (7 * 7, 12)  # windows of 4 x 4 at 64 px
    assert large.get_parameter(name).shape == (13 * 13, 12)
    assert torch.allclose(large.get_parameter(name), torch.tensor(0.5))
    first = "layers.0.blocks.0.attn.relative_position_bias_table"
    assert torch.equal(large.get_parameter(first), small.get_parameter(first))


def test_the_rounding_of_a_grid_that_is_no_square_is_not_guessed(tmp_path: Path) -> None:
    tensors = load_file(saved(made("test_vit"), tmp_path))
    tokens = tensors["pos_embed"]
    assert math.isqrt(tokens.shape[1] - 1) ** 2 == tokens.shape[1] - 1
    save_file({**tensors, "pos_embed": tokens[:, :-2].contiguous()}, tmp_path / "odd.safetensors")
    with pytest.raises(StageError, match="pos_embed of shape"):
        load_backbone(made("test_vit"), tmp_path / "odd.safetensors")


def differing(one: nn.Module, other: nn.Module) -> set[str]:
    """Return the names of the weights that two models do not share to the bit."""
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    return {key for key in first if not torch.equal(first[key], second[key])}


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    """A header of several entries would be written in an order of its own each time."""
    model = create_classifier(TINY, 3, 2, image_px=64, drop_path=0.0, seed=0)
    for number in range(8):
        save_backbone(model, tmp_path / f"{number}.safetensors")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
