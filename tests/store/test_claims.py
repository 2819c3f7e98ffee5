from __future__ import annotations

import math
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.core.errors import StoreError
from gpbench.store import LEASE_S, Owner, Store
from tests.store.plans import ended, finetune, make_plan, pretrain

ME = Owner.current()
GONE = replace(ME, started=ME.started - 1)
"""A process of this host that ended: its pid is now another's."""
ELSEWHERE = replace(ME, host="elsewhere")
FIRST = pretrain(0)
SECOND = pretrain(0, 1, FIRST.key)
CHILD = finetune(0, SECOND.key)
SCRATCH = finetune(0, None)
BEAT = {"activity": "train", "step": 7, "steps": 10, "loss": 0.5, "images_per_s": None}


@pytest.fixture
def planned(store: Store) -> Store:
    store.record(make_plan())
    return store


def silent_for(store: Store, key: str, seconds: float) -> None:
    """Set a stage's last sign of life back."""
    path = store._location.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE stage SET heartbeat_at = ? WHERE key = ?", (time.time() - seconds, key)
        )
    connection.close()


def said(store: Store) -> dict[str, object]:
    """Return what the running stages said last."""
    return {stage.key: stage.beat for stage in store.status().running}


def run(store: Store, key: str, owner: Owner = ME) -> None:
    """Claim a stage and begin it."""
    assert store.claim(key, owner) == "claimed"
    store.begin(key, owner)


def fail(store: Store, key: str, folder: Path) -> None:
    store.claim(key, ME)
    store.commit(ended(key, "oom", error="no memory"), folder)


def test_pending_stage_is_claimed_once(planned: Store) -> None:
    assert planned.claim(FIRST.key, ME) == "claimed"
    assert planned.claim(FIRST.key, ME) == "running"


def test_claimed_stage_waits_until_it_begins(planned: Store) -> None:
    planned.claim(FIRST.key, ME)
    planned.heartbeat({FIRST.key: None})  # it is kept meanwhile, and nobody else's
    assert planned.claim(FIRST.key, ME) == "running"
    assert planned.states([FIRST.key]) == {FIRST.key: "pending"}
    planned.begin(FIRST.key, ELSEWHERE)
    assert planned.states([FIRST.key]) == {FIRST.key: "pending"}
    planned.begin(FIRST.key)
    assert planned.states([FIRST.key]) == {FIRST.key: "running"}
    planned.release(FIRST.key)
    planned.claim(FIRST.key, ME)  # again handed out, and again not begun
    assert planned.states([FIRST.key]) == {FIRST.key: "pending"}


def test_done_stage_is_run_again_only_by_force(planned: Store, tmp_path: Path) -> None:
    planned.claim(FIRST.key, ME)
    planned.commit(ended(FIRST.key), tmp_path)
    assert planned.claim(FIRST.key, ME) == "done"
    assert planned.claim(FIRST.key, ME, retry_failed=True) == "done"
    assert planned.claim(FIRST.key, ME, force=True) == "claimed"


def test_failed_stage_is_left_until_a_retry_is_asked_for(planned: Store, tmp_path: Path) -> None:
    fail(planned, FIRST.key, tmp_path)
    assert planned.claim(FIRST.key, ME) == "failed"
    assert planned.claim(FIRST.key, ME, retry_failed=True) == "claimed"
    assert planned.status().failed == ()


def test_diverged_stage_is_run_again_only_by_force(planned: Store, tmp_path: Path) -> None:
    planned.claim(FIRST.key, ME)
    planned.commit(ended(FIRST.key, "diverged", error="NaN at step 7"), tmp_path)
    assert planned.claim(FIRST.key, ME, retry_failed=True) == "failed"
    assert planned.claim(FIRST.key, ME, force=True) == "claimed"


def test_child_waits_for_its_parent(planned: Store, tmp_path: Path) -> None:
    assert planned.claim(SECOND.key, ME, force=True) == "blocked"
    planned.claim(FIRST.key, ME)
    assert planned.claim(SECOND.key, ME) == "running"
    planned.commit(ended(FIRST.key), tmp_path)
    assert planned.claim(SECOND.key, ME) == "claimed"


def test_child_of_a_failed_parent_is_blocked(planned: Store, tmp_path: Path) -> None:
    fail(planned, FIRST.key, tmp_path)
    assert planned.claim(SECOND.key, ME) == "blocked"


