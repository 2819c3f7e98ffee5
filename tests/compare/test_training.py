from __future__ import annotations

from dataclasses import replace

from gpbench.compare.training import settings
from gpbench.core.recipe import FinetuneRecipe, Optimisation, PretrainRecipe
from gpbench.core.stage import PluginSpec, SourceSpec
from tests.store.plans import DATASET, finetune, pretrain

FIRST = pretrain(0)
SECOND = pretrain(0, 1, FIRST.key)


def test_budgets_are_summed_over_the_phases() -> None:
    short = replace(SECOND, recipe=PretrainRecipe(batch=8, crop_px=32, steps=5))
    found = settings(finetune(0, SECOND.key), [FIRST, short])
    assert found["pre-training steps"] == "15"
    assert found["pre-training images seen"] == str(10 * 4 + 5 * 8)
    assert (found["fine-tuning steps"], found["fine-tuning images seen"]) == ("10", "40")


def test_an_arm_without_a_pretraining_saw_no_images_of_it_and_has_no_recipe() -> None:
    found = settings(finetune(0, None), [])
    assert found["initial weights"] == "random"
    assert (found["pre-training steps"], found["pre-training images seen"]) == ("0", "0")
    assert [name for name in found if name.startswith("pre-training")] == [
        "pre-training steps",
        "pre-training images seen",
    ]


def test_a_recipe_is_told_field_by_field_without_its_budget() -> None:
    recipe = FinetuneRecipe(
        batch=4, steps=10, scale=(0.5, 2.0), optim=Optimisation(lr=0.000123456789)
    )
    found = settings(replace(finetune(0, None), recipe=recipe), [])
    assert found["fine-tuning optim.lr"] == "0.000123456789"
    assert found["fine-tuning scale"] == "0.5 to 2"
    assert found["fine-tuning crop_px"] == "none"
    assert found["fine-tuning precision"] == "fp32"
    assert found["fine-tuning channels_last"] == "False"
    assert "fine-tuning epochs" not in found


def test_values_of_unlike_phases_stand_in_order() -> None:
    strong = replace(FIRST, recipe=replace(FIRST.recipe, jitter=0.4))
    found = settings(finetune(0, SECOND.key), [strong, FIRST, FIRST])
    assert found["pre-training jitter"] == "0.4, then 0, then 0"
    assert found["pre-training batch"] == "4"


def test_images_are_named_with_their_fingerprint() -> None:
    more = replace(
        FIRST, sources=(*FIRST.sources, SourceSpec("u", PluginSpec("sky", 1), "ab" * 32))
    )
    found = settings(finetune(0, FIRST.key), [more])
    assert found["pre-training images"] == "demo (labelled, 00000000) and sky (u, abababab)"


def test_a_phase_without_a_source_reads_the_datasets_images() -> None:
    own = replace(FIRST, sources=(), dataset=DATASET)
    found = settings(finetune(0, own.key), [own])
    assert found["pre-training images"] == "town (target-train, ffffffff)"


def test_the_stem_is_part_of_the_initial_weights() -> None:
    tuned = finetune(0, FIRST.key)
    assert settings(tuned, [FIRST])["initial weights"] == "pre-trained"
    inflated = settings(replace(tuned, inflate="mean"), [FIRST])
    assert inflated["initial weights"] == "pre-trained, stem inflated by mean"
