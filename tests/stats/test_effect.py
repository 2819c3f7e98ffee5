from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from gpbench.core.errors import ComparisonError
from gpbench.stats.effect import a12, a12_interval, d_av, d_z, hedges_g
from tests.stats.oracles import oracle

scores = st.lists(st.integers(0, 20).map(float), min_size=1, max_size=8)


spread_out = st.lists(st.integers(0, 20).map(float), min_size=2, max_size=8).filter(
    lambda values: len(set(values)) > 1
)
sizes = st.integers(1, 20)
levels = st.sampled_from((0.01, 0.05, 0.1, 0.32))


def test_a12_by_hand() -> None:
    # of the pairs (2,1) (2,2) (3,1) (3,2) three are won and one is tied
    assert a12((2, 3), (1, 2)) == (3 + 1 / 2) / 4


def test_float_noise_is_a_tie() -> None:
    assert a12((0.3 - 0.2,), (0.2 - 0.1,)) == 0.5


@given(scores, scores)
def test_a12_is_the_mann_whitney_u_over_all_pairs(a: list[float], b: list[float]) -> None:
    u = stats.mannwhitneyu(a, b, method="asymptotic").statistic
    assert a12(a, b) == pytest.approx(u / (len(a) * len(b)))


@given(scores, scores)
def test_swapping_the_sides_gives_the_complement(a: list[float], b: list[float]) -> None:
    assert a12(a, b) + a12(b, a) == pytest.approx(1)


def test_effect_sizes_are_those_of_the_oracle() -> None:
    case = oracle("15_effect_sizes")
    a, b, expected = case["inputs"]["a"], case["inputs"]["b"], case["computed"]
    assert a12(a, b) == expected["A12"]
    assert hedges_g(a, b) == pytest.approx(expected["hedges_g_exact_J"], rel=1e-8)
    assert d_av(a, b) == pytest.approx(expected["d_av"], rel=1e-8)
    assert d_z(np.subtract(a, b).tolist()) == pytest.approx(expected["d_z"], rel=1e-8)


def test_gains_over_datasets_have_the_d_z_of_the_oracle() -> None:
    for contrast in oracle("33_end_to_end_dataset_level")["computed"]["contrasts"].values():
        assert d_z(contrast["per_dataset"]) == pytest.approx(contrast["d_z"], rel=1e-6)


def test_one_value_on_each_side_has_wilsons_limit() -> None:
    # n = m = 1: (theta - 1)^2 = z^2 theta (1 - theta), so theta = 1 / (1 + z^2)
    low, high = a12_interval(1, 1, 1, 0.05)
    assert low == pytest.approx(1 / (1 + 1.959963984540054**2))
    assert high == 1


def test_limits_solve_the_quartic_of_the_definition() -> None:
    # (2 - t)(1 + t) [(t - value)^2 n m - z^2 t (1 - t)]
    #     = z^2 N t (1 - t) [(1 - t)(1 + t) + t (2 - t)]
    value, n, m, z = 0.8, 4, 7, stats.norm.ppf(0.975)
    t = np.polynomial.Polynomial([0, 1])
    wald = (t - value) ** 2 * (n * m) - z**2 * t * (1 - t)
    spread = z**2 * ((n + m) / 2 - 1) * t * (1 - t) * ((1 - t) * (1 + t) + t * (2 - t))
    roots = ((2 - t) * (1 + t) * wald - spread).roots().real
    inside = sorted(r for r in roots if 0 < r < 1)
    assert a12_interval(value, n, m, 0.05) == pytest.approx(inside, abs=1e-9)


@given(st.floats(0, 1), sizes, sizes, levels)
def test_interval_contains_the_estimate_and_stays_between_0_and_1(
    value: float, n: int, m: int, alpha: float
) -> None:
    low, high = a12_interval(value, n, m, alpha)
    assert 0 <= low <= value <= high <= 1
    assert high - low > 0.01


@given(st.floats(0, 1), sizes, sizes, levels)
def test_swapping_the_sides_mirrors_the_interval(
    value: float, n: int, m: int, alpha: float
) -> None:
    low, high = a12_interval(value, n, m, alpha)
    assert a12_interval(1 - value, m, n, alpha) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(st.floats(0, 1), sizes)
def test_more_certainty_or_fewer_values_widen_the_interval(value: float, n: int) -> None:
    low, high = a12_interval(value, n + 1, n + 1, 0.05)
    for wider in (a12_interval(value, n + 1, n + 1, 0.01), a12_interval(value, n, n, 0.05)):
        assert wider[0] <= low <= high <= wider[1]


def test_hedges_g_of_two_against_two_by_hand() -> None:
    # pooled sd sqrt(2), 2 degrees: J = gamma(1) / (sqrt(1) gamma(1/2)) = 1 / sqrt(pi)
    expected = (10 / math.sqrt(2)) / math.sqrt(math.pi)
    assert hedges_g((11, 13), (1, 3)) == pytest.approx(expected)


def test_d_av_of_unequal_sizes_weighs_the_variances_equally() -> None:
    # variances 2 and 0: root of the mean is 1
    assert d_av((1, 3), (0, 0, 0, 0)) == pytest.approx(2)


@given(spread_out, spread_out)
def test_swapping_the_sides_flips_the_sign_of_each(a: list[float], b: list[float]) -> None:
    assert hedges_g(a, b) == pytest.approx(-hedges_g(b, a))
    assert d_av(a, b) == pytest.approx(-d_av(b, a))
    assert d_z(a) == pytest.approx(-d_z([-x for x in a]))


@given(spread_out, spread_out, st.floats(-50, 50), st.floats(0.1, 10))
def test_neither_origin_nor_unit_change_an_effect_size(
    a: list[float], b: list[float], origin: float, unit: float
) -> None:
    moved = [[origin + unit * x for x in side] for side in (a, b)]
    assert hedges_g(*moved) == pytest.approx(hedges_g(a, b), abs=1e-6)
    assert d_av(*moved) == pytest.approx(d_av(a, b), abs=1e-6)


@given(spread_out, spread_out)
def test_hedges_g_is_smaller_than_cohens_d(a: list[float], b: list[float]) -> None:
    assume(np.mean(a) != np.mean(b))
    df = len(a) + len(b) - 2
    pooled = ((len(a) - 1) * np.var(a, ddof=1) + (len(b) - 1) * np.var(b, ddof=1)) / df
    assert abs(hedges_g(a, b)) < abs(np.mean(a) - np.mean(b)) / np.sqrt(pooled)


def test_no_spread_is_no_effect_size() -> None:
    for effect in (hedges_g, d_av):
        with pytest.raises(ComparisonError, match="sd = 0"):
            effect((2, 2), (1, 1))
    with pytest.raises(ComparisonError, match="sd = 0"):
        d_z((0.5, 0.5, 0.5))
