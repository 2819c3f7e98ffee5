from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gpbench.core.errors import ComparisonError
from gpbench.stats.sign_flip import floor
from gpbench.stats.signed_rank import _normal_p, hodges_lehmann, mid_ranks, signed_rank
from tests.stats.oracles import oracle

tenths = st.integers(-15, 15).map(lambda x: x / 10)
gains = st.lists(tenths, min_size=1, max_size=9)


def by_enumeration(differences: list[float]) -> float:
    moved = [round(10 * d) for d in differences]
    ranks = stats.rankdata(np.abs(moved))[np.array(moved) != 0]
    signs = np.sign([d for d in moved if d])
    observed = abs((signs * ranks).sum())
    flips = itertools.product((1, -1), repeat=len(ranks))
    return float(np.mean([abs((np.array(s) * ranks).sum()) >= observed for s in flips]))


def test_three_differences_by_hand() -> None:
    # ranks 1, 2, 3 with the first negative: W- = 1 or less in 2 of 8 patterns, and as many above
    found = signed_rank([-1, 2, 5])
    assert (found.w_plus, found.w_minus, found.p) == (5, 1, 4 / 8)


def test_ties_share_their_mean_rank() -> None:
    assert mid_ranks(np.array([5.0, 1.0, 5.0, 0.0])).tolist() == [3.5, 2, 3.5, 1]


def test_zeros_are_split_as_demsar_does_or_left_out_as_pratt_does() -> None:
    # |0|, |0|, |3|: the zeros hold ranks 1.5 and 1.5
    split, pratt = signed_rank([0, 0, 3]), signed_rank([0, 0, 3], "pratt")
    assert (split.w_plus, split.w_minus) == (3 + 1.5, 1.5)
    assert (pratt.w_plus, pratt.w_minus) == (3, 0)
    assert split.p == pratt.p == 1


def test_no_difference_at_all_is_no_evidence() -> None:
    assert signed_rank([0, 0, 0]).p == 1


def test_demsars_table_has_his_rank_sums_and_prattss_normal_p() -> None:
    case = oracle("01_demsar2006_wilcoxon")
    differences, published = case["inputs"]["differences"], case["published"]
    found = signed_rank(differences)
    assert (found.w_plus, found.w_minus) == (published["R_plus"], published["R_minus"])
    assert found.p < 0.05  # "reject at 0.05"
    scipy = case["computed"]["scipy_on_rounded_differences"]["pratt|asymptotic|correction=False"]
    pratt = signed_rank(differences, "pratt")
    assert pratt.w_minus == scipy["W"]
    ranks = mid_ranks(np.abs(np.round(differences, 9)))[np.array(differences) != 0]
    assert _normal_p(ranks, pratt.w_plus) == pytest.approx(scipy["p"], rel=1e-9)


def test_depression_gives_what_r_prints() -> None:
    case = oracle("08_R_wilcox_depression")
    differences = np.subtract(case["inputs"]["x"], case["inputs"]["y"])
    found = signed_rank(differences)
    assert found.w_plus == case["published"]["V"]
    assert found.p == pytest.approx(case["computed"]["p_two_sided"], rel=1e-9)
    expected = case["computed"]["hodges_lehmann"]
    assert hodges_lehmann(differences) == pytest.approx(expected, rel=1e-9)


def test_float_noise_breaks_no_tie() -> None:
    case = oracle("10_float_noise_ties")
    found = signed_rank(np.subtract(case["inputs"]["a"], case["inputs"]["b"]), "pratt")
    without_the_zero = signed_rank(np.subtract(case["inputs"]["a"], case["inputs"]["b"])[:6])
    assert without_the_zero.w_minus == case["computed"]["wilcoxon_rounded"]["W"]
    assert without_the_zero.p == case["computed"]["wilcoxon_rounded"]["p"]
    assert found.p == without_the_zero.p  # all ranks one higher, the pattern counts the same


