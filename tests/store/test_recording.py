from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpbench.core.errors import StoreError, UnknownNameError
from gpbench.core.stage import HistoryRow
from gpbench.store import Owner, Store
from tests.store.plans import COUNTS, IMAGES, ended, finetune, make_plan, pretrain, write_counts

ME = Owner.current()
SCRATCH = finetune(0, None).key
TABLES = (
    "experiment item stage history artefact environment score confusion measure image".split()  # noqa: SIM905  reads better
)


@pytest.fixture
def scored(store: Store, tmp_path: Path) -> Store:
    """A store in which the first `scratch` fine-tuning is done."""
    store.record(make_plan())
    write_counts(tmp_path)
    store.claim(SCRATCH, ME)
    assert store.commit(ended(SCRATCH, scored=True), tmp_path)
    return store


@pytest.fixture
def rows(store: Store) -> Callable[[], dict[str, int]]:
    """Counts the rows of every table."""
    path = store._location.path
    assert path is not None

    def count() -> dict[str, int]:
        connection = sqlite3.connect(path)
        found = {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608  our own names
            for name in TABLES
        }
        connection.close()
        return found

    return count


def test_plan_is_recorded_with_distinct_stages(
    store: Store, rows: Callable[[], dict[str, int]]
) -> None:
    store.record(make_plan())
    found = rows()
    assert (found["experiment"], found["item"], found["stage"]) == (1, 8, 8)
    assert store.status().counts == {
        "pending": 8, "running": 0, "done": 0, "failed": 0, "blocked": 0,
    }  # fmt: skip


def test_experiment_comes_back_as_it_was_planned(store: Store) -> None:
    plan = make_plan()
    store.record(plan)
    found = store.experiment("demo")
    assert found.experiment == plan.experiment
    assert found.strategies == plan.strategies
    assert found.datasets == plan.datasets
    assert found.excluded == plan.excluded
    assert (found.trial, found.partial, found.images) == (False, (), plan.images)


def test_specs_come_back_under_their_keys(store: Store) -> None:
    plan = make_plan()
    store.record(plan)
    stages = {key: item.spec for key, item in plan.stages().items()}
    assert store.specs([*stages, "unknown"]) == stages


def test_later_plan_replaces_the_items_and_keeps_what_is_done(
    scored: Store, rows: Callable[[], dict[str, int]]
) -> None:
    created = scored.experiment("demo").created_at
    scored.record(replace(make_plan(seeds=(0,)), trial=True, partial=("town",)))
    found = scored.experiment("demo")
    assert (found.created_at, found.trial, found.partial) == (created, True, ("town",))
    assert rows()["item"] == 4
    assert rows()["stage"] == 8
    assert scored.states([SCRATCH]) == {SCRATCH: "done"}
    assert scored.status("demo").counts["pending"] == 3


def test_two_experiments_share_their_stages(
    scored: Store, rows: Callable[[], dict[str, int]]
) -> None:
    scored.record(make_plan("other", seeds=(0, 2)))
    assert rows()["stage"] == 12
    assert scored.status("other").counts["done"] == 1
    assert scored.experiments() == ["other", "demo"]
    scored.record(make_plan())
    assert scored.latest_experiment() == "demo"


def test_unknown_experiment_is_refused_with_the_nearest_name(scored: Store) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'demo'"):
        scored.results("dem")


def test_empty_store_has_no_latest_experiment(store: Store) -> None:
    assert store.latest_experiment() is None


def test_item_without_data_is_recorded_without_a_stage(store: Store) -> None:
    store.record(make_plan(prepared=False))
    assert store.status("demo").counts["pending"] == 4
    assert {result.key for result in store.results("demo")} == {None}


def test_outcome_is_kept_with_history_files_and_environment(scored: Store) -> None:
    assert scored.history(SCRATCH) == (HistoryRow(0, 1.5, 0.1), HistoryRow(9, 0.25, 0.05, 0.5))
    assert scored.artefacts(SCRATCH) == ended(SCRATCH).artefacts
    assert scored.environments([SCRATCH]) == {SCRATCH: {"device": "cpu", "torch": "2.15"}}


