from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench.core.errors import ComparisonError
from gpbench.stats.power import (
    FAR,
    datasets_half_width,
    datasets_needed,
    detectable,
    power_t,
    power_two_sample,
    units_needed,
    upper_sd,
)
from gpbench.stats.satterthwaite import t_quantile
from tests.stats.oracles import oracle

alphas = st.sampled_from((0.2, 0.05, 0.001))
degrees = st.floats(1, 200)


def test_power_of_two_samples_is_r_s() -> None:
    case = oracle("16_power")
    found = power_two_sample(20, 20, 1, 1, 1, 0.05)
    assert found == pytest.approx(case["published"]["two_sample_n20_delta1_sd1"], abs=1e-5)
    assert found == pytest.approx(case["computed"]["two_sample_n20"], rel=1e-6)
    needed = case["published"]["two_sample_n_for_power90_delta1"]
    assert units_needed(1, 1, 0.05, 0.9) == math.ceil(needed)


def test_power_of_pairs_is_that_of_peers() -> None:
    for name, expected in oracle("16_power")["computed"]["paired_power_dz"].items():
        n, dz = (float(part.split("=")[1]) for part in name.split(","))
        if expected != "nan":
            assert power_t(1 / math.sqrt(n), n - 1, dz, 0.05) == pytest.approx(expected, rel=1e-6)


def test_power_is_a_number_where_peers_have_none() -> None:
    found = power_t(1 / math.sqrt(10), 9, 3, 0.05)
    assert found == pytest.approx(0.99999999985, abs=1e-11)
    assert found < 1


def test_pairs_for_80_percent_are_those_of_peers() -> None:
    for name, expected in oracle("16_power")["computed"]["paired_n_for_80"].items():
        assert datasets_needed(float(name.split("=")[1]), 1, 0.05) == math.ceil(expected)


@pytest.mark.parametrize(
    ("alpha", "needed"), [(0.05, [64, 17, 9, 6, 4]), (0.05 / 5, [96, 26, 13, 8, 5])]
)
def test_units_per_arm_of_the_design_table(alpha: float, needed: list[int]) -> None:
    assert [units_needed(gap, 1, alpha) for gap in (0.5, 1, 1.5, 2, 3)] == needed


def test_unequal_arms_have_the_power_that_simulation_gives() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(2, 1, (40_000, 9)), rng.normal(0, 2, (40_000, 15))
    va, vb = a.var(1, ddof=1) / 9, b.var(1, ddof=1) / 15
    df = (va + vb) ** 2 / (va**2 / 8 + vb**2 / 14)
    t = np.abs(a.mean(1) - b.mean(1)) / np.sqrt(va + vb)
    quantile = np.interp(df, grid := np.linspace(8, 23, 400), [t_quantile(0.05, x) for x in grid])
    assert power_two_sample(9, 15, 2, 1, 2, 0.05) == pytest.approx((t > quantile).mean(), abs=0.01)


@given(degrees, alphas)
def test_power_without_a_difference_is_alpha(df: float, alpha: float) -> None:
    assert power_t(2, df, 0, alpha) == pytest.approx(alpha, rel=1e-9)


@given(degrees, alphas, st.floats(0, 1e5), st.floats(0, 10))
def test_power_grows_with_the_difference_whatever_its_sign(
    df: float, alpha: float, gap: float, more: float
) -> None:
    power = power_t(1, df, gap, alpha)
    assert power == power_t(1, df, -gap, alpha)
    assert alpha - 1e-9 <= power <= power_t(1, df, gap + more, alpha) + 1e-6
    assert power <= 1


def test_far_differences_join_the_others() -> None:
    # df 1 and a far quantile: the power is still below 1 there
    near, far = (power_t(1, 1, FAR * x, 1e-4) for x in (0.999999, 1.000001))
    assert near == pytest.approx(far, abs=1e-5)
    assert near < 0.95


@given(degrees, st.sampled_from((0.2, 0.05, 0.001, 1e-6)), st.sampled_from((0.5, 0.8, 0.95)))
def test_detectable_difference_has_the_power_asked_for(
    df: float, alpha: float, power: float
) -> None:
    assert power_t(3, df, detectable(3, df, alpha, power), alpha) == pytest.approx(power, abs=1e-4)


def test_one_unit_less_is_too_few() -> None:
    n = units_needed(1.3, 1, 0.05)
    assert power_two_sample(n, n, 1.3, 1, 1, 0.05) >= 0.8
    assert power_two_sample(n - 1, n - 1, 1.3, 1, 1, 0.05) < 0.8
    d = datasets_needed(1.3, 1, 0.05)
    assert power_t(1 / math.sqrt(d), d - 1, 1.3, 0.05) >= 0.8
    assert power_t(1 / math.sqrt(d - 1), d - 2, 1.3, 0.05) < 0.8


def test_huge_gaps_need_two_units_and_tiny_ones_end() -> None:
    assert units_needed(1e6, 1, 0.05) == 2
    assert units_needed(1e-3, 1, 0.05) == pytest.approx(2 * (2.8015852 * 1e3) ** 2, rel=1e-5)


@pytest.mark.parametrize("needed", [units_needed, datasets_needed])
def test_no_difference_is_never_shown(needed: type) -> None:
    with pytest.raises(ComparisonError, match="difference of 0"):
        needed(0, 1, 0.05)


def test_single_values_and_constant_ones_have_no_power() -> None:
    with pytest.raises(ComparisonError, match="at least 2 values per arm, got 1 and 5"):
        power_two_sample(1, 5, 1, 1, 1, 0.05)
    with pytest.raises(ComparisonError, match="sd = 0"):
        power_two_sample(5, 5, 1, 0, 0, 0.05)


def test_seeds_cannot_shrink_what_datasets_differ_by() -> None:
    # interaction sd 1, seed sd 0.5 per run of either arm: the half-widths of the design's table
    widths = {
        (d, s): datasets_half_width(d, 2, 2 * 0.25 / s, 0.05) for d in (5, 12, 20) for s in (1, 10)
    }
    assert widths[5, 1][0] == pytest.approx(1.96, abs=0.01)
    assert widths[5, 10][0] == pytest.approx(1.78, abs=0.01)
    assert widths[12, 10][0] == pytest.approx(0.91, abs=0.01)
    assert widths[20, 1][0] == pytest.approx(0.74, abs=0.01)
    assert widths[5, 1][1] == widths[5, 10][1] == pytest.approx(t_quantile(0.05, 4) * 0.4**0.5)


def test_upper_limit_of_three_seeds_is_2_1_times_their_sd() -> None:
    assert upper_sd(1, 2) == pytest.approx(2.1169, abs=1e-4)
    rng = np.random.default_rng(2)
    sds = rng.normal(0, 1.5, (20_000, 3)).std(axis=1, ddof=1)
    covered = np.mean([upper_sd(float(sd), 2) >= 1.5 for sd in sds])
    assert covered == pytest.approx(0.8, abs=0.015)
