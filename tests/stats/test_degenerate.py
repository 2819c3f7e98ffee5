"""Input for which peers return infinities and NaN, or an answer they should not (case 31)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gpbench.core.errors import ComparisonError
from gpbench.stats.friedman import friedman
from gpbench.stats.satterthwaite import t_test, unit_term
from gpbench.stats.sign_flip import sign_flip_p
from gpbench.stats.signed_rank import hodges_lehmann, signed_rank
from tests.stats.oracles import oracle

RNG = np.random.default_rng(0)
NAN = float("nan")


def paired_t(differences: list[float]) -> object:
    return t_test(sum(differences) / len(differences), [unit_term(differences)], 0.05)


def welch(a: list[float], b: list[float]) -> object:
    return t_test(sum(a) / len(a) - sum(b) / len(b), [unit_term(a), unit_term(b)], 0.05)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "ttest_rel constant non-zero difference": (lambda: paired_t([2.0] * 5), "is the seed used"),
    "ttest_1samp of six exact 0.5": (lambda: paired_t([0.5] * 6), "is the seed used"),
    "ttest_rel identical arrays": (lambda: paired_t([0.0] * 5), "is the seed used"),
    "ttest_rel n=1": (lambda: paired_t([1.0]), "at least 2 independent values, got 1"),
    "ttest_ind one seed vs five (Welch)": (
        lambda: welch([50], [49, 50, 51, 48, 52]),
        "at least 2 independent values, got 1",
    ),
    "wilcoxon with NaN (propagate)": (lambda: signed_rank([1, 2, NAN]), "NaN"),
    "wilcoxon with NaN (omit)": (lambda: sign_flip_p([1, 2, NAN], RNG), "NaN"),
    "friedman all tied": (lambda: friedman([[1, 1, 1]] * 3, RNG), "tied on every dataset"),
    "friedman k=2": (lambda: friedman([[1, 2]] * 5, RNG), "at least 3 strategies"),
    "scikit-posthocs nemenyi one NaN cell": (
        lambda: friedman(np.array([[1, 2, 3], [1, 2, NAN]]), RNG),
        "NaN",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_peers_answer_with_nan_or_silently_is_refused_in_a_sentence(case: str) -> None:
    assert case in oracle("31_degenerate_inputs")["computed"]
    call, sentence = REFUSED[case]
    with pytest.raises(ComparisonError, match=sentence):
        call()


def test_differences_that_are_all_zero_are_no_evidence_and_no_error() -> None:
    computed = oracle("31_degenerate_inputs")["computed"]
    w, p = computed["wilcoxon all-zero, zsplit"]["result"]
    found = signed_rank([0.0] * 6)
    assert (found.w_plus, found.w_minus, found.p) == (w, w, p)
    assert sign_flip_p([0.0] * 6, RNG) == p
    assert hodges_lehmann([0.0] * 6) == 0