def test_sleep_gives_the_exact_p_whatever_becomes_of_the_zero() -> None:
    case = oracle("11_R_sleep_paired")
    differences = np.subtract(case["inputs"]["g1"], case["inputs"]["g2"])
    for zeros in ("zsplit", "pratt"):
        found = signed_rank(differences, zeros)
        expected = case["computed"]["wilcoxon"][zeros]
        assert min(found.w_plus, found.w_minus) == expected["W"]
        assert found.p == expected["p"]


def test_gains_over_datasets_give_the_values_of_the_oracle() -> None:
    for contrast in oracle("33_end_to_end_dataset_level")["computed"]["contrasts"].values():
        found = signed_rank(contrast["per_dataset"])
        assert (found.w_minus, found.p) == (contrast["wilcoxon_W"], contrast["wilcoxon_p"])
        shift = hodges_lehmann(contrast["per_dataset"])
        assert shift == pytest.approx(contrast["hodges_lehmann"], rel=1e-6)


def test_paired_shift_of_seed_values_is_that_of_the_oracle() -> None:
    case = oracle("15_effect_sizes")
    differences = np.subtract(case["inputs"]["a"], case["inputs"]["b"])
    expected = case["computed"]["hodges_lehmann_paired"]
    assert hodges_lehmann(differences) == pytest.approx(expected, rel=1e-8)


def test_floors_are_those_of_the_oracle() -> None:
    for row in oracle("09_minimum_attainable_p")["computed"]["signed_rank_or_signflip"]:
        found = signed_rank(np.arange(1, row["n"] + 1))
        assert found.p == row["min_p_two_sided_wilcoxon"]


@given(gains)
def test_the_exact_p_is_that_of_enumeration(differences: list[float]) -> None:
    assert signed_rank(differences).p == pytest.approx(by_enumeration(differences), rel=1e-12)


def test_the_exact_p_of_fifty_agrees_with_scipy() -> None:
    differences = np.random.default_rng(1).normal(0.4, 1, 50)
    expected = stats.wilcoxon(differences, method="exact")
    assert signed_rank(differences).p == pytest.approx(expected.pvalue, rel=1e-9)


def test_beyond_fifty_the_normal_p_agrees_with_scipys_for_ties_and_zeros() -> None:
    differences = np.random.default_rng(1).integers(-6, 9, 90).astype(float)
    expected = stats.wilcoxon(
        differences, zero_method="pratt", method="asymptotic", correction=False
    )
    found = signed_rank(differences, "pratt")
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert min(found.w_plus, found.w_minus) == expected.statistic


@given(gains)
def test_swapping_the_sides_swaps_the_sums_and_nothing_else(differences: list[float]) -> None:
    one, other = signed_rank(differences), signed_rank([-d for d in differences])
    assert (one.w_plus, one.w_minus, one.p) == (other.w_minus, other.w_plus, other.p)
    assert hodges_lehmann([-d for d in differences]) == pytest.approx(-hodges_lehmann(differences))


@given(gains)
def test_all_ranks_are_shared_out_and_no_p_is_below_the_floor(differences: list[float]) -> None:
    n = len(differences)
    found = signed_rank(differences)
    assert found.w_plus + found.w_minus == n * (n + 1) / 2
    assert floor(n) <= found.p <= 1


@given(gains, tenths)
def test_the_shift_moves_with_the_values_and_lies_among_them(
    differences: list[float], by: float
) -> None:
    shift = hodges_lehmann(differences)
    assert min(differences) <= shift <= max(differences)
    assert hodges_lehmann([d + by for d in differences]) == pytest.approx(shift + by, abs=1e-9)


def test_the_shift_of_three_by_hand() -> None:
    # 1, 2, 9 and the means 1.5, 5, 5.5: the middle two of six are 2 and 5
    assert hodges_lehmann([1, 2, 9]) == 3.5


@pytest.mark.parametrize("test", [signed_rank, hodges_lehmann])
def test_a_missing_value_is_refused(test: object) -> None:
    assert callable(test)
    with pytest.raises(ComparisonError, match="NaN"):
        test([1, float("nan")])
    with pytest.raises(ComparisonError, match="at least 1"):
        test([])
