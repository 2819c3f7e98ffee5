"""The spread of stored scores, as a plan uses it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpbench.metrics import score
from gpbench.planning.pilot import Place, pilot, stored_pilots
from gpbench.store import Store
from tests.compare.stores import SCRATCH, SEEDS, counts, fill
from tests.store.plans import CLASSES, make_plan

PRETRAINED, ALONE = (Place("town", 1.0, pretrains) for pretrains in (True, False))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store.open(f"sqlite:///{tmp_path / 'db.sqlite'}")
    fill(opened, tmp_path)
    return opened


def test_arms_that_pretrain_are_pooled_apart_from_those_that_do_not(store: Store) -> None:
    sides = [[100 * score(counts(w)[0], CLASSES).miou for w in ws] for ws in ((0, 1, 2), (6, 7, 8))]
    found = stored_pilots(store, make_plan("another", seeds=range(5)))
    assert list(found) == [ALONE, PRETRAINED]
    for place, side in zip((PRETRAINED, ALONE), sides, strict=True):
        assert found[place].sd == pytest.approx(float(np.std(side, ddof=1)))
        assert found[place].df == 2
    upper = found[ALONE].sd * math.sqrt(2 / 0.4463)
    assert found[ALONE].upper == pytest.approx(upper, rel=1e-3)


def test_arms_of_a_kind_are_pooled_by_their_degrees_of_freedom(store: Store) -> None:
    plan = make_plan()
    renamed = tuple(
        replace(item, arm="other") if item.arm == SCRATCH and item.finetune_seed else item
        for item in make_plan(seeds=SEEDS).items
    )
    facts = (*plan.strategies, replace(plan.strategies[1], arm="other"))
    # runs 1 and 2 are those of another arm, in an experiment that was planned later
    store.record(replace(make_plan("later"), items=renamed, strategies=facts))
    runs = [100 * score(counts(wrong)[0], CLASSES).miou for wrong in (6, 7, 8)]
    found = stored_pilots(store, replace(plan, items=(*plan.items, *renamed)))[ALONE]
    variances = [float(np.var(part, ddof=1)) for part in (runs, runs[1:])]
    assert found.df == 3
    assert found.sd == pytest.approx(math.sqrt((2 * variances[0] + variances[1]) / 3))


def test_only_arms_datasets_and_backbones_of_the_plan_count(store: Store) -> None:
    plan = make_plan("another")
    only = replace(plan, items=tuple(item for item in plan.items if item.arm == "scratch"))
    assert list(stored_pilots(store, only)) == [ALONE]
    elsewhere = tuple(replace(i, dataset=i.dataset and "village") for i in plan.items)
    assert stored_pilots(store, replace(plan, items=elsewhere)) == {}
    experiment = replace(plan.experiment, backbones=("test_vit",))
    assert stored_pilots(store, replace(plan, experiment=experiment)) == {}


def test_the_experiment_planned_last_comes_first_and_empty_ones_do_not_count(
    store: Store,
) -> None:
    before = stored_pilots(store, make_plan("demo"))
    store.record(make_plan("later", seeds=(0, 1)))
    later = stored_pilots(store, make_plan("demo"))
    assert [pilots[PRETRAINED].df for pilots in (before, later)] == [2, 1]


def test_one_unit_of_each_arm_tells_nothing(tmp_path: Path) -> None:
    opened = Store.open(f"sqlite:///{tmp_path / 'db.sqlite'}")
    opened.record(make_plan())
    assert stored_pilots(opened, make_plan()) == {}


@pytest.mark.parametrize(
    ("finetunings", "variance"),
    [(2, 13), (1, 13 + 2 / 2), (4, 13 - 2 / 4)],
)
def test_pilot_is_of_as_many_finetunings_as_are_planned(finetunings: int, variance: float) -> None:
    # means 2, 4, 9 vary by 13, within by 2: of two fine-tunings each
    found = pilot([[1, 3], [3, 5], [8, 10]], finetunings)
    assert found is not None
    assert (found.sd, found.df) == pytest.approx((math.sqrt(variance), 2))


def test_units_fine_tuned_once_keep_their_sd_whatever_is_planned() -> None:
    assert pilot([[2], [4], [9]], 4) == pilot([[2], [4], [9]], 1)
    assert pilot([[2, 3]], 1) is None


def test_pilot_is_at_least_what_fine_tuning_alone_gives() -> None:
    # within 32, means alike: a single fine-tuning each
    found = pilot([[1, 9], [9, 1]], 1)
    assert found is not None
    assert found.sd == pytest.approx(math.sqrt(32))
