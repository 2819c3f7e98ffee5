from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.compare.fairness import unfairness, warnings
from gpbench.compare.stored import stored_study, study_of
from gpbench.compare.stored_training import LOSSES
from gpbench.compare.training import Training
from gpbench.core.stage import HistoryRow
from gpbench.store import Store
from tests.compare.stores import MADE_UP, SCRATCH, SEEDS, counts, fill, second
from tests.store.plans import IMAGES, ended, finetune, make_plan, pretrain, write_counts

NO_WORKERS = {"device": "cpu", "cpu": "EPYC"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}") as opened:
        yield opened


def pretrained(store: Store, folder: Path, **environment: str) -> None:
    """Store all pre-trainings of the plan as done."""
    for seed in SEEDS:
        for key in (pretrain(seed).key, second(seed)):
            store.commit(replace(ended(key), environment={**NO_WORKERS, **environment}), folder)


def from_scratch(store: Store, folder: Path, seeds: Sequence[int]) -> None:
    """Store fine-tunings whose loss fell from 1 to 0.5 and a bit over the last of their steps."""
    store.record(make_plan(seeds=seeds))
    for seed in seeds:
        outcome = ended(finetune(seed, None).key, scored=True)
        late = 0.5 + seed / 100
        history = (HistoryRow(8, 9.0, 0.1), HistoryRow(9, 1.0, 0.1), HistoryRow(10, late, 0.1))
        outcome = replace(outcome, images=outcome.images[:1], history=history)
        write_counts(folder / outcome.key, counts(0), outcome.images)
        store.commit(outcome, folder / outcome.key)


def trainings(store: Store) -> dict[str, Training]:
    return {training.arm: training for training in stored_study(store, "demo").trainings.cells}


def test_each_arm_tells_its_settings_and_all_phases_that_it_follows(
    store: Store, tmp_path: Path
) -> None:
    fill(store, tmp_path)
    found = trainings(store)
    assert found[MADE_UP].settings["pre-training images seen"] == str(2 * 10 * 4)
    assert found[SCRATCH].settings["pre-training images seen"] == "0"
    assert found[MADE_UP].pretrainings == {
        key for seed in SEEDS for key in (pretrain(seed).key, second(seed))
    }
    assert found[SCRATCH].pretrainings == frozenset()
    assert found[SCRATCH].seconds == {"cpu": 3 * 12.5}


def test_seconds_count_every_process_that_shared_a_pretraining(
    store: Store, tmp_path: Path
) -> None:
    fill(store, tmp_path)
    pretrained(store, tmp_path, device="H200", pretrain_workers="4")
    study = stored_study(store, "demo")
    differ = {entry.field: entry.values for entry in unfairness(study, MADE_UP, SCRATCH)}
    assert differ["pre-training GPU-seconds of all runs"] == ("300", "0")  # 6 stages x 4 x 12.5 s
    assert differ["initial weights"] == ("pre-trained", "random")
    assert differ["pre-training steps"] == ("20", "0")
    assert "fine-tuning CPU-seconds of all runs" not in differ


def test_phases_are_told_while_a_pretraining_is_run_anew(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path)  # the fine-tunings only: no pre-training is done
    study = stored_study(store, "demo")
    assert study.trainings.pretrainings == {}
    assert trainings(store)[MADE_UP].settings["pre-training steps"] == "20"


def test_what_is_not_done_tells_nothing(store: Store) -> None:
    store.record(make_plan())
    assert stored_study(store, "demo").trainings.cells == ()


def test_phases_stand_in_the_order_in_which_they_ran(store: Store, tmp_path: Path) -> None:
    late = pretrain(0, 1, pretrain(0).key)
    late = replace(late, recipe=replace(late.recipe, jitter=0.4))
    tuned = finetune(0, late.key)
    plan = make_plan(seeds=(0,))
    first, then, last, *_ = plan.items
    store.record(replace(plan, items=(first, replace(then, spec=late), replace(last, spec=tuned))))
    outcome = replace(ended(tuned.key, scored=True), images=IMAGES[:1])
    write_counts(tmp_path, counts(0), outcome.images)
    store.commit(outcome, tmp_path)
    assert trainings(store)[MADE_UP].settings["pre-training jitter"] == "0, then 0.4"


def test_datasets_that_the_study_leaves_out_tell_nothing(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path)
    known = stored_study(store, "demo").trainings
    elsewhere = tuple(replace(training, dataset="field") for training in known.cells)
    both = replace(known, cells=known.cells + elsewhere)
    study = study_of(store.experiment("demo"), [], trainings=both)
    assert study.trainings == known


def test_losses_of_the_last_steps_come_from_the_history(store: Store, tmp_path: Path) -> None:
    from_scratch(store, tmp_path, SEEDS)
    assert sorted(trainings(store)[SCRATCH].losses) == [(1, 0.5), (1, 0.51), (1, 0.52)]
    told = [w for w in warnings(stored_study(store, "demo"), SCRATCH, ()) if "improving" in w]
    assert len(told) == 1
    assert "its training loss fell by 49 % on town" in told[0]


def test_losses_of_the_first_fine_tunings_suffice(store: Store, tmp_path: Path) -> None:
    from_scratch(store, tmp_path, range(LOSSES + 1))
    assert trainings(store)[SCRATCH].losses == tuple((1, 0.5 + n / 100) for n in range(LOSSES))
