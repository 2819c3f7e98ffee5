from __future__ import annotations

import pytest

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.stored import study_of
from gpbench_leaderboard.arms import arms
from gpbench_leaderboard.page import Contrast, Verdicts
from gpbench_leaderboard.verdicts import verdicts
from tests.leaderboard.sites import BASELINE, SCRATCH, SHUFFLED, World, plan, results, stored


def compared(world: World) -> Comparison:
    return compare(study_of(stored(world), results(world)), Request())


def table(comparison: Comparison, world: World) -> Verdicts:
    return verdicts(comparison, arms(plan(world).strategies, BASELINE))


def of(found: Verdicts, arm: str) -> Contrast:
    return next(contrast for contrast in found.contrasts if contrast.candidate.name == arm)


def test_table_says_what_the_comparison_says() -> None:
    comparison = compared(World())
    found = table(comparison, World())
    assert (found.baseline, found.metric, found.confidence) == (BASELINE, "mIoU", 95)
    for contrast, shown in zip(comparison.contrasts, found.contrasts, strict=True):
        findings = [contrast.finding, *(row.finding for row in contrast.rows)]
        for finding, row in zip(findings, (shown.headline, *shown.datasets), strict=True):
            assert (row.difference, row.ci) == (finding.difference, finding.ci)
            assert (row.p_adjusted, row.verdict) == (finding.p_adjusted, finding.verdict)
            assert row.level == finding.level


def test_scratch_is_worse_by_the_difference_of_the_means() -> None:
    scratch = of(table(compared(World()), World()), SCRATCH)
    baseline = (8000 / 120 + 8100 / 119 + 8200 / 118) / 3
    alone = (6000 / 140 + 6100 / 139 + 6200 / 138) / 3
    town, sea = scratch.datasets
    assert scratch.headline.verdict == "worse"
    assert town.candidate == pytest.approx(alone)
    assert town.baseline == pytest.approx(baseline)
    assert scratch.headline.difference == pytest.approx(alone - baseline)
    assert scratch.headline.label == "mean of 2 datasets"
    assert sea.own == "mF1 61.00 v 81.00"
    assert town.own == ""


def test_units_are_pretrainings_and_for_scratch_fine_tunings() -> None:
    world = World(unfinished=frozenset({(SHUFFLED, "sea", 2)}))
    found = table(compared(world), world)
    assert [row.units for row in of(found, SHUFFLED).datasets] == [(3, 3), (2, 3)]
    assert of(found, SHUFFLED).headline.units == (2, 3)
    assert of(found, SCRATCH).headline.units == (3, 3)


def test_single_dataset_is_the_headline_itself() -> None:
    world = World(datasets={"town": "mIoU"})
    shuffled = of(table(compared(world), world), SHUFFLED)
    assert shuffled.headline.label == "town"
    assert shuffled.datasets == ()


def test_label_fractions_are_told_apart() -> None:
    world = World(fractions=(0.1, 1.0))
    labels = {c.headline.label for c in table(compared(world), world).contrasts}
    assert labels == {
        "mean of 2 datasets · 10 % of the labels",
        "mean of 2 datasets · 100 % of the labels",
    }


def test_trial_has_no_verdict_and_says_why() -> None:
    world = World(trial=True)
    found = table(compared(world), world)
    assert found.contrasts == ()
    assert "never ranked" in found.note


def test_one_pretraining_gives_a_row_without_an_interval() -> None:
    world = World(seeds=(0,))
    shuffled = of(table(compared(world), world), SHUFFLED)
    assert shuffled.headline.verdict == "undecidable"
    assert shuffled.headline.ci is None
    assert shuffled.headline.forest is not None
    assert shuffled.headline.forest.ci_x is None
    assert "1 pre-training" in shuffled.reason


def test_nothing_in_common_gives_a_row_without_a_mark() -> None:
    world = World(
        unfinished=frozenset((SHUFFLED, name, s) for name in ("town", "sea") for s in range(3))
    )
    headline = of(table(compared(world), world), SHUFFLED).headline
    assert (headline.difference, headline.forest, headline.units) == (None, None, None)
    assert headline.label == "no common dataset"


def test_reason_in_place_of_a_comparison_is_shown() -> None:
    assert verdicts("No comparison: no baseline.", {}).note == "No comparison: no baseline."
