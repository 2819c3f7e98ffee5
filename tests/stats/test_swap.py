from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpbench.core.errors import ComparisonError
from gpbench.metrics import score
from gpbench.stats.bootstrap import ClusterSums, cluster_sums
from gpbench.stats.sign_flip import floor, sign_flip_p
from gpbench.stats.swap import swap_p

Counts = NDArray[np.int64]
RNG = np.random.default_rng(0)
CLASSES = ("road", "tree", "roof")
hits = st.integers(0, 10)


def shares(right: Counts) -> ClusterSums:
    """Return scenes (G, C) of ten labelled pixels per class: an IoU is the share of right ones."""
    scenes, classes = right.shape
    counts = np.zeros((scenes, classes + 1, classes + 1), np.int64)
    for c in range(classes):  # what is wrong is called a class that occurs nowhere
        counts[:, c, c], counts[:, c, classes] = right[:, c], 10 - right[:, c]
    return cluster_sums([counts], [1])


def one_class(right: list[int]) -> ClusterSums:
    return shares(np.array(right)[:, None])


def drawn(seed: int, scenes: int) -> tuple[Counts, Counts]:
    """Return counts (G, 3, 3) of two models on labels of which some scenes have no roof."""
    rng = np.random.default_rng(seed)
    true = rng.integers(1, 40, (scenes, 3))
    true[1:, 2][rng.random(scenes - 1) < 0.6] = 0
    a, b = (
        np.array(
            [
                [
                    rng.multinomial(true[g, c], np.full(3, (1 - hit) / 3) + hit * np.eye(3)[c])
                    for c in range(3)
                ]
                for g in range(scenes)
            ]
        )
        for hit in (0.7, 0.6)
    )
    return a, b


def by_swapping(a: Counts, b: Counts, metric: Literal["mIoU", "mF1"]) -> float:
    """Return the p from the scores of all test sets with swapped predictions."""

    def difference(swapped: tuple[bool, ...]) -> float:
        chosen = np.array(swapped)[:, None, None]
        sides = (np.where(chosen, b, a), np.where(chosen, a, b))
        scores = [score(side.sum(axis=0), CLASSES) for side in sides]
        new, old = (s.miou if metric == "mIoU" else s.mf1 for s in scores)
        return abs(new - old)

    ways = [difference(swapped) for swapped in itertools.product((False, True), repeat=len(a))]
    return sum(way >= ways[0] - 1e-11 for way in ways) / len(ways)


def test_six_scenes_of_one_sign_reach_the_floor_and_no_less() -> None:
    assert swap_p(one_class([9] * 6), one_class([8, 7, 6, 5, 4, 3]), RNG) == 2 / 64 == floor(6)


def test_a_smaller_loss_is_counted_by_hand() -> None:
    # gains 1, 1, 1, 1, 1, -1 add up to 4: reached with at most one odd sign, 1 + 6, and reversed
    assert swap_p(one_class([5] * 6), one_class([4] * 5 + [6]), RNG) == 14 / 64


def test_five_scenes_have_no_p() -> None:
    assert swap_p(one_class([9] * 5), one_class([3] * 5), RNG) is None


@settings(max_examples=40)
@given(st.lists(st.tuples(hits, hits), min_size=6, max_size=16))
def test_where_scores_are_means_it_is_the_sign_flip_test(pairs: list[tuple[int, int]]) -> None:
    a, b = (list(side) for side in zip(*pairs, strict=True))
    found = swap_p(one_class(a), one_class(b), RNG)
    assert found == sign_flip_p(np.subtract(a, b), RNG)


def test_float_noise_is_no_difference() -> None:
    # means of seven shares tie in many ways, which float64 tells apart by their order
    for seed in range(5):
        a, b = np.random.default_rng(seed).integers(0, 11, (2, 9, 7))
        assert swap_p(shares(a), shares(b), RNG) == sign_flip_p((a - b).sum(axis=1), RNG)


@pytest.mark.parametrize("metric", ["mIoU", "mF1"])
@pytest.mark.parametrize("seed", range(3))
def test_p_is_the_share_of_swapped_test_sets(seed: int, metric: Literal["mIoU", "mF1"]) -> None:
    a, b = drawn(seed, 7)
    found = swap_p(cluster_sums([a], [1], metric), cluster_sums([b], [1], metric), RNG)
    assert found == by_swapping(a, b, metric)


def test_swapping_the_arms_and_the_order_of_scenes_change_nothing() -> None:
    a, b = drawn(1, 12)
    order = np.random.default_rng(0).permutation(12)
    p = swap_p(cluster_sums([a], [1]), cluster_sums([b], [1]), RNG)
    assert swap_p(cluster_sums([b], [1]), cluster_sums([a], [1]), RNG) == p
    assert swap_p(cluster_sums([a[order]], [1]), cluster_sums([b[order]], [1]), RNG) == p


def test_seventeen_scenes_are_drawn_and_agree_with_the_exact_test() -> None:
    a, b = [7, 5, 8, 6] * 4 + [5], [5, 6, 7, 7] * 4 + [4]
    sums = one_class(a), one_class(b)
    exact = sign_flip_p(np.subtract(a, b), RNG)
    found = swap_p(*sums, np.random.default_rng(1), 20_000)
    assert 0.05 < exact < 0.5
    assert found == pytest.approx(exact, abs=4 * (exact / 20_000) ** 0.5)
    assert found != exact
    assert swap_p(*sums, np.random.default_rng(1), 20_000) == found


def test_draws_never_give_a_p_of_0() -> None:
    assert swap_p(one_class([9] * 60), one_class([2] * 60), RNG, 99) == 1 / 100


def test_equal_checkpoints_have_a_p_of_1() -> None:
    for scenes in (8, 30):
        same = one_class([7] * scenes)
        assert swap_p(same, same, RNG, 50) == 1


def test_other_labels_and_several_runs_are_refused() -> None:
    a, b = drawn(1, 8)
    one = cluster_sums([a], [1])
    with pytest.raises(ComparisonError, match="test lists differ: the arms"):
        swap_p(one, cluster_sums([drawn(2, 8)[0]], [1]), RNG)
    with pytest.raises(ComparisonError, match="one run per arm, got 1 and 2"):
        swap_p(one, cluster_sums([a, b], [0.5, 0.5]), RNG)
