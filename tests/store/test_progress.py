from __future__ import annotations

import datetime as dt
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.core.errors import UnknownNameError
from gpbench.store import Owner, Store
from tests.store.plans import ended, finetune, make_plan, pretrain

ME = Owner.current()
GONE = replace(ME, started=ME.started - 1)
FIRST, SCRATCH, OTHER = pretrain(0).key, finetune(0, None).key, finetune(1, None).key


@pytest.fixture
def planned(store: Store) -> Store:
    store.record(make_plan())
    return store


def run(store: Store, key: str, owner: Owner = ME) -> None:
    """Claim a stage and begin it."""
    store.claim(key, owner)
    store.begin(key, owner)


def test_running_stage_is_shown_as_its_first_item(planned: Store) -> None:
    plan = make_plan()
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    run(planned, SCRATCH)
    (stage,) = planned.status("demo").running
    expected = next(item for item in plan.items if item.key == SCRATCH)
    assert stage.item == replace(expected, spec=None, identity=SCRATCH)
    assert before <= dt.datetime.fromisoformat(stage.since) <= dt.datetime.now(dt.UTC)


def test_stage_of_a_process_that_is_gone_waits(planned: Store) -> None:
    run(planned, FIRST)
    run(planned, SCRATCH, GONE)
    found = planned.status("demo")
    assert [stage.key for stage in found.running] == [FIRST]
    assert found.counts == {"pending": 7, "running": 1, "done": 0, "failed": 0, "blocked": 0}


def test_stage_that_waits_for_room_is_not_running(planned: Store) -> None:
    run(planned, FIRST)
    planned.claim(SCRATCH, ME)
    found = planned.status("demo")
    assert [stage.key for stage in found.running] == [FIRST]
    assert found.counts == {"pending": 7, "running": 1, "done": 0, "failed": 0, "blocked": 0}


def test_status_is_of_one_experiment_or_of_all(planned: Store, tmp_path: Path) -> None:
    planned.record(make_plan("small", seeds=(1,)))
    run(planned, FIRST)
    run(planned, OTHER)
    planned.commit(ended(SCRATCH, "oom", error="no memory"), tmp_path)
    small, demo, everything = (planned.status(name) for name in ("small", "demo", None))
    assert small.experiment == "small"
    assert [stage.key for stage in small.running] == [OTHER]
    assert small.failed == ()
    assert sum(small.counts.values()) == 4
    assert (everything.counts, everything.failed) == (demo.counts, demo.failed)
    assert [failed.error for failed in demo.failed] == ["no memory"]
    with pytest.raises(UnknownNameError, match="unknown experiment 'large'"):
        planned.status("large")


def test_stage_that_is_handed_back_has_no_start(planned: Store, tmp_path: Path) -> None:
    planned.claim(FIRST, ME)
    planned.release(FIRST)
    assert started(tmp_path, FIRST) is None
    planned.claim(FIRST, ME)
    planned.commit(ended(FIRST), tmp_path)
    assert started(tmp_path, FIRST) == "2026-01-01T00:00:00+00:00"


def started(folder: Path, key: str) -> object:
    connection = sqlite3.connect(folder / "gpbench.sqlite")
    try:
        question = "SELECT started_at FROM stage WHERE key = ?"
        return connection.execute(question, (key,)).fetchone()[0]
    finally:
        connection.close()


def test_durations_are_of_stages_that_are_done_the_latest_first(
    planned: Store, tmp_path: Path
) -> None:
    early = ended(FIRST, started_at="2026-01-01T00:00:00+00:00")
    late = ended(SCRATCH, started_at="2026-01-02T00:00:00+00:00")
    planned.commit(replace(early, duration_s=3.0), tmp_path)
    planned.commit(replace(late, duration_s=4.0), tmp_path)
    planned.commit(ended(OTHER, "timeout", error="hangs"), tmp_path)
    planned.claim(pretrain(1).key, ME)
    assert planned.durations() == [(finetune(0, None), 4.0), (pretrain(0), 3.0)]


def test_another_engine_s_durations_tell_nothing(planned: Store, tmp_path: Path) -> None:
    planned.commit(ended(FIRST), tmp_path)
    connection = sqlite3.connect(tmp_path / "gpbench.sqlite")
    with connection:
        connection.execute("UPDATE stage SET spec = json_set(spec, '$.engine_version', 0)")
    connection.close()
    assert planned.durations() == []


def test_failed_stages_are_items_in_the_order_of_the_plan(planned: Store, tmp_path: Path) -> None:
    order = [item.key for item in make_plan().items if item.key is not None]
    assert order != sorted(order)
    for key in reversed(order):
        planned.commit(ended(key, "oom", error="no memory"), tmp_path)
    failed = planned.status("demo").failed
    assert [stage.key for stage in failed] == order
    assert [stage.item.arm for stage in failed] == [item.arm for item in make_plan().items]
