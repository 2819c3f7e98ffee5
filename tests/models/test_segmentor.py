from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  torch's own idiom
from torch import Tensor

from gpbench.core.errors import InvalidValueError
from gpbench.core.recipe import FinetuneRecipe
from gpbench.models.backbone import create_classifier, save_backbone
from gpbench.models.segmentor import Segmentor

TINY = "test_convnext3"
SWIN = "swin_tiny_patch4_window7_224"
RECIPE = FinetuneRecipe(batch=2, steps=1, head_channels=16, auxiliary_channels=8)


def made(name: str = TINY, recipe: FinetuneRecipe = RECIPE, **options: Any) -> Segmentor:
    settings: dict[str, Any] = {"image_px": 64, "seed": 0, **options}
    return Segmentor(name, 4, 5, recipe, **settings)


def tiles(height: int = 64, width: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 4, height, width, generator=generator)
    labels = torch.randint(0, 5, (2, height, width), generator=generator, dtype=torch.uint8)
    return images, labels


@pytest.mark.parametrize(
    ("name", "px"),
    [
        (TINY, 64),
        ("test_resnet", 64),
        ("test_vit", 64),
        pytest.param("convnext_tiny", 64, marks=pytest.mark.slow),
        pytest.param("resnet18", 64, marks=pytest.mark.slow),
        pytest.param("vit_tiny_patch16_224", 64, marks=pytest.mark.slow),
        pytest.param(SWIN, 64, marks=pytest.mark.slow),
    ],
)
def test_every_kind_of_backbone_gives_full_size_logits_and_learns(name: str, px: int) -> None:
    segmentor = made(name, image_px=px)
    images, labels = tiles(px, px)
    segmentor.losses(images, labels)["loss"].backward()  # type: ignore[no-untyped-call]  # torch's
    stem = next(segmentor.backbone.parameters())
    assert stem.grad is not None
    assert float(stem.grad.abs().sum()) > 0
    with torch.no_grad():
        logits = segmentor.eval()(images)
    assert logits.shape == (2, 5, px, px)
    assert logits.isfinite().all()


@pytest.mark.slow
def test_swin_segments_images_of_512_pixels() -> None:
    with torch.no_grad():
        assert made(SWIN, image_px=512).eval()(torch.rand(1, 4, 512, 512)).isfinite().all()


@pytest.mark.parametrize("name", [TINY, "test_vit", pytest.param(SWIN, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("height", "width"), [(96, 160), (50, 70)])
def test_images_of_other_sizes_than_the_crop_are_segmented(
    name: str, height: int, width: int
) -> None:
    segmentor = made(name).eval()
    with torch.no_grad():
        assert segmentor(torch.rand(1, 4, height, width)).shape == (1, 5, height, width)


def test_padding_is_at_the_right_and_the_bottom_alone() -> None:
    segmentor = made().eval()
    images = torch.zeros(1, 4, 64, 64)
    images[..., :40, :50] = torch.rand(1, 4, 40, 50)
    with torch.no_grad():
        torch.testing.assert_close(
            segmentor(images[..., :40, :50]), segmentor(images)[..., :40, :50]
        )


def test_the_loss_is_that_of_mmsegs_heads() -> None:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    recipe = replace(RECIPE, head="FCNHead", head_dropout=0.0)
    segmentor: Any = made(recipe=recipe)
    images, labels = tiles()
    labels[0, :30] = 255
    ours = segmentor.losses(images, labels)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None].long())) for label in labels]
    maps = segmentor._maps(images)
    decode = segmentor.decode_head.loss(maps, samples, None)["loss_ce"]
    auxiliary = segmentor.auxiliary_head.loss(maps, samples, None)["loss_ce"]
    torch.testing.assert_close(ours["decode"], decode.detach())
    torch.testing.assert_close(ours["loss"], decode + 0.4 * auxiliary)


def test_ignored_pixels_change_nothing_and_count_nothing() -> None:
    segmentor = made(recipe=replace(RECIPE, auxiliary=0.0)).eval()
    images, labels = tiles()
    labels[:, 32:] = 255
    with torch.no_grad():
        loss = segmentor.losses(images, labels)["loss"]
        upper = F.cross_entropy(segmentor(images)[:, :, :32], labels[:, :32].long())
    torch.testing.assert_close(loss, upper)


def test_a_batch_without_labels_has_loss_zero_and_no_gradient() -> None:
    segmentor = made()
    images, labels = tiles()
    loss = segmentor.losses(images, torch.full_like(labels, 255))["loss"]
    loss.backward()  # type: ignore[no-untyped-call]  # torch's
    assert float(loss.detach()) == 0
    gradients = [each.grad for each in segmentor.parameters() if each.grad is not None]
    assert all(not gradient.any() for gradient in gradients)


