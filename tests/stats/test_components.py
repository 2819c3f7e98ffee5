from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from gpbench.core.errors import ComparisonError
from gpbench.stats.components import Sd, spread

score = st.floats(0, 100).map(lambda x: round(x, 4))
nested = st.lists(st.lists(score, min_size=1, max_size=4), min_size=1, max_size=5)


def in_order(found: Sd) -> bool:
    return 0 <= found.lo <= found.sd <= found.hi


def test_spread_by_hand() -> None:
    # means 2, 4, 9 vary by 13; within: 2 each. 13 - 2 / 2 = 12
    found = spread([(1, 3), (3, 5), (8, 10)], 0.05)
    assert found.ft is not None
    assert found.pre is not None
    assert found.unit is not None
    assert found.ft.sd == pytest.approx(2**0.5)
    assert found.pre.sd == pytest.approx(12**0.5)
    assert found.unit.sd == pytest.approx(13**0.5)
    assert (found.ft.df, found.pre.df, found.unit.df) == (3, 2, 2)


def test_fine_tuning_has_the_chi_square_interval() -> None:
    found = spread([(1, 3), (3, 5), (8, 10)], 0.1).ft
    assert found is not None
    low, high = stats.chi2.ppf([0.95, 0.05], 3)
    assert (found.lo, found.hi) == pytest.approx(((6 / low) ** 0.5, (6 / high) ** 0.5))


def test_without_noise_of_fine_tuning_the_interval_of_pre_training_is_exact() -> None:
    found = spread([(2, 2), (4, 4), (9, 9)], 0.05)
    assert found.pre is not None
    assert found.unit is not None
    assert (found.pre.lo, found.pre.hi) == pytest.approx((found.unit.lo, found.unit.hi))
    low, high = stats.chi2.ppf([0.975, 0.025], 2)
    assert (found.unit.lo, found.unit.hi) == pytest.approx(((26 / low) ** 0.5, (26 / high) ** 0.5))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_ends_leave_0_where_the_f_test_finds_that_units_differ(alpha: float) -> None:
    def pre(ratio: float) -> Sd:
        """Return it from a mean square within of 1 with 4 degrees, and one between with 3."""
        distance = (ratio / 2 * 3 / 4) ** 0.5
        means = (-distance, -distance, distance, distance)
        found = spread([(m - 0.5**0.5, m + 0.5**0.5) for m in means], alpha).pre
        assert found is not None
        return found

    low, high = stats.f.ppf([alpha / 2, 1 - alpha / 2], 3, 4).tolist()
    assert pre(high * 0.9999).lo == 0
    assert pre(high * 1.0001).lo > 0
    assert pre(low * 0.9999).hi == 0
    assert pre(low * 1.0001).hi > 0


def test_less_spread_between_units_than_within_is_none_of_pre_training() -> None:
    found = spread([(1, 9), (9, 1.5)], 0.05).pre
    assert found is not None
    assert (found.sd, found.lo) == (0, 0)
    assert found.hi > 0


def test_unequal_numbers_of_fine_tunings_count_by_their_harmonic_mean() -> None:
    # means 2, 4, 9 vary by 13; within 2; (1/1 + 1/2 + 1/2) / 3 = 2/3
    found = spread([(2,), (3, 5), (8, 10)], 0.05).pre
    assert found is not None
    assert found.sd == pytest.approx((13 - 2 * 2 / 3) ** 0.5)


def test_what_the_units_cannot_tell_is_none() -> None:
    single = spread([(1, 2, 3)], 0.05)
    assert (single.pre, single.unit) == (None, None)
    assert single.ft is not None
    once = spread([(1,), (2,)], 0.05)
    assert (once.pre, once.ft) == (None, None)
    assert once.unit is not None
    nothing = spread([(1,)], 0.05)
    assert (nothing.pre, nothing.ft, nothing.unit) == (None, None, None)


def test_float_noise_is_no_spread() -> None:
    found = spread([(0.3 - 0.2, 0.2 - 0.1), (0.8 - 0.7, 0.1)], 0.05)
    zero = Sd(0, 0, 0, 1)
    assert (found.pre, found.unit) == (zero, zero)
    assert found.ft == Sd(0, 0, 0, 2)


@given(nested, st.sampled_from((0.05, 0.2)))
def test_intervals_contain_the_estimate_and_order_changes_nothing(
    units: list[list[float]], alpha: float
) -> None:
    found, turned = spread(units, alpha), spread([u[::-1] for u in units[::-1]], alpha)
    for one, other in zip(vars(found).values(), vars(turned).values(), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert in_order(one)
            assert list(vars(one).values()) == pytest.approx([*vars(other).values()], abs=1e-6)


@given(nested, st.floats(1, 50))
def test_a_shift_changes_nothing_and_a_factor_all(units: list[list[float]], factor: float) -> None:
    found = spread(units, 0.05).ft
    moved = spread([[factor * (x + 7) for x in unit] for unit in units], 0.05).ft
    assume(found is not None and found.sd > 1e-3)
    assert found is not None
    assert moved is not None
    assert moved.sd == pytest.approx(factor * found.sd, rel=1e-6)
    assert moved.hi == pytest.approx(factor * found.hi, rel=1e-6)


@pytest.mark.parametrize("units", [[(1, 2), ()], [(1, float("nan"))], [(float("inf"), 2), (1, 2)]])
def test_units_without_a_finite_score_are_refused(units: list[tuple[float, ...]]) -> None:
    with pytest.raises(ComparisonError, match="one finite score per unit"):
        spread(units, 0.05)
