"""How often gpbench errs where nothing is to be found; docs/statistics.md has the whole table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.error_rates import BEGIN, END, PAGE, rewritten
from benchmarks.made_experiments import (
    APART,
    GENERALISED,
    IMAGENET,
    Design,
    best,
    equivalence,
    family,
    made_study,
    nested,
    new_datasets,
    rates,
    spreads,
    weighed,
)
from benchmarks.made_scenes import SceneSet, new_images
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.compare.contrast import draft
from gpbench.stats.proportion import Rate

SUITE = (GENERALISED, IMAGENET)
DRAWS = 1_000
SURE = 4
"""Standard errors."""


def at_most(rate: Rate, nominal: float) -> bool:
    return rate.share <= nominal + SURE * math.sqrt(nominal * (1 - nominal) / rate.draws)


def far_above(rate: Rate, nominal: float) -> bool:
    return rate.share - SURE * rate.se > 2 * nominal


@pytest.mark.slow
@pytest.mark.parametrize(
    "design",
    [Design(3, 5, 1.0), Design(5, 3, 0.5), Design(3, 3, 1.0, SUITE), Design(3, 1, 0.0, SUITE)],
    ids=str,
)
def test_equal_strategies_are_called_different_at_most_as_often_as_promised(
    design: Design,
) -> None:
    assert at_most(rates(DRAWS, 1, nested(design))[0], 0.05)


@pytest.mark.slow
def test_pooled_fine_tunings_err_far_more_often() -> None:
    for design in (Design(3, 5, 1.0), Design(3, 3, 1.0, SUITE)):
        assert far_above(rates(DRAWS, 1, nested(design))[1], 0.05)


@pytest.mark.slow
def test_a_shared_pretraining_is_one_draw() -> None:
    assert far_above(rates(DRAWS, 1, nested(Design(3, 3, 1.0, SUITE)))[2], 0.05)


@pytest.mark.slow
def test_one_pretraining_speaks_for_itself_and_not_for_its_strategy() -> None:
    assert at_most(rates(DRAWS, 1, nested(Design(1, 5, 0.0)))[0], 0.05)
    assert far_above(rates(DRAWS, 1, nested(Design(1, 5, 1.0)))[0], 0.05)


@pytest.mark.slow
def test_gains_that_vary_between_datasets_need_the_scope_datasets() -> None:
    design = Design(3, 3, 0.5, (APART, APART), sd_gain=1.0)
    right, _, suite, pairs = rates(DRAWS, 1, new_datasets(design))
    assert at_most(right, 0.05)
    assert far_above(suite, 0.05)
    assert far_above(pairs, 0.05)


@pytest.mark.slow
def test_what_datasets_share_is_counted_in_claims_about_new_ones() -> None:
    for groups in (SUITE, (IMAGENET, IMAGENET)):
        right, alone, _, _ = rates(DRAWS, 1, new_datasets(Design(3, 3, 1.0, groups)))
        assert at_most(right, 0.05)
        assert far_above(alone, 0.05)


@pytest.mark.slow
def test_tiles_of_a_scene_are_no_independent_images() -> None:
    test_set = SceneSet(scenes=12, tiles=10, runs=3, sd_run=0.005, sd_arm=0.03)
    by_scene, by_tile, runs = new_images(test_set, 400, 1)
    assert at_most(by_scene, 0.05)
    assert far_above(by_tile, 0.05)
    assert far_above(runs, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("sd_pre", [0.0, 1.0])
def test_intervals_of_spreads_cover_them(sd_pre: float) -> None:
    covered = rates(DRAWS, 1, spreads(Design(5, 3, sd_pre)))
    assert all(at_most(Rate(rate.draws - rate.count, rate.draws), 0.05) for rate in covered)


@pytest.mark.slow
def test_a_family_errs_no_more_often_than_one_test() -> None:
    none, holm, max_t = rates(500, 1, family(Design(5, 3, 0.5), 3, ("none", "holm", "max-t")))
    assert at_most(holm, 0.05)
    assert at_most(max_t, 0.05)
    assert holm.count <= max_t.count < none.count


@pytest.mark.slow
def test_the_choice_of_the_best_baseline_is_corrected_for() -> None:
    worse, better, uncorrected, _ = rates(300, 1, best(Design(5, 1, 0.5), 3))
    assert at_most(Rate(worse.count + better.count, worse.draws), 0.05)
    assert uncorrected.count > worse.count


@pytest.mark.slow
def test_a_difference_of_just_the_margin_is_not_equivalent() -> None:
    (found,) = rates(DRAWS, 1, equivalence(Design(5, 1, 0.5), margin=3))
    assert at_most(found, 0.05)


def test_the_simulated_tests_are_those_that_a_comparison_reports() -> None:
    design = Design(3, 2, 0.5, (IMAGENET, IMAGENET))
    a, b = design.drawn(np.random.default_rng(3))
    evidence = weighed(a, b, design.groups)
    (contrast,) = compare(made_study({"new": a, "old": b}), Request(baselines=("old",))).contrasts
    assert evidence.test is not None
    assert contrast.finding.p == evidence.test.p
    assert contrast.finding.ci == evidence.test.ci


def test_the_simulated_choice_of_a_baseline_is_that_of_a_comparison() -> None:
    rng = np.random.default_rng(5)
    design, names = Design(3, 1, 0.5), ("old 0", "old 1", "old 2")
    made = made_study({arm: design.arm(design.groups[0], rng) for arm in ("new", *names)})
    (contrast,) = compare(made, Request(baselines=names)).contrasts
    means = {arm: draft(made, "new", arm, 1.0, Request()).baseline_mean for arm in names}
    assert contrast.baseline == max(names, key=lambda arm: means[arm])


def test_only_what_stands_between_the_markers_is_rewritten() -> None:
    assert rewritten(f"a\n{BEGIN}\nold\n{END}\nb\n", "new") == f"a\n{BEGIN}\nnew\n{END}\nb\n"


def test_the_page_has_a_place_for_the_rates() -> None:
    assert rewritten(PAGE.read_text(), "").count(BEGIN) == 1
