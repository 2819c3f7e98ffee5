from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gpbench.stats.correction import benjamini_hochberg, holm
from tests.stats.oracles import oracle

families = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_holm_by_hand() -> None:
    # sorted .01 .03 .04 by 3, 2, 1: .03 .06 .04, and no value below the one before
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_benjamini_hochberg_by_hand() -> None:
    # sorted .01 .03 .04 by 3/1, 3/2, 3/3: .03 .045 .04, and no value above the one after
    assert benjamini_hochberg([0.04, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])


def test_no_adjusted_p_exceeds_one() -> None:
    assert holm([0.9, 0.8]) == (1.0, 1.0)


def test_a_family_of_one_is_left_alone() -> None:
    assert holm([0.04]) == benjamini_hochberg([0.04]) == (0.04,)


def test_an_empty_family_is_empty() -> None:
    assert holm([]) == benjamini_hochberg([]) == ()


@given(families)
def test_benjamini_hochberg_agrees_with_scipy(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))


@given(families)
def test_holm_gives_the_smallest_p_bonferronis_value_and_lowers_none(p: list[float]) -> None:
    for raw, adjusted in zip(p, holm(p), strict=True):
        assert raw <= adjusted
    assert min(holm(p)) == pytest.approx(min(1.0, min(p) * len(p)))


@given(st.data(), families)
def test_the_order_of_a_family_changes_no_member(data: st.DataObject, p: list[float]) -> None:
    order = data.draw(st.permutations(range(len(p))))
    for adjust in (holm, benjamini_hochberg):
        assert adjust([p[i] for i in order]) == tuple(adjust(p)[i] for i in order)


def test_both_agree_with_the_published_case_of_1995() -> None:
    case = oracle("12_multiplicity_BH1995")
    p, expected = case["inputs"]["p"], case["computed"]
    assert holm(p) == pytest.approx(expected["holm"]["adjusted"], rel=1e-8)
    found = benjamini_hochberg(p)
    assert found == pytest.approx(expected["fdr_bh"]["adjusted"], rel=1e-8)
    assert sum(q < 0.05 for q in found) == case["published"]["bh_rejections"]
