from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gpbench.core.errors import ComparisonError
from gpbench.stats.fisher import fisher_exact

counts = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_the_lady_tasting_tea() -> None:
    # of the 70 ways to name 4 of 8 cups, 1 + 16 have 3 or more right, and as many 1 or fewer
    assert fisher_exact(3, 4, 1, 4) == pytest.approx(34 / 70, rel=1e-12)


def test_all_against_none() -> None:
    assert fisher_exact(5, 5, 0, 5) == pytest.approx(2 / 252, rel=1e-12)
    assert fisher_exact(3, 3, 0, 3) == pytest.approx(2 / 20, rel=1e-12)


def test_the_two_sided_p_of_r_is_not_twice_the_smaller_tail() -> None:
    # of the 2002 ways to choose 9 of 8 + 6, 3 to 8 of the 8 are in 56, 420, 840, 560, 120 and 6
    assert fisher_exact(7, 8, 2, 6) == pytest.approx((120 + 6 + 56) / 2002, rel=1e-12)


@given(counts, counts)
def test_it_is_what_scipy_gives(one: tuple[int, int], other: tuple[int, int]) -> None:
    (a, n), (b, m) = one, other
    expected = stats.fisher_exact([[a, n - a], [b, m - b]])[1]
    assert fisher_exact(a, n, b, m) == pytest.approx(expected, rel=1e-9)


@given(counts, counts)
def test_sides_and_outcomes_may_be_swapped(one: tuple[int, int], other: tuple[int, int]) -> None:
    (a, n), (b, m) = one, other
    p = fisher_exact(a, n, b, m)
    assert 0 < p <= 1
    assert fisher_exact(b, m, a, n) == pytest.approx(p, rel=1e-9)
    assert fisher_exact(n - a, n, m - b, m) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize(("a", "n", "b", "m"), [(0, 0, 1, 3), (1, 3, 0, 0), (4, 3, 0, 3)])
def test_counts_that_are_none_are_refused(a: int, n: int, b: int, m: int) -> None:
    with pytest.raises(ComparisonError, match=f"{a} of {n} against {b} of {m}"):
        fisher_exact(a, n, b, m)
