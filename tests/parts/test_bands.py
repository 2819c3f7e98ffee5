"""Simulated bands by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpbench.api import Draws
from gpbench.data.draws import HashDraws
from gpbench.parts.bands import Rows, band_mixtures, bands


def draws(samples: int, first: int = 0) -> Draws:
    return HashDraws(2, 0, np.arange(first, first + samples), torch.device("cpu"))


def test_a_band_is_the_weighted_sum_of_the_three_channels() -> None:
    images = torch.tensor([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])[..., None, None]
    shares = torch.tensor([[[0.0, 1.0, 0.0], [0.2, 0.3, 0.5]], [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]])
    made = bands(images.expand(2, 3, 1, 2), shares)
    assert made.shape == (2, 2, 1, 2)
    assert made[..., 0, 1].tolist() == [[10, pytest.approx(53.2)], [2, 11]]


@given(st.integers(1, 8), st.sampled_from(["sample", "batch"]), st.booleans())
def test_shares_of_every_band_are_not_negative_and_sum_to_one(
    n: int,
    rows: Rows,
    shuffle: bool,  # noqa: FBT001  a drawn value
) -> None:
    shares = band_mixtures(5, n, draws(5), rows=rows, shuffle=shuffle)
    assert shares.shape == (5, n, 3)
    assert (shares >= 0).all()
    torch.testing.assert_close(shares.sum(dim=2), torch.ones(5, n))


@pytest.mark.parametrize("n", [3, 4, 5, 8])
def test_the_first_three_bands_are_red_green_and_blue(n: int) -> None:
    shares = band_mixtures(6, n, draws(6), rows="sample", shuffle=False)
    assert torch.equal(shares[:, :3], torch.eye(3).expand(6, 3, 3))
    assert ((shares[:, 3:] > 0) & (shares[:, 3:] < 1)).all()


def test_shares_are_uniform_numbers_over_their_sum() -> None:
    about = draws(4)
    drawn = about.uniform("bands.shares", 6).reshape(4, 2, 3)
    shares = band_mixtures(4, 5, about, rows="sample", shuffle=False)
    assert torch.equal(shares[:, 3:], drawn / drawn.sum(dim=2, keepdim=True))


def test_fewer_than_three_bands_show_every_source_channel() -> None:
    assert (band_mixtures(9, 2, draws(9), rows="sample", shuffle=False) > 0).all()


def test_mixtures_belong_to_an_image_or_to_the_step() -> None:
    each = band_mixtures(6, 4, draws(6), rows="sample", shuffle=False)[:, 3]
    assert len({tuple(row) for row in each.tolist()}) == 6
    shared = band_mixtures(6, 4, draws(6), rows="batch", shuffle=False)[:, 3]
    assert len({tuple(row) for row in shared.tolist()}) == 1


def test_shuffled_bands_are_the_same_bands_in_another_order() -> None:
    plain = band_mixtures(200, 4, draws(200), rows="sample", shuffle=False)
    moved = band_mixtures(200, 4, draws(200), rows="sample", shuffle=True)
    assert not torch.equal(plain, moved)
    places = []
    for before, after in zip(plain.tolist(), moved.tolist(), strict=True):
        assert sorted(before) == sorted(after)
        places.append(after.index(before[3]))
    assert all(30 < places.count(place) < 70 for place in range(4))


@given(st.integers(1, 6), st.integers(1, 4), st.sampled_from(["sample", "batch"]))
def test_cutting_the_batch_changes_no_mixture(n: int, cut: int, rows: Rows) -> None:
    whole = band_mixtures(5, n, draws(5), rows=rows, shuffle=True)
    first = band_mixtures(cut, n, draws(cut), rows=rows, shuffle=True)
    rest = band_mixtures(5 - cut, n, draws(5 - cut, first=cut), rows=rows, shuffle=True)
    assert torch.equal(whole, torch.cat([first, rest]))
