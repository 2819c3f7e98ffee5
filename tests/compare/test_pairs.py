from __future__ import annotations

from dataclasses import replace

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
    assert (found.finding.test, found.finding.df) == ("paired-t", 2)
    assert found.finding.p == pytest.approx(expected.pvalue)
    assert found.correlation == pytest.approx(
        stats.pearsonr([51, 54, 57], [48, 49.5, 55]).statistic
    )
    assert found.a12 == 7 / 9
    effects = dict(found.effects)
    assert effects["d_z"] == pytest.approx(9.5 / 3 / stats.tstd([3, 4.5, 2]))


def test_runs_on_all_labels_are_not_paired() -> None:
    found = row([51, 54, 57], [48, 49.5, 55], 1.0)
    assert (found.finding.test, found.correlation) == ("welch", None)


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


def test_pairs_are_averaged_over_datasets() -> None:
    first, second = cell([[1], [2]]), cell([[5], [6]])
    assert paired_gains([first, second], [first, first], "strategy") == ((3, 1), (4, 2))


def test_no_unit_is_left_out_for_the_sake_of_a_pair() -> None:
    assert paired_gains([cell([[1], [2], [3]])], [cell([[5], [6]])], "strategy") is None
    odd, even = cell([[1], [2], [3]]), cell([[5], [6]])
    assert paired_gains([odd, even], [odd, even], "strategy") is None


def test_other_replicates_are_not_paired_and_that_is_said() -> None:
    shifted = [
        replace(run, pretrain_seed=(run.pretrain_seed or 0) + 2)
        for run in runs("new", [60, 61, 62, 63], TENTH)
    ]
    study = study_of(runs("imagenet", [50, 51, 52, 55], TENTH) + shifted)
    found = compare(study, Request())
    (contrast,) = found.contrasts
    assert contrast.rows[0].finding.test == "welch"
    assert contrast.finding.difference == pytest.approx(61.5 - 52)
    assert any("not paired, although" in warning for warning in found.warnings)


def test_the_gain_is_that_of_the_pairs() -> None:
    found = row([51, 54, 57], [48, 49.5, 55], TENTH)
    assert found.finding.difference == pytest.approx(found.candidate_mean - found.baseline_mean)


def test_two_pairs_are_too_few_for_a_verdict() -> None:
    found = row([60, 61], [50, 52], TENTH).finding
    assert found.verdict == "undecidable"
    assert found.reason == "2 pairs: enough for an interval, a verdict needs 3"


def test_blocks_begin_with_the_first_run() -> None:
    plain = Cell("town", tuple(Replicate(None, f, frozenset(), 1.0, None) for f in range(1, 5)))
    assert paired_gains([cell([[1, 3], [5, 7]])], [plain], "strategy") is None


def test_a_side_that_does_not_vary_has_no_correlation() -> None:
    assert correlation(((1.0, 2.0), (2.0, 2.0))) is None
