from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gpbench.store import Store
from tests.store.plans import COUNTS, IMAGES, ended, finetune, make_plan, pretrain, write_counts

SCRATCH, OTHER = finetune(0, None).key, finetune(1, None).key
CHILD = finetune(0, pretrain(0, 1, pretrain(0).key).key).key


def test_counts_are_summed_over_the_images_of_a_scene(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    write_counts(tmp_path)
    store.commit(ended(SCRATCH, scored=True), tmp_path)
    found = store.scene_totals([SCRATCH])[SCRATCH]
    assert (found.dataset, found.scenes, found.images) == ("town", ("north", "s\u00fcd"), 3)
    np.testing.assert_array_equal(found.counts, [COUNTS[0] + COUNTS[1], COUNTS[2]])


def test_scenes_are_in_one_order_whatever_that_of_the_images(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    for key, images, counts in ((SCRATCH, IMAGES, COUNTS), (OTHER, IMAGES[::-1], COUNTS[::-1])):
        write_counts(tmp_path / key, counts, images)
        store.commit(ended(key, scored=True, images=images), tmp_path / key)
    one, other = store.scene_totals([SCRATCH, OTHER]).values()
    assert one.scenes == other.scenes
    np.testing.assert_array_equal(one.counts, other.counts)


def test_stages_without_scores_are_left_out(store: Store, tmp_path: Path) -> None:
    store.record(make_plan())
    write_counts(tmp_path)
    store.commit(ended(SCRATCH, scored=True), tmp_path)
    assert list(store.scene_totals([CHILD, SCRATCH, "none"])) == [SCRATCH]
    assert store.scene_totals([SCRATCH], "flipped") == {}


def test_images_of_many_stages_are_not_mixed_up(store: Store, tmp_path: Path) -> None:
    store.record(make_plan(seeds=range(3)))
    keys = [finetune(seed, None).key for seed in range(3)]
    for number, key in enumerate(keys):
        write_counts(tmp_path / key, COUNTS + number)
        store.commit(replace(ended(key, scored=True)), tmp_path / key)
    found = store.scene_totals(keys)
    for number, key in enumerate(keys):
        np.testing.assert_array_equal(found[key].counts[1], COUNTS[2] + number)
