from __future__ import annotations

import pytest
from scipy import stats

from gpbench.stats.proportion import Rate


def test_a_share_has_the_binomial_standard_error() -> None:
    assert Rate(20, 100).share == 0.2
    assert Rate(20, 100).se == pytest.approx(0.04)


def test_what_never_happened_has_the_error_of_what_happened_once() -> None:
    assert Rate(0, 100).se == Rate(1, 100).se > 0


@pytest.mark.parametrize(("count", "draws"), [(0, 50), (3, 50), (25, 50), (50, 50), (47, 1000)])
def test_the_interval_is_wilson_s(count: int, draws: int) -> None:
    theirs = stats.binomtest(count, draws).proportion_ci(0.95, method="wilson")
    assert Rate(count, draws).interval(0.05) == pytest.approx((theirs.low, theirs.high))


def test_the_interval_of_none_in_ten_by_hand() -> None:
    # z^2 / (n + z^2) with z = 1.96
    lo, hi = Rate(0, 10).interval(0.05)
    assert lo == 0
    assert Rate(10, 10).interval(0.05)[1] == pytest.approx(1)
    assert hi == pytest.approx(3.8415 / 13.8415, abs=1e-4)