def test_an_excluded_class_is_never_predicted_and_never_learnt() -> None:
    images, labels = tiles()
    without_four = torch.where(labels == 4, torch.tensor(255, dtype=torch.uint8), labels)
    segmentor = made(recipe=replace(RECIPE, head_dropout=0.0), excluded=(4,))
    logits = segmentor(images)
    assert bool((logits[:, 4] == -math.inf).all())
    assert logits[:, :4].isfinite().all()
    loss = segmentor.losses(images, labels)["loss"]
    torch.testing.assert_close(loss, segmentor.losses(images, without_four)["loss"])
    loss.backward()  # type: ignore[no-untyped-call]  # torch's
    classifier: Any = segmentor.decode_head
    assert not classifier.conv_seg.weight.grad[4].any()
    assert all(
        each.grad.isfinite().all() for each in segmentor.parameters() if each.grad is not None
    )


def test_heads_are_the_same_whatever_the_backbone_starts_from(tmp_path: Path) -> None:
    path = tmp_path / "backbone.safetensors"
    save_backbone(create_classifier(TINY, 3, 9, image_px=32, drop_path=0.0, seed=7), path)
    scratch, transferred = made(seed=3), made(seed=3)
    bands = ("red", "green", "blue", "nir")
    transferred.load_pretrained(path, stem="rgb", bands=bands, inflate="mean", seed=1)
    ours, theirs = scratch.state_dict(), transferred.state_dict()
    same = {key for key in ours if torch.equal(ours[key], theirs[key])}
    assert {key for key in ours if not key.startswith("backbone.")} <= same
    assert "backbone.stem.0.weight" not in same


def test_heads_do_not_depend_on_the_auxiliary_heads_existence() -> None:
    first: Any = made()
    second: Any = made(recipe=replace(RECIPE, auxiliary=0.0))
    assert second.auxiliary_head is None
    assert torch.equal(first.decode_head.conv_seg.weight, second.decode_head.conv_seg.weight)


def test_equal_seeds_give_equal_segmentors_and_another_seed_another() -> None:
    first, again, other = (made(seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["backbone.stem.0.weight"], other["backbone.stem.0.weight"])
    assert not torch.equal(
        first["decode_head.conv_seg.weight"], other["decode_head.conv_seg.weight"]
    )


def test_the_backbone_keeps_timms_names() -> None:
    plain = create_classifier(TINY, 4, 0, image_px=64, drop_path=0.0, seed=0).state_dict()
    assert made().backbone.state_dict().keys() == plain.keys()


def test_a_vision_transformers_maps_become_a_pyramid() -> None:
    with torch.no_grad():
        maps = made("test_vit")._maps(tiles()[0])
    assert [tuple(each.shape[2:]) for each in maps] == [(16, 16), (8, 8), (4, 4), (2, 2)]


def test_stochastic_depth_and_dropout_come_from_the_recipe() -> None:
    segmentor: Any = made(recipe=replace(RECIPE, drop_path=0.3, head_dropout=0.25))
    rates = [each.drop_prob for each in segmentor.modules() if type(each).__name__ == "DropPath"]
    assert max(rates) == pytest.approx(0.3)
    assert segmentor.decode_head.dropout.p == segmentor.auxiliary_head.dropout.p == 0.25


def test_one_image_alone_is_no_batch() -> None:
    images, labels = tiles()
    with pytest.raises(InvalidValueError, match="batch = 1 is not allowed: 2 or more"):
        made().losses(images[:1], labels[:1])


def test_the_loss_falls_on_one_batch() -> None:
    segmentor = made(recipe=replace(RECIPE, head_dropout=0.0))
    images, labels = tiles()
    labels[:] = torch.arange(4, dtype=torch.uint8).repeat_interleave(16)  # four stripes
    images += labels[:, None]
    optimiser = torch.optim.AdamW(segmentor.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        loss = segmentor.losses(images, labels)["loss"]
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.slow
def test_neither_warnings_nor_logs_of_mmseg_reach_the_user(tmp_path: Path) -> None:
    script = f"""
import torch
from gpbench.core.recipe import FinetuneRecipe
from gpbench.models.segmentor import Segmentor
torch.set_num_threads(1)
recipe = FinetuneRecipe(batch=2, steps=1, head_channels=16)
for name in ("{TINY}", "test_vit"):
    segmentor = Segmentor(name, 4, 2, recipe, image_px=64, seed=0)
    labels = torch.zeros(2, 64, 64, dtype=torch.uint8)
    segmentor.losses(torch.rand(2, 4, 64, 64), labels)["loss"].backward()
"""
    done = subprocess.run(
        [sys.executable, "-W", "always::UserWarning", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert not list(tmp_path.iterdir())


def test_class_weights_weigh_pixels_by_their_class() -> None:
    weights = [1.0, 2.0, 0.5, 4.0, 0.0]
    segmentor = made(class_weights=weights).eval()
    images, labels = tiles()
    pixels = F.cross_entropy(segmentor(images), labels.long(), reduction="none")
    each = torch.tensor(weights)[labels.long()]
    expected = (pixels * each).sum() / each.sum()
    torch.testing.assert_close(segmentor.losses(images, labels)["decode"], expected.detach())
