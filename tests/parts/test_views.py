from __future__ import annotations

import numpy as np
import torch

from gpbench.api import Draws, PretrainRecipe, RoleBatch
from gpbench.data.draws import HashDraws
from gpbench.parts.views import cropped, standard_views, standardised

WHOLE = PretrainRecipe(batch=4, crop_px=8, steps=1, scale=(1.0, 1.0), flip=0.0)


def draws(samples: int = 4) -> Draws:
    return HashDraws(3, 0, np.arange(samples), torch.device("cpu"))


def role(samples: int = 4, side: int = 8) -> RoleBatch:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(samples, 3, side, side, generator=generator)
    mean, std = torch.tensor([0.5, 0.25, 0.0]), torch.tensor([0.5, 0.25, 2.0])
    return RoleBatch(images, None, mean, std)


def test_standardised_by_hand() -> None:
    images = torch.tensor([1.0, 1.0, 1.0]).reshape(1, 3, 1, 1)
    assert standardised(images, role().mean, role().std).flatten().tolist() == [1, 3, 0.5]


def test_a_view_has_the_crops_size_and_the_images_channels() -> None:
    recipe = PretrainRecipe(batch=4, crop_px=12, steps=1)
    assert standard_views(role(side=20), draws(), recipe).shape == (4, 3, 12, 12)


def test_mirroring_follows_the_recipes_probability() -> None:
    images = torch.arange(8.0).expand(4, 3, 8, 8)

    def mirrored(flip: float) -> int:
        recipe = PretrainRecipe(batch=4, crop_px=8, steps=1, scale=(0.9, 1.0), flip=flip)
        made = cropped(images.repeat(50, 1, 1, 1), draws(200), recipe)
        return int((made[:, 0, 0, 0] > made[:, 0, 0, -1]).sum())

    assert mirrored(0.0) == 0
    assert mirrored(1.0) == 200
    assert 70 < mirrored(0.5) < 130


def test_a_view_is_the_standardised_crop() -> None:
    images = role()
    expected = standardised(cropped(images.images, draws(), WHOLE), images.mean, images.std)
    assert torch.equal(standard_views(images, draws(), WHOLE), expected)


def test_jitter_moves_all_channels_of_an_image_alike() -> None:
    flat = RoleBatch(torch.full((4, 3, 8, 8), 0.5), None, torch.full((3,), 0.5), torch.ones(3))
    jittery = PretrainRecipe(batch=4, crop_px=8, steps=1, scale=(1.0, 1.0), jitter=0.4)
    made = standard_views(flat, draws(), jittery)
    assert torch.equal(made[:, 0], made[:, 1])
    assert len(set(made[:, 0, 0, 0].tolist())) == 4


def test_equal_draws_give_equal_views_and_other_samples_other_ones() -> None:
    recipe = PretrainRecipe(batch=4, crop_px=8, steps=1)
    same = RoleBatch(role().images[:1].repeat(4, 1, 1, 1), None, role().mean, role().std)
    made = standard_views(same, draws(), recipe)
    assert torch.equal(made, standard_views(same, draws(), recipe))
    assert not torch.equal(made[0], made[1])