def test_what_was_blocked_waits_again_when_its_ancestor_is_done(
    planned: Store, tmp_path: Path
) -> None:
    fail(planned, FIRST.key, tmp_path)
    below = [SECOND.key, CHILD.key]
    planned.block(below, "its parent failed")
    assert planned.states(below) == dict.fromkeys(below, "blocked")
    planned.claim(FIRST.key, ME, retry_failed=True)
    planned.commit(ended(FIRST.key), tmp_path)
    assert planned.states(below) == dict.fromkeys(below, "pending")


def test_only_stages_that_wait_are_blocked(planned: Store, tmp_path: Path) -> None:
    planned.claim(FIRST.key, ME)
    planned.commit(ended(FIRST.key), tmp_path)
    run(planned, SCRATCH.key)
    planned.block([FIRST.key, SCRATCH.key, CHILD.key], "because")
    found = planned.states([FIRST.key, SCRATCH.key, CHILD.key])
    assert found == {FIRST.key: "done", SCRATCH.key: "running", CHILD.key: "blocked"}


def test_stage_of_a_process_that_is_gone_is_taken_over_at_once(planned: Store) -> None:
    run(planned, FIRST.key, GONE)
    assert planned.states([FIRST.key]) == {FIRST.key: "pending"}
    assert planned.claim(FIRST.key, ME) == "claimed"
    assert planned.claim(FIRST.key, ME) == "running"


def test_stage_of_a_living_process_is_never_taken_over(planned: Store) -> None:
    planned.claim(FIRST.key, ME)
    silent_for(planned, FIRST.key, 100 * LEASE_S)
    assert planned.claim(FIRST.key, ELSEWHERE, force=True) == "running"


def test_stage_of_another_host_is_taken_over_when_its_lease_ends(planned: Store) -> None:
    planned.claim(FIRST.key, ELSEWHERE)
    silent_for(planned, FIRST.key, LEASE_S - 5)
    assert planned.claim(FIRST.key, ME) == "running"
    silent_for(planned, FIRST.key, LEASE_S + 1)
    assert planned.claim(FIRST.key, ME) == "claimed"


def test_heartbeat_renews_the_lease_of_ones_own_stages_only(planned: Store) -> None:
    run(planned, FIRST.key, ELSEWHERE)
    silent_for(planned, FIRST.key, LEASE_S + 1)
    planned.heartbeat({FIRST.key: BEAT})
    assert planned.states([FIRST.key]) == {FIRST.key: "pending"}
    assert said(planned) == {}
    planned.heartbeat({FIRST.key: None, SECOND.key: BEAT}, ELSEWHERE)
    assert planned.states([FIRST.key]) == {FIRST.key: "running"}
    assert said(planned) == {FIRST.key: None}


def test_what_a_stage_said_last_is_known_while_it_runs(planned: Store, tmp_path: Path) -> None:
    run(planned, FIRST.key)
    run(planned, SCRATCH.key)
    planned.heartbeat({})
    assert said(planned) == {FIRST.key: None, SCRATCH.key: None}
    planned.heartbeat({FIRST.key: BEAT, SCRATCH.key: None})
    planned.heartbeat({FIRST.key: {**BEAT, "step": 8}})
    assert said(planned) == {FIRST.key: {**BEAT, "step": 8}, SCRATCH.key: None}
    planned.release(FIRST.key)
    run(planned, FIRST.key)
    assert said(planned) == {FIRST.key: None, SCRATCH.key: None}
    planned.heartbeat({FIRST.key: BEAT})
    planned.commit(ended(FIRST.key), tmp_path)
    planned.claim(FIRST.key, ME, force=True)
    planned.begin(FIRST.key)
    assert said(planned)[FIRST.key] is None


def test_stage_that_is_taken_over_has_said_nothing_yet(planned: Store) -> None:
    run(planned, FIRST.key, GONE)
    planned.heartbeat({FIRST.key: BEAT}, GONE)
    run(planned, FIRST.key)
    assert said(planned) == {FIRST.key: None}


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_loss_that_is_no_number_is_null(planned: Store, loss: float) -> None:
    run(planned, FIRST.key)
    planned.heartbeat({FIRST.key: {**BEAT, "loss": loss}})
    assert said(planned) == {FIRST.key: {**BEAT, "loss": None}}


def test_interrupted_stage_is_handed_back(planned: Store) -> None:
    planned.claim(FIRST.key, ME)
    planned.release(FIRST.key, ELSEWHERE)
    assert planned.claim(FIRST.key, ME) == "running"
    planned.release(FIRST.key)
    assert planned.claim(FIRST.key, ME) == "claimed"


def test_stage_of_no_recorded_plan_cannot_be_claimed(planned: Store) -> None:
    with pytest.raises(StoreError, match=r"stage nope is in no recorded plan"):
        planned.claim("nope", ME)
