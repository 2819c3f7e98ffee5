from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gpbench.stats.posterior import posterior
from gpbench.stats.satterthwaite import TTest, equivalence_p, t_test, two_sided_p, unit_term
from tests.stats.oracles import oracle

tests = st.builds(
    lambda difference, se, df: TTest(
        difference, se, df, two_sided_p(difference / se, df), (difference, difference)
    ),
    st.floats(-20, 20),
    st.floats(0.01, 10),
    st.floats(1, 50),
)
margins = st.floats(0, 5)


def test_cauchy_quartiles_by_hand() -> None:
    # one degree, se 1, difference 0: a Cauchy lies beyond +-1 with probability 1/4 on each side
    found = posterior(TTest(0, 1, 1, 1, (0, 0)), 1)
    assert (found.worse, found.within, found.better) == pytest.approx((1 / 4, 1 / 2, 1 / 4))


def test_both_tails_are_the_one_sided_tests_of_the_oracle() -> None:
    # P(difference < -0.5) and P(difference > 0.5) are the p of the two one-sided tests of TOST
    case = oracle("14_tost")
    x, y = case["inputs"]["sleep"]["x"], case["inputs"]["sleep"]["y"]
    welch = t_test(sum(x) / 10 - sum(y) / 10, [unit_term(x), unit_term(y)], 0.05)
    pairs = [a - b for a, b in zip(x, y, strict=True)]
    paired = t_test(sum(pairs) / 10, [unit_term(pairs)], 0.05)
    for test, name in ((welch, "sleep_welch"), (paired, "sleep_paired")):
        found, expected = posterior(test, 0.5), case["computed"][name]
        assert found.worse == pytest.approx(expected["lower"]["p"], rel=1e-8)
        assert found.better == pytest.approx(expected["upper"]["p"], rel=1e-8)


def test_a_far_tail_does_not_round_to_zero() -> None:
    found = posterior(TTest(20, 0.5, 30, 0, (0, 0)), 0)
    assert found.worse == pytest.approx(float(stats.t.sf(40, 30)), rel=1e-6)


@given(tests, margins)
def test_the_three_add_up_and_swapping_the_sides_swaps_worse_and_better(
    test: TTest, margin: float
) -> None:
    found = posterior(test, margin)
    assert found.worse + found.within + found.better == pytest.approx(1)
    assert min(found.worse, found.within, found.better) >= 0
    mirrored = TTest(-test.difference, test.se, test.df, test.p, test.ci)
    swapped = posterior(mirrored, margin)
    assert (swapped.worse, swapped.better) == (found.better, found.worse)


@given(tests)
def test_without_a_margin_the_smaller_side_is_half_the_p(test: TTest) -> None:
    found = posterior(test, 0)
    assert min(found.worse, found.better) == pytest.approx(test.p / 2, rel=1e-6)


@given(tests, margins)
def test_a_wider_margin_never_holds_less(test: TTest, margin: float) -> None:
    assert posterior(test, margin + 1).within >= posterior(test, margin).within


@given(tests, st.floats(0.1, 5))
def test_equivalent_by_the_test_is_probably_within(test: TTest, margin: float) -> None:
    found = posterior(test, margin)
    p = equivalence_p(test, margin)
    assert max(found.worse, found.better) == pytest.approx(p, abs=1e-9)
    assert found.within >= 1 - 2 * p - 1e-9
