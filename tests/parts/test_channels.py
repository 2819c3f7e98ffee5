"""Channel shuffling by hand: the source channels are 0, 1 and 2."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gpbench.api import Draws
from gpbench.data.draws import HashDraws
from gpbench.parts.channels import (
    Duplicate,
    Normalise,
    Shuffle,
    arrangements,
    base_channels,
    shuffled,
)


def hashed(samples: int, step: int = 0, first: int = 0) -> Draws:
    return HashDraws(7, step, np.arange(first, first + samples), torch.device("cpu"))


def rows(
    samples: int,
    in_chans: int,
    draws: Draws | None = None,
    *,
    duplicate: Duplicate = "cyclic",
    shuffle: Shuffle = "sample",
    probability: float = 1.0,
) -> list[tuple[int, ...]]:
    found = arrangements(
        samples,
        in_chans,
        draws or hashed(samples),
        duplicate=duplicate,
        shuffle=shuffle,
        probability=probability,
    )
    assert found.shape == (samples, in_chans)
    return [tuple(row) for row in found.tolist()]


@dataclass
class EveryPermutation:
    """Draws whose samples are all permutations of n places, each once."""

    n: int
    device: Any = "cpu"

    @property
    def samples(self) -> int:
        return len(list(itertools.permutations(range(self.n))))

    def uniform(self, name: str, n: int = 1) -> Tensor:  # noqa: ARG002  the Protocol's
        return torch.zeros(self.samples, n)

    def permutation(self, name: str, n: int) -> Tensor:  # noqa: ARG002  the Protocol's
        assert n == self.n
        return torch.tensor(list(itertools.permutations(range(n))))


@pytest.mark.parametrize(("n", "distinct"), [(3, 6), (4, 12), (5, 30)])
def test_cyclic_duplicates_have_as_many_arrangements_as_the_multiset(n: int, distinct: int) -> None:
    every = EveryPermutation(n)
    counted = Counter(rows(every.samples, n, cast("Draws", every)))
    assert len(counted) == distinct
    assert len(set(counted.values())) == 1  # each as likely as the others
    assert {tuple(sorted(row)) for row in counted} == {tuple(sorted(base_channels(n)))}


def test_a_random_fourth_channel_allows_36_arrangements() -> None:
    assert len(set(rows(3000, 4, duplicate="random"))) == 36


def test_base_order_is_cyclic() -> None:
    assert base_channels(5) == (0, 1, 2, 0, 1)


def test_without_shuffling_channels_stand_in_base_order() -> None:
    assert set(rows(20, 5, shuffle="none")) == {(0, 1, 2, 0, 1)}
    assert set(rows(20, 5, probability=0.0)) == {(0, 1, 2, 0, 1)}


def test_unshuffled_random_duplicates_leave_rgb_in_front() -> None:
    found = rows(200, 4, duplicate="random", shuffle="none")
    assert {row[:3] for row in found} == {(0, 1, 2)}
    share = Counter(row[3] for row in found)
    assert set(share) == {0, 1, 2}
    assert min(share.values()) > 40


def test_images_are_shuffled_one_by_one_or_all_alike() -> None:
    assert len(set(rows(100, 3))) == 6
    assert len(set(rows(100, 3, shuffle="batch"))) == 1
    orders = {rows(2, 3, hashed(2, step), shuffle="batch")[0] for step in range(60)}
    assert len(orders) == 6


def test_about_the_asked_share_of_images_is_shuffled() -> None:
    unmoved = Counter(rows(4000, 3, probability=0.5))[0, 1, 2] / 4000
    assert unmoved == pytest.approx(0.5 + 0.5 / 6, abs=0.03)


def test_a_step_is_shuffled_as_a_whole_or_not_at_all_with_batch() -> None:
    found = [rows(3, 3, hashed(3, step), shuffle="batch", probability=0.5) for step in range(200)]
    assert all(len(set(step)) == 1 for step in found)
    unmoved = sum(step[0] == (0, 1, 2) for step in found) / 200
    assert unmoved == pytest.approx(0.5 + 0.5 / 6, abs=0.1)


def test_fewer_than_three_channels_still_show_every_source_channel() -> None:
    assert set(rows(100, 1)) == {(0,), (1,), (2,)}
    assert len(set(rows(300, 2))) == 6
    assert set(rows(10, 2, shuffle="none")) == {(0, 1)}


@given(st.integers(1, 6), st.sampled_from(["sample", "batch"]), st.integers(1, 4))
def test_cutting_the_batch_changes_no_arrangement(n: int, shuffle: Shuffle, cut: int) -> None:
    whole = rows(5, n, shuffle=shuffle, duplicate="random")
    first = rows(cut, n, hashed(cut), shuffle=shuffle, duplicate="random")
    rest = rows(5 - cut, n, hashed(5 - cut, first=cut), shuffle=shuffle, duplicate="random")
    assert whole == first + rest


MEAN, STD = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 2.0, 4.0])


def picture(normalise: Normalise, channels: list[int]) -> list[float]:
    """Return what each channel of a picture shows whose channel c is filled with 8 + c."""
    images = torch.tensor([8.0, 9.0, 10.0])[None, :, None, None].expand(1, 3, 2, 2)
    made = shuffled(images, torch.tensor([channels]), MEAN, STD, normalise=normalise)
    assert made.shape == (1, len(channels), 2, 2)
    values: list[float] = made[0, :, 1, 1].tolist()
    return values


def test_normalised_before_each_channel_keeps_its_own_constants() -> None:
    assert picture("before", [0, 1, 2]) == [8, 4, 2]
    assert picture("before", [2, 0, 1, 2]) == [2, 8, 4, 2]


def test_normalised_after_a_place_has_its_constants_whatever_it_shows() -> None:
    assert picture("after", [0, 1, 2]) == [8, 4, 2]
    assert picture("after", [2, 0, 1, 2]) == [10, 3.5, 1.75, 10]  # places 0, 1, 2, 0


def test_every_image_gets_its_own_channels() -> None:
    images = torch.arange(12.0).reshape(2, 3, 1, 2)
    channels = torch.tensor([[2, 0, 1, 0], [1, 1, 0, 2]])
    made = shuffled(images, channels, torch.zeros(3), torch.ones(3), normalise="before")
    expected = [[[4, 5], [0, 1], [2, 3], [0, 1]], [[8, 9], [8, 9], [6, 7], [10, 11]]]
    assert made[:, :, 0].tolist() == expected