def test_same_outcome_twice_counts_once(
    scored: Store, tmp_path: Path, rows: Callable[[], dict[str, int]]
) -> None:
    before = rows()
    assert not scored.commit(ended(SCRATCH, scored=True), tmp_path)
    assert rows() == before


def test_repeated_stage_replaces_what_was_stored_of_it(
    scored: Store, tmp_path: Path, rows: Callable[[], dict[str, int]]
) -> None:
    before = rows()
    write_counts(tmp_path, COUNTS + 1)
    assert scored.claim(SCRATCH, ME, force=True) == "claimed"
    assert scored.commit(ended(SCRATCH, scored=True), tmp_path)
    assert rows() == before
    np.testing.assert_array_equal(scored.counts(SCRATCH)[1], COUNTS + 1)


def test_late_failure_of_a_run_that_was_taken_over_does_not_undo_a_result(
    scored: Store, tmp_path: Path
) -> None:
    assert not scored.commit(ended(SCRATCH, "preempted", error="stopped"), tmp_path)
    assert scored.states([SCRATCH]) == {SCRATCH: "done"}


def test_two_failures_with_the_same_words_are_two_failures(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    for _ in range(2):
        assert store.claim(SCRATCH, ME, retry_failed=True) == "claimed"
        assert store.commit(ended(SCRATCH, "preempted", error="killed"), tmp_path)
        assert store.states([SCRATCH]) == {SCRATCH: "failed"}


def test_failed_stage_is_listed_with_its_sentence_and_log(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    (tmp_path / "log.txt").write_text("Traceback ...")
    store.commit(ended(SCRATCH, "oom", error="8 GB did not suffice"), tmp_path)
    (failed,) = store.status("demo").failed
    assert (failed.key, failed.error) == (SCRATCH, "8 GB did not suffice")
    assert failed.log == str(tmp_path / "log.txt")
    assert store.status("demo").counts["failed"] == 1


def test_counts_of_another_number_of_classes_leave_nothing_behind(
    store: Store, tmp_path: Path, rows: Callable[[], dict[str, int]]
) -> None:
    store.record(make_plan())
    before = rows()
    write_counts(tmp_path, np.ones((3, 2, 2), np.int64))
    with pytest.raises(StoreError, match="count 2 classes, its dataset declares 3"):
        store.commit(ended(SCRATCH, scored=True), tmp_path)
    assert rows() == before
    assert store.states([SCRATCH]) == {SCRATCH: "pending"}


def test_pre_training_cannot_have_scores(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    write_counts(tmp_path)
    with pytest.raises(StoreError, match="is a pre-training"):
        store.commit(ended(pretrain(0).key, scored=True), tmp_path)


def test_number_that_is_not_finite_is_refused(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    bad = replace(ended(SCRATCH, "diverged"), history=(HistoryRow(0, float("nan"), 0.1),))
    with pytest.raises(StoreError, match="not finite"):
        store.commit(bad, tmp_path)
    assert store.states([SCRATCH]) == {SCRATCH: "pending"}


def test_image_whose_facts_changed_is_another_image(
    scored: Store, tmp_path: Path, rows: Callable[[], dict[str, int]]
) -> None:
    other = finetune(1, None).key
    moved = (replace(IMAGES[0], scene="south"), *IMAGES[1:])
    scored.commit(ended(other, scored=True, images=moved), tmp_path)
    assert rows()["image"] == 4
    assert scored.counts(SCRATCH)[0] == IMAGES
    assert scored.counts(other)[0] == moved


def test_more_images_than_a_statement_takes_come_back_in_order(
    store: Store, tmp_path: Path
) -> None:
    images = tuple(replace(IMAGES[0], name=f"{n}.png") for n in reversed(range(1203)))
    counts = np.arange(1203 * 9, dtype=np.int64).reshape(1203, 3, 3)
    store.record(make_plan())
    write_counts(tmp_path, counts, images)
    store.commit(ended(SCRATCH, scored=True, images=images), tmp_path)
    found, back = store.counts(SCRATCH)
    assert found == images
    np.testing.assert_array_equal(back, counts)
