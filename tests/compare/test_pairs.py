from __future__ import annotations

import pytest
from scipy import stats

from gpbench.compare.cell import Cell, Replicate
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request, Row
from gpbench.compare.pairs import correlation, paired_gains
from gpbench.compare.study import Run
from tests.compare.made import Scores, pretrained, study_of

TENTH = 0.1


def cell(values: list[list[float]], *, pretrains: bool = True) -> Cell:
    return Cell(
        "town",
        tuple(
            Replicate(p if pretrains else None, f, frozenset(), value, None)
            for p, fine_tunings in enumerate(values)
            for f, value in enumerate(fine_tunings)
        ),
    )


def runs(arm: str, scores: Scores, fraction: float) -> list[Run]:
    return pretrained(arm, "town", scores, fraction=fraction)


def row(candidate: Scores, baseline: Scores, fraction: float) -> Row:
    study = study_of(runs("imagenet", baseline, fraction) + runs("new", candidate, fraction))
    (contrast,) = compare(study, Request()).contrasts
    return contrast.rows[0]


def test_runs_on_part_of_the_labels_are_paired_by_pretraining() -> None:
    found = row([[50, 52], [53, 55], 57], [48, 49.5, 55], TENTH)
    expected = stats.ttest_rel([51, 54, 57], [48, 49.5, 55])
    assert (found.test, found.finding.df) == ("paired-t", 2)
    assert found.finding.p == pytest.approx(expected.pvalue)
    assert found.correlation == pytest.approx(
        stats.pearsonr([51, 54, 57], [48, 49.5, 55]).statistic
    )
    assert found.a12 is None


def test_runs_on_all_labels_are_not_paired() -> None:
    found = row([51, 54, 57], [48, 49.5, 55], 1.0)
    assert (found.test, found.correlation) == ("welch", None)


def test_single_pretrainings_are_paired_by_fine_tuning() -> None:
    found = row([[50, 52, 57]], [[48, 49, 51]], TENTH)
    expected = stats.ttest_rel([50, 52, 57], [48, 49, 51])
    assert found.finding.level == "checkpoint"
    assert found.finding.p == pytest.approx(expected.pvalue)


def test_runs_without_a_pretraining_are_cut_into_blocks() -> None:
    # replicate p * K + f: the first pre-training shares its subsets with runs 0 and 1
    trained, plain = cell([[1, 3], [5, 7]]), cell([[10, 20, 30, 50]], pretrains=False)
    assert paired_gains([trained], [plain], "strategy") == ((2, 15), (6, 40))
    assert paired_gains([plain], [trained], "strategy") == ((15, 2), (40, 6))


def test_what_has_no_partner_is_not_paired() -> None:
    odd = cell([[10, 20, 30]], pretrains=False)
    assert paired_gains([cell([[1], [2]])], [odd], "strategy") is None


def test_pairs_are_averaged_over_datasets_that_both_have() -> None:
    first, second = cell([[1], [2], [3]]), cell([[5], [6]])
    found = paired_gains([first, second], [first, first], "strategy")
    assert found == ((3, 1), (4, 2))


def test_a_side_that_does_not_vary_has_no_correlation() -> None:
    assert correlation(((1.0, 2.0), (2.0, 2.0))) is None
