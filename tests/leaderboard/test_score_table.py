"""By hand: h of 100 pixels of each of two classes are right, so F1 is h %, IoU h / (200 - h)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpbench_leaderboard.arms import arms
from gpbench_leaderboard.classes import class_tables
from gpbench_leaderboard.page import Cell
from gpbench_leaderboard.scores import Cells, by_cell, columns, score_rows
from tests.leaderboard.sites import BASELINE, SCRATCH, SHUFFLED, World, plan, results


def cells_of(world: World) -> Cells:
    return by_cell(results(world), plan(world).datasets)


def rows(world: World) -> dict[str, list[Cell | None]]:
    planned = plan(world)
    found = score_rows(planned.datasets, cells_of(world), arms(planned.strategies, BASELINE))
    return {row.arm.name: list(row.cells) for row in found}


def test_mean_and_deviation_are_over_pretrainings() -> None:
    town, sea = rows(World())[BASELINE]
    assert town is not None
    assert sea is not None
    assert sea.values == pytest.approx((80, 81, 82))
    assert sea.mean == pytest.approx(81)
    assert sea.sd == pytest.approx(1)
    assert sea.units == 3
    assert town.values == pytest.approx((8000 / 120, 8100 / 119, 8200 / 118))
    assert sea.unit == "pre-training"


def test_fine_tunings_of_one_pretraining_are_averaged_first() -> None:
    world = World(seeds=(0, 1))
    found = results(world)
    twice = [replace(result, pretrain_seed=0) for result in found if result.arm == BASELINE]
    cells = by_cell([*found, *twice], plan(world).datasets)
    planned = plan(world)
    row = next(
        row
        for row in score_rows(planned.datasets, cells, arms(planned.strategies, None))
        if row.arm.name == BASELINE
    )
    sea = row.cells[1]
    assert sea is not None
    assert sea.values == pytest.approx((80, 81, 80, 81))
    # pre-training 0: 80, 80 and 81; pre-training 1: 81
    assert sea.mean == pytest.approx((241 / 3 + 81) / 2)
    assert (sea.units, sea.finetunings) == (2, 4)


def test_without_a_pretraining_every_fine_tuning_is_a_unit() -> None:
    _, sea = rows(World())[SCRATCH]
    assert sea is not None
    assert (sea.units, sea.unit) == (3, "fine-tuning")


def test_single_run_has_no_deviation() -> None:
    _, sea = rows(World(seeds=(0,)))[BASELINE]
    assert sea is not None
    assert sea.mean == pytest.approx(80)
    assert sea.sd is None


def test_diverged_and_unfinished_runs_are_counted_and_not_averaged() -> None:
    world = World(
        diverged=frozenset({(SHUFFLED, "sea", 2)}), unfinished=frozenset({(SHUFFLED, "sea", 1)})
    )
    _, sea = rows(world)[SHUFFLED]
    assert sea is not None
    assert sea.values == pytest.approx((82,))
    assert sea.failures == ("1 diverged", "1 not run yet")


def test_arm_that_diverged_altogether_has_a_cell_that_says_so() -> None:
    world = World(diverged=frozenset((SHUFFLED, "sea", seed) for seed in range(3)))
    _, sea = rows(world)[SHUFFLED]
    assert sea is not None
    assert (sea.mean, sea.values, sea.failures) == (None, (), ("3 diverged",))


def test_columns_hold_each_dataset_s_own_metric_and_majority_score() -> None:
    town, sea = columns(plan(World()).datasets, cells_of(World()))
    assert (town.metric, sea.metric, sea.protocol) == ("mIoU", "mF1", "everyday/2")
    # always the first of two equally common classes: IoU 100/200 and 0, F1 200/300 and 0
    assert town.majority == pytest.approx(25)
    assert sea.majority == pytest.approx(100 / 3)
    assert sea.axis is not None
    assert sea.axis[0] < 60
    assert sea.axis[1] > 84


def test_classes_have_the_metric_s_own_measure_and_none_where_excluded() -> None:
    world = World()
    town, sea = class_tables(
        plan(world).datasets, cells_of(world), backbones=False, fractions=False
    )
    assert (town.metric, sea.metric) == ("IoU", "F1")
    assert sea.heads == (SCRATCH, BASELINE, SHUFFLED)
    (ground, values), _, (clutter, nothing) = sea.rows
    assert (ground, clutter) == ("ground", "clutter")
    assert values == pytest.approx((61, 81, 83))
    assert nothing == (None, None, None)


def test_heads_of_classes_name_what_there_are_several_of() -> None:
    world = World(fractions=(0.1, 1.0), seeds=(0,))
    cells = cells_of(world)
    table, _ = class_tables(plan(world).datasets, cells, backbones=True, fractions=True)
    assert table.heads[0] == "scratch · test_convnext3 · 10 %"
    assert len(table.heads) == 6


def test_dataset_without_a_finished_run_has_no_class_table() -> None:
    world = World(
        unfinished=frozenset(
            (arm, "sea", s) for arm in (SCRATCH, BASELINE, SHUFFLED) for s in range(3)
        )
    )
    cells = cells_of(world)
    tables = class_tables(plan(world).datasets, cells, backbones=False, fractions=False)
    assert [table.dataset for table in tables] == ["town"]
    sea = columns(plan(world).datasets, cells)[1]
    assert (sea.majority, sea.axis) == (None, None)


def test_grey_is_kept_for_the_arm_without_a_pretraining() -> None:
    shown = arms(plan(World()).strategies, BASELINE)
    assert {name: arm.colour for name, arm in shown.items()} == {
        SCRATCH: 0,
        BASELINE: 1,
        SHUFFLED: 2,
    }
    assert [arm.name for arm in shown.values() if arm.is_baseline] == [BASELINE]
