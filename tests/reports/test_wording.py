from __future__ import annotations

import pytest

from gpbench.compare.comparison import Finding
from gpbench.compare.words import Level, Verdict
from gpbench.reports.wording import points, probability, span, verdict_words, versus


@pytest.mark.parametrize(
    ("verdict", "level", "words"),
    [
        ("better", "strategy", "better"),
        ("worse", "checkpoint", "worse (checkpoint)"),
        ("equivalent", "strategy", "equivalent within 1.5"),
        ("equivalent", "checkpoint", "equivalent within 1.5 (checkpoint)"),
        ("inconclusive", "strategy", "inconclusive"),
        ("undecidable", "checkpoint", "cannot be decided"),
    ],
)
def test_verdicts_have_fixed_words(verdict: Verdict, level: Level, words: str) -> None:
    assert verdict_words(Finding(verdict, level, ""), 1.5) == words


def test_differences_carry_their_sign() -> None:
    assert (points(1.234), points(-0.5), points(None)) == ("+1.23", "-0.50", "-")
    assert (span((-0.4, 2.861)), span(None)) == ("[-0.40, +2.86]", "-")


def test_a_small_p_is_not_shown_as_zero() -> None:
    assert (probability(0.0004), probability(0.0389), probability(1.0)) == ("< 0.001", "0.039", "1")


def test_no_pretraining_is_none_and_not_zero() -> None:
    assert versus((0, 3)) == "none v 3"
