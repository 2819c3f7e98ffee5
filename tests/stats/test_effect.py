from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gpbench.stats.effect import a12

scores = st.lists(st.integers(0, 20).map(float), min_size=1, max_size=8)


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
