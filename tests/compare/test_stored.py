from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.compare.looks import looks
from gpbench.compare.stored import stored_study
from gpbench.compare.study import Run, Study
from gpbench.core.errors import InvalidValueError, UnknownNameError
from gpbench.store import Store
from tests.compare.stores import MADE_UP, SCRATCH, SEEDS, counts, fill, second
from tests.store.plans import ended, finetune, make_plan, pretrain, write_counts


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}") as opened:
        yield opened


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Store:
    fill(store, tmp_path)
    return store


def run_of(study: Study, arm: str, replicate: int) -> Run:
    runs = [run for run in study.runs if run.arm == arm]
    return runs[replicate]


def test_scores_are_percent_points_of_the_counts(filled: Store) -> None:
    study = stored_study(filled, "demo")
    # 6 of 10 pixels of class 0 called class 1: IoU 4/10, 10/16, 1
    expected = 100 * (4 / 10 + 10 / 16 + 1) / 3
    assert run_of(study, SCRATCH, 0).value == pytest.approx(expected)
    assert run_of(study, MADE_UP, 0).value == 100
    assert study.metric == "mIoU"
    assert study.datasets[0].protocol == "town/1"


def test_another_metric_is_derived_from_the_same_counts(filled: Store) -> None:
    study = stored_study(filled, "demo", "mF1")
    run = run_of(study, SCRATCH, 0)
    assert run.value == pytest.approx(100 * (8 / 14 + 20 / 26 + 1) / 3)
    assert run.headline == pytest.approx(100 * (4 / 10 + 10 / 16 + 1) / 3)


def test_pretrainings_and_facts_come_with_the_runs(filled: Store) -> None:
    study = stored_study(filled, "demo")
    made_up = [run for run in study.runs if run.arm == MADE_UP]
    assert [(r.pretrain_seed, r.pretrain_key) for r in made_up] == [
        (seed, second(seed)) for seed in SEEDS
    ]
    assert {r.pretrain_key for r in study.runs if r.arm == SCRATCH} == {None}
    assert study.assumed == {MADE_UP: ("depth",), SCRATCH: ()}
    assert [e.name for e in study.excluded] == ["other"]
    assert made_up[0].environment["torch"] == "2.15"


def test_a_stored_experiment_gives_a_verdict_about_strategies(filled: Store) -> None:
    found = compare(stored_study(filled, "demo"), Request(baselines=(SCRATCH,)))
    (contrast,) = found.contrasts
    assert (contrast.finding.verdict, contrast.finding.level) == ("better", "strategy")
    assert (contrast.pretrainings, contrast.finetunings) == ((3, 0), (3, 3))


def test_pretrainings_of_a_planned_series_are_no_break(store: Store, tmp_path: Path) -> None:
    store.record(make_plan(seeds=range(4)))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    spans = []
    for seed in (0, 1, 3, 2):
        chain = [pretrain(seed).key, second(seed)]
        tunings = [finetune(seed, second(seed)).key, finetune(seed, None).key]
        # the third fails late in its first phase: nothing of it is scored
        for key in chain[:1] if seed == 3 else chain + tunings:
            outcome = ended(key, "oom" if seed == 3 else "ok", scored=key in tunings)
            outcome = replace(outcome, started_at=now.isoformat(), duration_s=3600.0)
            if key in tunings:
                outcome = replace(outcome, images=outcome.images[:1])
                write_counts(tmp_path / key, counts(seed), outcome.images)
            store.commit(outcome, tmp_path / key)
            spans.append((now.timestamp(), now.timestamp() + 3600))
            now += timedelta(hours=1)
    study = stored_study(store, "demo")
    assert sorted(study.busy) == spans
    assert looks(study) == 1
    assert looks(replace(study, busy=())) == 2


def status_of(store: Store, arm: str) -> list[str]:
    return [run.status for run in stored_study(store, "demo").runs if run.arm == arm]


def test_what_did_not_run_is_missing(store: Store) -> None:
    store.record(make_plan(seeds=(0,)))
    assert status_of(store, MADE_UP) == ["missing"]


def test_what_a_diverged_pretraining_blocks_has_diverged(store: Store, tmp_path: Path) -> None:
    store.record(make_plan(seeds=(0,)))
    store.commit(ended(pretrain(0).key, "diverged", error="NaN"), tmp_path)
    store.block([second(0), finetune(0, second(0)).key], "its pre-training diverged")
    assert status_of(store, MADE_UP) == ["diverged"]
    assert status_of(store, SCRATCH) == ["missing"]


def test_a_fine_tuning_that_ran_out_of_memory_is_no_outcome(store: Store, tmp_path: Path) -> None:
    store.record(make_plan(seeds=(0,)))
    store.commit(ended(finetune(0, None).key, "oom", error="out of memory"), tmp_path)
    assert status_of(store, SCRATCH) == ["oom"]


def test_a_plan_without_prepared_data_is_all_missing(store: Store) -> None:
    store.record(make_plan(seeds=(0,), prepared=False))
    assert {run.status for run in stored_study(store, "demo").runs} == {"missing"}


def test_only_datasets_of_the_named_protocol_are_kept(filled: Store) -> None:
    assert len(stored_study(filled, "demo", protocol="town").datasets) == 1
    with pytest.raises(UnknownNameError, match="unknown protocol 'twon'"):
        stored_study(filled, "demo", protocol="twon")


def test_a_metric_that_counts_do_not_give_is_refused(filled: Store) -> None:
    with pytest.raises(InvalidValueError, match="one of mIoU, mF1"):
        stored_study(filled, "demo", "miou")


def test_a_trial_keeps_its_mark(store: Store) -> None:
    store.record(replace(make_plan(), trial=True, partial=("town",)))
    study = stored_study(store, "demo")
    assert (study.trial, study.partial) == (True, ("town",))


def test_runs_that_give_every_pixel_the_same_class_are_pointed_out(
    store: Store, tmp_path: Path
) -> None:
    store.record(make_plan(seeds=SEEDS))
    nothing = np.zeros((1, 3, 3), np.int64)
    nothing[..., 1] = 10
    for seed in SEEDS:
        _score(store, tmp_path, finetune(seed, second(seed)).key, counts(seed))
        _score(store, tmp_path, finetune(seed, None).key, counts(1) if seed else nothing)
    study = stored_study(store, "demo")
    assert [run.one_class for run in study.runs if run.arm == SCRATCH] == [True, False, False]
    asked = Request(baselines=(SCRATCH,))
    (told,) = [w for w in compare(study, asked).warnings if "same class" in w]
    assert told.startswith("1 of 3 fine-tunings of scratch give every pixel the same class (town)")


def _score(store: Store, folder: Path, key: str, table: NDArray[np.int64]) -> None:
    outcome = ended(key, scored=True)
    outcome = replace(outcome, images=outcome.images[:1])
    write_counts(folder / key, table, outcome.images)
    store.commit(outcome, folder / key)
