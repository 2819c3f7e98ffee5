"""Colour taken away, by hand: red is 1, green 10, blue 100."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

from gpbench.api import Draws
from gpbench.data.draws import HashDraws
from gpbench.parts.color import exchanged, grayed, luminance

GRAY = 0.2989 * 1 + 0.587 * 10 + 0.114 * 100
KINDS = {
    (1.0, 1.0, 1.0): "red",
    (10.0, 10.0, 10.0): "green",
    (100.0, 100.0, 100.0): "blue",
    (1.0, 10.0, 100.0): "kept",
}


def draws(samples: int, first: int = 0) -> Draws:
    return HashDraws(5, 0, np.arange(first, first + samples), torch.device("cpu"))


def pictures(samples: int) -> Tensor:
    return torch.tensor([1.0, 10.0, 100.0])[None, :, None, None].expand(samples, 3, 2, 2)


def kinds(images: Tensor) -> Counter[str]:
    pixels = [tuple(image[:, 1, 0].tolist()) for image in images]
    assert torch.equal(images, images[:, :, :1, :1].expand_as(images))  # flat as before
    return Counter(KINDS.get(pixel, "gray" if len(set(pixel)) == 1 else "odd") for pixel in pixels)


def test_luminance_by_hand_in_all_three_channels() -> None:
    made = luminance(pictures(2))
    assert made.shape == (2, 3, 2, 2)
    assert made.flatten().tolist() == pytest.approx([GRAY] * 24)


def test_about_the_asked_share_of_images_becomes_grey() -> None:
    assert kinds(grayed(pictures(50), draws(50), probability=0.0)) == {"kept": 50}
    assert kinds(grayed(pictures(50), draws(50), probability=1.0)) == {"gray": 50}
    assert 160 < kinds(grayed(pictures(2000), draws(2000), probability=0.1))["gray"] < 240


def test_an_exchanged_image_shows_one_channel_thrice_or_is_as_it_was() -> None:
    """ChannelAdap of the reference: four cases, equally likely."""
    counted = kinds(exchanged(pictures(4000), draws(4000), gray=0.0))
    assert set(counted) == {"red", "green", "blue", "kept"}
    assert all(900 < count < 1100 for count in counted.values())


def test_half_of_those_that_keep_their_channels_become_grey_in_the_gray_variant() -> None:
    """ChannelAdapGray of the reference: the fourth case is grey with probability 0.5."""
    counted = kinds(exchanged(pictures(4000), draws(4000), gray=0.5))
    assert all(900 < counted[color] < 1100 for color in ("red", "green", "blue"))
    assert all(430 < counted[kind] < 570 for kind in ("kept", "gray"))
    assert set(kinds(exchanged(pictures(99), draws(99), gray=1.0))) == {
        "red", "green", "blue", "gray"
    }  # fmt: skip


def test_every_image_is_exchanged_with_its_own_channels() -> None:
    images = torch.arange(40 * 3.0).reshape(40, 3, 1, 1)
    made = exchanged(images, draws(40), gray=0.0)
    for image, own in zip(made[:, :, 0, 0].tolist(), images[:, :, 0, 0].tolist(), strict=True):
        assert image == own or image in [[value] * 3 for value in own]


def test_cutting_the_batch_changes_nothing() -> None:
    images = torch.rand(7, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    whole = exchanged(images, draws(7), gray=0.5)
    parts = [
        exchanged(images[:3], draws(3), gray=0.5),
        exchanged(images[3:], draws(4, first=3), gray=0.5),
    ]
    assert torch.equal(whole, torch.cat(parts))
