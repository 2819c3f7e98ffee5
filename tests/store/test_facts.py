from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.core.stage import HistoryRow
from gpbench.store import Store
from gpbench.store.facts import PretrainingFacts
from tests.store.plans import ended, finetune, make_plan, pretrain

FIRST = pretrain(0).key
SECOND = pretrain(0, 1, FIRST).key
SCRATCH, OTHER = finetune(0, None).key, finetune(1, None).key


def logged(store: Store, folder: Path, key: str, losses: dict[int, float]) -> None:
    """Store a stage with these losses by the step after which they were logged."""
    history = tuple(HistoryRow(step, loss, 0.1) for step, loss in losses.items())
    store.commit(replace(ended(key), history=history), folder)


def test_pretrainings_name_the_phase_that_they_follow(store: Store, tmp_path: Path) -> None:
    store.record(make_plan(seeds=(0,)))
    store.commit(ended(FIRST), tmp_path)
    assert store.pretrainings("demo") == {
        FIRST: PretrainingFacts(
            None, 12.5, {"device": "cpu", "torch": "2.15"}, "2026-01-01T00:00:00+00:00"
        ),
        SECOND: PretrainingFacts(FIRST, None, {}),
    }


def test_only_the_experiments_own_pretrainings_are_told(store: Store) -> None:
    store.record(make_plan(seeds=(0,)))
    store.record(make_plan("other", seeds=(1,)))
    assert set(store.pretrainings("other")).isdisjoint(store.pretrainings("demo"))
    assert len(store.pretrainings("other")) == 2


def test_late_losses_are_means_of_the_last_two_tenths(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    # of 40 steps a tenth is 4: those after 36 are the last, those after 32 the tenth before
    logged(store, tmp_path, SCRATCH, {30: 100, 32: 50, 34: 5, 36: 3, 38: 2, 40: 1})
    logged(store, tmp_path, OTHER, {18: 9, 20: 8})
    found = store.late_losses({40: [SCRATCH], 20: [OTHER]})
    assert found == {SCRATCH: (4, 1.5), OTHER: (9, 8)}


@pytest.mark.parametrize(("steps", "losses"), [(40, {40: 1.0}), (9, {8: 2.0, 9: 1.0}), (40, {})])
def test_what_has_no_two_tenths_is_left_out(
    store: Store, tmp_path: Path, steps: int, losses: dict[int, float]
) -> None:
    store.record(make_plan())
    logged(store, tmp_path, SCRATCH, losses)
    assert store.late_losses({steps: [SCRATCH]}) == {}
