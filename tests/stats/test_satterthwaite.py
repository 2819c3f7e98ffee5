from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from gpbench.core.errors import ComparisonError
from gpbench.stats.satterthwaite import (
    Term,
    TTest,
    equivalence_p,
    t_quantile,
    t_test,
    two_sided_p,
    unit_term,
)
from tests.stats.oracles import oracle

SLEEP = (
    (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0),
    (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4),
)
scores = st.lists(st.floats(0, 100).map(lambda x: round(x, 4)), min_size=2, max_size=8)


def welch(a: tuple[float, ...], b: tuple[float, ...], alpha: float = 0.05) -> TTest:
    difference = math.fsum(a) / len(a) - math.fsum(b) / len(b)
    return t_test(difference, [unit_term(a), unit_term(b)], alpha)


def test_welch_by_hand() -> None:
    # variances 1 and 4, so V = 1/3 and 4/3; df = (5/3)^2 / ((1/9)/2 + (16/9)/2) = 50/17
    found = welch((1, 2, 3), (2, 4, 6))
    assert found.difference == -2
    assert found.se == pytest.approx(math.sqrt(5 / 3))
    assert found.df == pytest.approx(50 / 17)


def test_welch_gives_the_values_that_r_prints_for_sleep() -> None:
    found = welch(*SLEEP)
    assert found.df == pytest.approx(17.776, abs=1e-3)
    assert found.p == pytest.approx(0.07939, abs=1e-5)
    assert found.ci == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)


@settings(max_examples=50)
@given(scores, scores)
def test_welch_agrees_with_scipy(a: list[float], b: list[float]) -> None:
    assume(min(max(a) - min(a), max(b) - min(b)) > 0.1)  # scipy warns where values are near equal
    found = welch(tuple(a), tuple(b))
    expected = stats.ttest_ind(a, b, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert found.df == pytest.approx(expected.df, rel=1e-6)
    assert found.ci == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)


@given(scores, scores)
def test_swapping_the_sides_flips_the_sign_and_nothing_else(a: list[float], b: list[float]) -> None:
    assume(max(a) - min(a) > 1e-3)
    one, other = welch(tuple(a), tuple(b)), welch(tuple(b), tuple(a))
    assert (one.difference, one.ci[0], one.p) == (-other.difference, -other.ci[1], other.p)


def test_a_group_of_datasets_that_share_a_unit_has_its_weight_squared() -> None:
    # units 1, 2, 3 vary by 1: half of the suite adds (1/2)^2 * 1 / 3
    term = unit_term((1, 2, 3), 0.5)
    assert term.variance == pytest.approx(1 / 12)
    assert term.df == 2


def test_degrees_of_freedom_of_four_equal_parts_add_up() -> None:
    assert t_test(1, [Term(0.25, 2)] * 4, 0.05).df == pytest.approx(8)


@pytest.mark.parametrize(("df", "t"), [(1, 12.7062047), (2, 4.3026527), (10, 2.2281389)])
def test_quantiles_are_those_of_the_printed_tables(df: float, t: float) -> None:
    assert t_quantile(0.05, df) == pytest.approx(t, abs=1e-7)
    assert two_sided_p(t, df) == pytest.approx(0.05, abs=1e-8)


def test_far_tails_do_not_round_to_zero() -> None:
    assert two_sided_p(40, 30) == pytest.approx(2 * stats.t.sf(40, 30), rel=1e-9)


def test_identical_values_on_both_sides_get_no_test() -> None:
    with pytest.raises(ComparisonError, match=r"all differences are identical \(sd = 0\)"):
        welch((50, 50, 50), (40, 40, 40))


def test_float_noise_is_no_spread() -> None:
    assert unit_term((0.3 - 0.2, 0.2 - 0.1, 0.8 - 0.7)).variance == 0


def test_one_arm_without_spread_leaves_the_other_to_decide() -> None:
    found = welch((50, 50, 50), (40, 41, 42))
    assert found.df == 2
    assert found.se == pytest.approx(math.sqrt(1 / 3))


def test_a_single_value_has_no_variance() -> None:
    with pytest.raises(ComparisonError, match="at least 2 independent values, got 1"):
        unit_term((50,))


def paired(a: Sequence[float], b: Sequence[float], alpha: float = 0.05) -> TTest:
    return one_sample([x - y for x, y in zip(a, b, strict=True)], alpha)


def one_sample(values: Sequence[float], alpha: float = 0.05) -> TTest:
    return t_test(math.fsum(values) / len(values), [unit_term(values)], alpha)


def test_sleep_gives_the_values_of_the_oracle_by_either_test() -> None:
    case = oracle("11_R_sleep_paired")
    g1, g2 = case["inputs"]["g1"], case["inputs"]["g2"]
    for found, name in ((paired(g1, g2), "paired"), (welch(tuple(g1), tuple(g2)), "welch")):
        expected = case["computed"][name]
        assert found.difference / found.se == pytest.approx(expected["t"], rel=1e-9)
        assert found.df == pytest.approx(expected["df"], rel=1e-9)
        assert found.p == pytest.approx(expected["p"], rel=1e-9)
        assert found.ci == pytest.approx(expected["ci95"], rel=1e-9)


def test_gains_over_datasets_give_the_paired_t_of_the_oracle() -> None:
    for expected in oracle("33_end_to_end_dataset_level")["computed"]["contrasts"].values():
        found = one_sample(expected["per_dataset"])
        assert found.difference == pytest.approx(expected["mean"], rel=1e-6)
        assert found.difference / found.se == pytest.approx(expected["t"], rel=1e-6)
        assert found.p == pytest.approx(expected["p_t"], rel=1e-6)
        assert found.ci == pytest.approx(expected["ci95"], rel=1e-6)


def test_equivalence_gives_statsmodels_values() -> None:
    case = oracle("14_tost")
    sleep, miou = case["inputs"]["sleep"], case["inputs"]["miou"]
    expected = case["computed"]
    pairs = paired(sleep["x"], sleep["y"])
    assert equivalence_p(pairs, 0.5) == pytest.approx(expected["sleep_paired"]["p"], rel=1e-8)
    unpaired = welch(tuple(sleep["x"]), tuple(sleep["y"]))
    assert equivalence_p(unpaired, 0.5) == pytest.approx(expected["sleep_welch"]["p"], rel=1e-8)
    scores = paired(miou["x"], miou["y"])
    assert equivalence_p(scores, 1) == pytest.approx(expected["miou_paired"]["p"], rel=1e-8)
    assert scores.interval(0.1) == pytest.approx(expected["miou_paired"]["ci90"], rel=1e-8)


@given(scores, scores, st.floats(0.1, 5), st.sampled_from((0.01, 0.05, 0.1)))
def test_equivalent_is_the_wider_interval_inside_the_margin(
    a: list[float], b: list[float], margin: float, alpha: float
) -> None:
    assume(max(a) - min(a) > 1e-3)
    found = welch(tuple(a), tuple(b))
    reach = max(map(abs, found.interval(2 * alpha)))
    assume(abs(reach - margin) > 1e-6)
    assert (equivalence_p(found, margin) < alpha) == (reach < margin)
