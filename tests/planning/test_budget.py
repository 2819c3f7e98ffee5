"""Budgets in steps, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpbench.config.arms import Arm, ArmPart, parse_arm
from gpbench.core.errors import ConfigError
from gpbench.core.recipe import FinetuneRecipe, Optimisation, PretrainRecipe
from gpbench.planning.budget import finetune_recipe, pretrain_recipes, shares
from tests.plugins import install, strategy

TWO = '[Phase("a", "labelled", None), Phase("b", "unlabelled", None, share=3)]'


@pytest.fixture
def _two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "strategies", {"two": strategy(TWO)})


def steps(recipes: list[PretrainRecipe]) -> list[int | None]:
    return [recipe.steps for recipe in recipes]


@pytest.mark.usefixtures("_two")
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("imagenet", [1.0]),
        ("two", [0.25, 0.75]),
        ("imagenet+two", [0.5, 0.125, 0.375]),
        ("imagenet[share=0.2]+two", [0.2, 0.2, 0.6]),
        ("imagenet+two[share=0.4]+generalised", [0.3, 0.1, 0.3, 0.3]),
    ],
)
def test_budget_is_shared(text: str, parts: list[float]) -> None:
    assert shares(parse_arm(text)) == pytest.approx(parts)


@pytest.mark.usefixtures("_two")
def test_steps_are_split_without_losing_one() -> None:
    recipe = PretrainRecipe(batch=4, crop_px=8, steps=10)
    assert steps(pretrain_recipes(parse_arm("imagenet+two"), recipe, [1, 1, 1])) == [5, 1, 4]


@pytest.mark.usefixtures("_two")
@settings(deadline=None)
@given(st.integers(8, 10**6))
def test_steps_of_all_phases_add_up(total: int) -> None:
    recipe = PretrainRecipe(batch=4, crop_px=8, steps=total)
    arm = parse_arm("imagenet+two")
    assert sum(each or 0 for each in steps(pretrain_recipes(arm, recipe, [1, 1, 1]))) == total


@pytest.mark.usefixtures("_two")
def test_epochs_count_each_phase_s_own_images() -> None:
    """Half of 4 epochs of 100 images, 1/8 of 4 of 800, and 3/8 of 4 of 50, at batch 10."""
    recipe = PretrainRecipe(batch=10, crop_px=8, epochs=4)
    found = pretrain_recipes(parse_arm("imagenet+two"), recipe, [100, 800, 50])
    assert steps(found) == [20, 40, 8]
    assert [each.epochs for each in found] == [None] * 3


def test_epochs_stay_where_images_cannot_be_counted() -> None:
    recipe = PretrainRecipe(batch=10, crop_px=8, epochs=4)
    assert pretrain_recipes(parse_arm("imagenet"), recipe, [None]) == [recipe]


def test_finetuning_epochs_count_the_labelled_tiles() -> None:
    recipe = FinetuneRecipe(batch=8, epochs=2)
    assert finetune_recipe(recipe, 400, 0.5).steps == 50
    assert finetune_recipe(recipe, None, 0.5) == recipe
    assert finetune_recipe(FinetuneRecipe(batch=8, steps=7), None, 0.5).steps == 7


@pytest.mark.usefixtures("_two")
def test_phase_without_a_step_is_refused() -> None:
    recipe = PretrainRecipe(batch=4, crop_px=8, steps=2)
    with pytest.raises(ConfigError) as caught:
        pretrain_recipes(parse_arm("two"), recipe, [1, 1])
    assert str(caught.value) == (
        "phase 'a' of 'two' gets no step of pretrain's budget: raise the budget or its share"
    )


def test_warm_up_that_never_ends_is_refused() -> None:
    recipe = PretrainRecipe(batch=4, crop_px=8, steps=10, optim=Optimisation(warmup_steps=10))
    with pytest.raises(ConfigError) as caught:
        pretrain_recipes(parse_arm("imagenet"), recipe, [1])
    assert str(caught.value) == (
        "pretrain.optim.warmup_steps = 10 is not allowed: fewer than the 10 steps of phase "
        "'supervised' of 'imagenet'; --set pretrain.optim.warmup_steps=0 is none"
    )


def test_warm_up_by_share_follows_each_phase_s_steps() -> None:
    optim = Optimisation(warmup_share=0.1)
    recipe = PretrainRecipe(batch=4, crop_px=8, steps=200, optim=optim)
    found = pretrain_recipes(parse_arm("imagenet[share=0.75]+generalised"), recipe, [1, 1])
    assert [each.optim.warmup_steps for each in found] == [15, 5]
    assert [each.optim.warmup_share for each in found] == [None, None]


def test_arm_without_phases_has_no_budget() -> None:
    arm = parse_arm("scratch")
    assert isinstance(arm, Arm)
    assert isinstance(arm.parts[0], ArmPart)
    assert pretrain_recipes(arm, PretrainRecipe(batch=4, crop_px=8, steps=10), []) == []
