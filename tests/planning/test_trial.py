"""`--limit`: few fine-tunings, spread."""

from __future__ import annotations

import pytest

from gpbench.config import config_folder
from tests.planning.asked import finetunings, items, plan, pretrainings, transfers

DEMO = config_folder() / "demo.yaml"


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 36, 100])
def test_trial_has_at_most_so_many_finetunings_and_just_what_they_need(limit: int) -> None:
    found = plan(DEMO, limit=limit)
    assert len(finetunings(found)) == min(limit, 36)
    assert found.trial
    assert {spec.key for spec in pretrainings(found)} == {
        spec.parent for spec in finetunings(found) if spec.parent
    }
    assert [item.index for item in found.items] == list(range(len(found.items)))


def test_arms_take_turns_on_the_same_dataset_first() -> None:
    chosen = [(item.arm, item.dataset) for item in items(plan(DEMO, limit=4), "finetune")]
    assert sorted(chosen) == [
        ("generalised", "demo-isaid"),
        ("imagenet", "demo-isaid"),
        ("scratch", "demo-isaid"),
        ("scratch", "demo-mfnet"),
    ]


def test_datasets_come_before_replicates() -> None:
    chosen = transfers(plan(DEMO, limit=12))
    assert len({(item.arm, item.dataset) for item, _ in chosen}) == 12
    assert {spec.replicate for _, spec in chosen} == {0}


def test_stages_of_a_trial_are_those_of_the_whole() -> None:
    assert set(plan(DEMO, limit=5).stages()) < set(plan(DEMO).stages())
