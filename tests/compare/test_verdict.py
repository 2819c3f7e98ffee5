from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench.compare.comparison import Finding, Request
from gpbench.compare.evidence import Evidence
from gpbench.compare.family import adjusted
from gpbench.compare.verdict import Judge
from gpbench.compare.words import Correction
from gpbench.stats.satterthwaite import Term, TTest, t_test


def measured(difference: float, se: float = 1.0) -> TTest:
    return t_test(difference, [Term(se**2, 20)], 0.05)


def evidence(difference: float, se: float = 1.0, *, decisive: bool = True) -> Evidence:
    return Evidence(difference, "strategy", "", decisive, measured(difference, se), "welch")


NOTHING = Evidence(3.0, "strategy", "new has 1 pre-training")


def judged(
    *family: Evidence, trial: bool = False, margin: float | None = None, alpha: float = 0.05
) -> list[Finding]:
    return Judge(Request(margin=margin, alpha=alpha), trial).findings(family)


@pytest.mark.parametrize(
    ("difference", "verdict"), [(5, "better"), (-5, "worse"), (1, "inconclusive")]
)
def test_the_sign_of_a_significant_difference_is_the_verdict(
    difference: float, verdict: str
) -> None:
    (found,) = judged(evidence(difference))
    assert found.verdict == verdict


def test_a_verdict_goes_by_the_adjusted_p() -> None:
    alone, (first, *_) = judged(evidence(2.3))[0], judged(evidence(2.3), evidence(0), evidence(0))
    assert (alone.verdict, first.verdict) == ("better", "inconclusive")
    assert first.p == alone.p
    assert first.p_adjusted == pytest.approx(3 * (first.p or 0))
    assert first.reason == (
        "p = 0.097 after Holm over 3 is not below 0.05, which is no evidence of equality"
    )


def test_a_member_without_a_test_counts_in_the_family() -> None:
    first, second = judged(evidence(2.3), NOTHING)
    assert first.p_adjusted == pytest.approx(2 * (first.p or 0))
    assert (second.verdict, second.difference) == ("undecidable", 3.0)
    assert (second.p, second.p_adjusted, second.ci, second.df) == (None, None, None, None)
    assert second.reason == "new has 1 pre-training"


def test_too_few_units_have_an_interval_and_no_verdict() -> None:
    (found,) = judged(evidence(5, decisive=False))
    assert found.verdict == "undecidable"
    assert found.ci is not None


def test_without_a_margin_nothing_is_equivalent() -> None:
    (found,) = judged(evidence(0, 0.01))
    assert (found.verdict, found.equivalence) == ("inconclusive", None)


def test_a_wider_interval_inside_the_margin_is_equivalent() -> None:
    (found,) = judged(evidence(0.1, 0.2), margin=1.0)
    assert found.verdict == "equivalent"
    assert found.reason == "the 90 % interval lies within the margin of 1 points"
    assert found.equivalence is not None
    assert max(map(abs, found.equivalence.ci)) < 1


def test_equivalence_is_corrected_for_the_family_too() -> None:
    # one-sided p of (1 - 0) / 0.55 with 20 df is .042: equivalent alone, not among two
    alone, (first, _) = (
        judged(evidence(0, 0.55), margin=1.0)[0],
        judged(evidence(0, 0.55), NOTHING, margin=1.0),
    )
    assert (alone.verdict, first.verdict) == ("equivalent", "inconclusive")


def test_a_real_difference_inside_the_margin_is_better_and_said_to_be_small() -> None:
    (found,) = judged(evidence(0.5, 0.1), margin=1.0)
    assert found.verdict == "better"
    assert found.reason.endswith("; yet by less than the margin of 1 points")


def test_a_difference_beyond_the_margin_is_said_to_be() -> None:
    (found,) = judged(evidence(-5, 0.5), margin=1.0)
    assert (found.verdict, found.reason.endswith("; by more than the margin of 1 points")) == (
        "worse", True,
    )  # fmt: skip


def test_a_trial_is_never_ranked() -> None:
    (found,) = judged(evidence(50), trial=True)
    assert found.verdict == "undecidable"
    assert "a trial run is never ranked" in found.reason


def test_a_checkpoint_verdict_says_what_it_is_about() -> None:
    checkpoint = Evidence(5, "checkpoint", "new has 1 pre-training", True, measured(5), "welch")  # noqa: FBT003  decisive
    (found,) = judged(checkpoint)
    assert found.verdict == "better"
    assert "another pre-training of the same strategy may differ" in found.reason


@pytest.mark.parametrize(
    ("correction", "expected"),
    [("none", (0.01, 0.04)), ("holm", (0.02, 0.04)), ("bh", (0.02, 0.04))],
)
def test_corrections_by_hand(correction: Correction, expected: tuple[float, ...]) -> None:
    assert tuple(adjusted((0.01, 0.04), correction)) == expected


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6), st.floats(0.01, 0.2))
def test_swapping_the_sides_swaps_better_and_worse(gains: list[float], alpha: float) -> None:
    swapped = {"better": "worse", "worse": "better"}
    one = judged(*map(evidence, gains), alpha=alpha)
    other = judged(*(evidence(-gain) for gain in gains), alpha=alpha)
    assert [f.verdict for f in other] == [swapped.get(f.verdict, f.verdict) for f in one]


def test_more_than_the_margin_holds_for_the_whole_family() -> None:
    alone, *_ = judged(evidence(2.0, 0.49), margin=0.9)
    first, *_ = judged(evidence(2.0, 0.4), *[NOTHING] * 19, margin=1.0, alpha=0.05)
    assert alone.reason.endswith("by more than the margin of 0.9 points")
    assert first.reason.endswith("below 0.05; not shown to be by more than the margin of 1 points")


def test_the_interval_of_the_family_is_wider() -> None:
    alone, (first, *_) = judged(evidence(2))[0], judged(evidence(2), evidence(1))
    assert alone.ci_family == pytest.approx(alone.ci)
    assert first.ci_family == pytest.approx(measured(2).interval(0.025))
