from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench.stats.sequential import Rule, boundaries, crossing, nominal_alphas
from tests.stats.oracles import oracle


@pytest.mark.parametrize(("rule", "name"), [("pocock",) * 2, ("obrien-fleming", "obrien_fleming")])
def test_constants_are_the_published_ones(rule: Rule, name: str) -> None:
    case = oracle("22_group_sequential_constants")
    for looks, expected in case["published"][name].items():
        constant = boundaries(int(looks), 0.05, rule)[-1]
        assert constant == pytest.approx(expected, abs=case["tolerance"]["published"])
        # the peer's value is integrated by random numbers
        assert constant == pytest.approx(case["computed"][name][looks], abs=2e-4)


def test_nominal_levels_of_three_looks() -> None:
    assert nominal_alphas(3, 0.05) == pytest.approx([0.0221] * 3, abs=1e-4)
    # their table 2.3: bounds of 3.471, 2.454 and 2.004
    expected = [0.0005, 0.0141, 0.0451]
    assert nominal_alphas(3, 0.05, "obrien-fleming") == pytest.approx(expected, abs=1e-4)


def test_a_single_look_is_an_ordinary_test() -> None:
    for rule in ("pocock", "obrien-fleming"):
        assert nominal_alphas(1, 0.05, rule) == pytest.approx([0.05])


def test_looking_again_at_the_usual_level_errs_more() -> None:
    # Armitage, McPherson & Rowe 1969, table 2: nominal .05, looks 2, 3, 5, 10
    for looks, rate in ((2, 0.083), (3, 0.107), (5, 0.142), (10, 0.193)):
        assert crossing([1.959964] * looks) == pytest.approx(rate, abs=6e-4)


def test_any_bounds_have_the_rate_that_simulation_gives() -> None:
    bounds = np.array([2.5, 1.5, 2.0, 1.8])
    sums = np.random.default_rng(3).normal(size=(200_000, 4)).cumsum(axis=1)
    rate = (np.abs(sums) / np.sqrt([1, 2, 3, 4]) > bounds).any(axis=1).mean()
    assert crossing(bounds.tolist()) == pytest.approx(rate, abs=0.004)


@given(st.integers(1, 12), st.floats(0.001, 0.3), st.sampled_from(("pocock", "obrien-fleming")))
def test_boundaries_err_with_alpha_in_all(looks: int, alpha: float, rule: Rule) -> None:
    assert crossing(boundaries(looks, alpha, rule)) == pytest.approx(alpha, abs=1e-7)
