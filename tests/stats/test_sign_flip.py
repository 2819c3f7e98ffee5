from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench.core.errors import ComparisonError
from gpbench.stats.sign_flip import floor, sign_flip_p
from tests.stats.oracles import oracle

RNG = np.random.default_rng(0)
gains = st.lists(st.integers(-50, 50).map(lambda x: x / 10), min_size=1, max_size=9)


def by_enumeration(differences: list[float]) -> float:
    tenths = [round(10 * d) for d in differences]
    sums = [
        abs(sum(s * d for s, d in zip(signs, tenths, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(tenths))
    ]
    return sum(s >= abs(sum(tenths)) for s in sums) / len(sums)


def test_three_gains_of_one_sign_reach_the_floor_and_no_less() -> None:
    # of the 8 ways only +++ and --- have a |sum| of 6
    assert sign_flip_p([1, 2, 3], RNG) == 2 / 8 == floor(3)


def test_a_smaller_loss_is_counted_by_hand() -> None:
    # |1 + 2 - 1| = 2: |4| twice, |2| four times (+ + -, - + + and their opposites), |0| twice
    assert sign_flip_p([1, 2, -1], RNG) == 6 / 8


def test_a_difference_of_zero_keeps_its_place_and_lowers_nothing() -> None:
    assert sign_flip_p([1, 2, 3, 0], RNG) == sign_flip_p([1, 2, 3], RNG)


def test_float_noise_is_no_difference() -> None:
    # 0.3 - 0.2 < 0.1 < 0.8 - 0.7 in float64: +-0.1 cancels, so every pattern reaches a sum of 0.1
    assert sign_flip_p([0.3 - 0.2, 0.2 - 0.1, -(0.8 - 0.7)], RNG) == 1


def test_sleep_gives_the_exact_p_of_scipy() -> None:
    case = oracle("11_R_sleep_paired")
    differences = np.subtract(case["inputs"]["g1"], case["inputs"]["g2"])
    assert sign_flip_p(differences, RNG) == case["computed"]["signflip_exact_p"]


def test_gains_over_datasets_give_the_p_of_the_oracle() -> None:
    for contrast in oracle("33_end_to_end_dataset_level")["computed"]["contrasts"].values():
        assert sign_flip_p(contrast["per_dataset"], RNG) == contrast["signflip_p"]


def test_floors_are_those_of_the_oracle() -> None:
    for row in oracle("09_minimum_attainable_p")["computed"]["signed_rank_or_signflip"]:
        assert floor(row["n"]) == row["min_p_two_sided_wilcoxon"]
        assert sign_flip_p(np.arange(1, row["n"] + 1), RNG) == floor(row["n"])


@given(gains)
def test_halves_count_what_enumeration_counts(differences: list[float]) -> None:
    assert sign_flip_p(differences, RNG) == by_enumeration(differences)


@given(gains)
def test_p_has_a_floor_and_does_not_change_with_the_sides_or_the_order(
    differences: list[float],
) -> None:
    p = sign_flip_p(differences, RNG)
    assert floor(len(differences)) <= p <= 1
    assert sign_flip_p([-d for d in differences], RNG) == p
    assert sign_flip_p(differences[::-1], RNG) == p


@given(gains)
def test_a_larger_smallest_gain_never_raises_the_p_of_gains_alone(differences: list[float]) -> None:
    above = [abs(d) + 0.1 for d in differences]
    assert sign_flip_p(above, RNG) == floor(len(above))


def test_forty_differences_are_still_exact_and_draws_agree_beyond() -> None:
    differences = np.random.default_rng(3).normal(0.3, 1, 40)
    exact = sign_flip_p(differences, RNG)
    with_a_zero = sign_flip_p([*differences, 0], np.random.default_rng(1))
    assert sign_flip_p(differences, np.random.default_rng(1)) == exact
    assert 0.01 < exact < 0.2
    assert with_a_zero == pytest.approx(exact, abs=4 * (exact / 100_000) ** 0.5)
    assert with_a_zero == sign_flip_p([*differences, 0], np.random.default_rng(1))


@pytest.mark.parametrize("differences", [[], [1, float("nan")], [float("inf")]])
def test_no_difference_or_a_missing_one_is_refused(differences: list[float]) -> None:
    with pytest.raises(ComparisonError, match="difference"):
        sign_flip_p(differences, RNG)
