from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpbench.compare.stored import scene_counts, stored_study
from gpbench.store import Store
from tests.compare.stores import SCRATCH, counts, fill
from tests.store.plans import DATASET, finetune

KEY = finetune(1, None).key


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}") as store:
        fill(store, tmp_path)
        yield store


def test_runs_name_the_stages_whose_counts_are_theirs(filled: Store) -> None:
    keys = [run.key for run in stored_study(filled, "demo").runs if run.arm == SCRATCH]
    assert keys[1] == KEY
    found = scene_counts(filled, filled.experiment("demo"))([KEY])[KEY]
    assert (found.scenes, found.images, found.absent) == (("north",), 1, "drop")
    assert found.classes == DATASET.info.classes
    np.testing.assert_array_equal(found.counts, counts(7))


def test_only_classes_that_the_protocol_scores_are_counted(filled: Store) -> None:
    stored = filled.experiment("demo")
    protocol = replace(DATASET.protocol, excluded=("tree",), absent="zero")
    facts = replace(stored.datasets[0], spec=replace(DATASET, protocol=protocol))
    found = scene_counts(filled, replace(stored, datasets=(facts,)))([KEY])[KEY]
    assert (found.classes, found.absent) == (("road", "roof"), "zero")
    np.testing.assert_array_equal(found.counts[0], [[3, 0], [0, 10]])
