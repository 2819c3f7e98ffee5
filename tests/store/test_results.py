from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpbench.core.errors import StoreError
from gpbench.store import Owner, Store
from tests.store.plans import COUNTS, ended, finetune, make_plan, pretrain, write_counts

ME = Owner.current()
FIRST = pretrain(0).key
SECOND = pretrain(0, 1, FIRST).key
CHILD = finetune(0, SECOND).key
SCRATCH = finetune(0, None).key


def test_every_fine_tuning_of_the_plan_has_a_result(store: Store) -> None:
    store.record(make_plan())
    found = store.results("demo")
    assert [(r.arm, r.pretrain_seed, r.finetune_seed) for r in found] == [
        ("made-up[depth=2]", 0, 0),
        ("scratch", None, 0),
        ("made-up[depth=2]", 1, 0),
        ("scratch", None, 1),
    ]
    assert {(r.state, r.status, r.total is None) for r in found} == {("pending", None, True)}
    assert {(r.backbone, r.dataset, r.label_fraction) for r in found} == {
        ("test_convnext3", "town", 1.0)
    }


def test_total_is_the_sum_over_images(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    write_counts(tmp_path)
    store.commit(ended(SCRATCH, scored=True), tmp_path)
    result = next(r for r in store.results("demo") if r.key == SCRATCH)
    # images hold 0..8, 9..17, 18..26, so the first class is right on 0 + 9 + 18 pixels
    np.testing.assert_array_equal(result.total, [[27, 30, 33], [36, 39, 42], [45, 48, 51]])
    assert (result.state, result.status, result.duration_s) == ("done", "ok", 12.5)
    assert result.environment == {"device": "cpu", "torch": "2.15"}


def test_result_names_the_last_phase_that_it_started_from(store: Store) -> None:
    store.record(make_plan())
    by_key = {r.key: r for r in store.results("demo")}
    assert by_key[CHILD].pretrain_key == SECOND
    assert by_key[SCRATCH].pretrain_key is None


def test_what_a_diverged_phase_blocks_tells_so(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    store.commit(ended(FIRST, "diverged", error="NaN"), tmp_path)
    store.block([SECOND, CHILD], "its parent failed")
    result = next(r for r in store.results("demo") if r.key == CHILD)
    assert (result.state, result.status) == ("blocked", "diverged")


def test_stage_that_runs_again_shows_no_old_total(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    write_counts(tmp_path)
    store.commit(ended(SCRATCH, scored=True), tmp_path)
    store.claim(SCRATCH, ME, force=True)
    result = next(r for r in store.results("demo") if r.key == SCRATCH)
    assert (result.state, result.total) == ("running", None)


def test_other_variants_are_kept_apart(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    write_counts(tmp_path, COUNTS)
    store.commit(ended(SCRATCH, scored=True), tmp_path)
    result = next(r for r in store.results("demo", "flipped") if r.key == SCRATCH)
    assert (result.state, result.total) == ("done", None)
    with pytest.raises(StoreError, match="no scores of the variant 'flipped'"):
        store.counts(SCRATCH, "flipped")
