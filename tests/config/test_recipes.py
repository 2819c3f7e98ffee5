"""Recipes and what changes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpbench.config.recipes import (
    config_folder,
    load_recipe,
    merge,
    recipe_names,
    recipe_summary,
)
from gpbench.core.errors import ConfigError, UnknownNameError
from gpbench.planning.budget import finetune_recipe

trees = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
).filter(lambda tree: isinstance(tree, dict))


@pytest.mark.parametrize("name", ["demo", "small", "paper"])
def test_recipe_loads_and_says_in_one_line_what_it_is_for(name: str) -> None:
    assert name in recipe_names()
    assert load_recipe(name).name == name
    assert recipe_summary(name).endswith(".")


def test_paper_is_what_the_papers_say() -> None:
    """literature.md 1.2 (300 epochs, ImageNet-1K) and 5.5 (the row of Swin in RSP)."""
    recipe = load_recipe("paper")
    assert (recipe.pretrain.epochs, recipe.pretrain.crop_px) == (300, 224)
    finetune = recipe.finetune
    assert (finetune.steps, finetune.batch, finetune.scale) == (80_000, 8, (0.5, 2.0))
    assert (finetune.head, finetune.head_channels) == ("UPerHead", 512)
    assert (finetune.auxiliary, finetune.auxiliary_channels) == (0.4, 256)
    assert (finetune.optim.lr, finetune.optim.weight_decay) == (6e-5, 0.01)
    assert (finetune.optim.schedule, finetune.optim.poly_power) == ("poly", 1.0)
    assert finetune_recipe(finetune, None, 1.0).optim.warmup_steps == 1500


def test_every_value_of_the_paper_recipe_names_its_source() -> None:
    lines = (config_folder() / "recipes" / "paper.yaml").read_text().splitlines()
    values = [line for line in lines if ":" in line and not line.startswith("#")]
    groups = [line for line in values if line.endswith(":")]
    assert [line for line in values if "  # " not in line] == groups


def test_changes_take_their_place_field_by_field() -> None:
    recipe = load_recipe("demo", {"finetune": {"optim": {"lr": 0.5}}, "cpu_threads": 3})
    plain = load_recipe("demo")
    assert recipe.finetune.optim.lr == 0.5
    assert recipe.finetune.optim.weight_decay == plain.finetune.optim.weight_decay
    assert recipe.cpu_threads == 3
    assert recipe.pretrain == plain.pretrain


def test_steps_take_the_place_of_epochs_and_epochs_of_steps() -> None:
    paper = load_recipe("paper", {"pretrain": {"steps": 7}}).pretrain
    assert (paper.steps, paper.epochs) == (7, None)
    demo = load_recipe("demo", {"pretrain": {"epochs": 2}}).pretrain
    assert (demo.steps, demo.epochs) == (None, 2.0)


def test_warm_up_in_steps_takes_the_place_of_one_by_share() -> None:
    optim = load_recipe("paper", {"finetune": {"optim": {"warmup_steps": 3}}}).finetune.optim
    assert (optim.warmup_steps, optim.warmup_share) == (3, None)
    with pytest.raises(ConfigError, match="one of the two"):
        load_recipe("demo", {"pretrain": {"optim": {"warmup_steps": 3, "warmup_share": 0.1}}})


def test_steps_and_epochs_together_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("demo", {"finetune": {"steps": 1, "epochs": 2}})
    assert str(caught.value) == (
        "changes to recipe 'demo': finetune: give steps or epochs, not both"
    )


def test_unknown_recipe_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown recipe 'papr'\. Did you mean 'paper'"):
        load_recipe("papr")


@settings(deadline=None)
@given(trees, trees)
def test_merging_twice_is_merging_once(base: dict[str, object], changes: dict[str, object]) -> None:
    once = merge(base, changes)
    assert merge(once, changes) == once
    assert merge({}, base) == base
    assert set(once) == set(base) | set(changes)
