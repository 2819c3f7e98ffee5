from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench.config import load_recipe
from gpbench.core.plan import Excluded
from gpbench.core.selector import parse_seeds
from gpbench_leaderboard.command import changes, command, seeds
from tests.leaderboard.sites import World, stored


def words(world: World) -> list[str]:
    return shlex.split(command(stored(world)).replace("\\\n", " "))


def after(option: str, said: list[str]) -> str:
    return said[said.index(option) + 1]


@given(st.lists(st.integers(0, 50), min_size=1, unique=True))
def test_seeds_are_written_as_the_flags_read_them(values: list[int]) -> None:
    assert parse_seeds(seeds(values)) == tuple(values)


@pytest.mark.parametrize(
    ("values", "text"),
    [((0,), "1"), ((0, 1, 2), "3"), ((7,), "7-7"), ((2, 3), "2-3"), ((5, 1), "5,1")],
)
def test_seeds_are_written_short(values: tuple[int, ...], text: str) -> None:
    assert seeds(values) == text


def test_command_names_all_that_was_asked_for() -> None:
    said = words(World(fractions=(0.1, 1.0), seeds=(0, 1)))
    assert said[:2] == ["gpbench", "run"]
    assert after("--strategy", said) == "scratch,imagenet,generalised"
    assert after("--backbone", said) == "test_convnext3"
    assert after("--datasets", said) == "town,sea"
    assert after("--pretrain-seeds", said) == "2"
    assert after("--seeds", said) == "1"
    assert after("--label-fraction", said) == "0.1,1"
    assert after("--recipe", said) == "tiny"


def test_folders_are_left_to_the_reader() -> None:
    world = World(data_roots={"town": "/home/ann/town", "unrelated": "/home/ann/else"})
    said = words(world)
    assert after("--source", said) == "labelled=shapes[root=DIR]"
    assert after("--data-root", said) == "town=DIR"
    assert said.count("--data-root") == 1


def test_what_could_not_run_is_not_asked_for_again() -> None:
    world = World(excluded=(Excluded("sea", "no data"),))
    assert after("--datasets", words(world)) == "town"


def test_changed_recipe_is_told_by_its_changes() -> None:
    asked = {"finetune": {"steps": 7, "optim": {"lr": 0.5}}, "precision": "bf16"}
    said = words(World(recipe=load_recipe("demo", asked)))
    settings = [value for option, value in pairwise(said) if option == "--set"]
    assert settings == ["finetune.steps=7", "finetune.optim.lr=0.5", 'precision="bf16"']


def test_unchanged_recipe_has_no_changes() -> None:
    assert changes(load_recipe("demo")) == ()


def test_epochs_in_place_of_steps_are_one_change() -> None:
    recipe = load_recipe("demo", {"finetune": {"epochs": 2}})
    assert recipe.finetune.steps is None
    assert changes(recipe) == ("finetune.epochs=2.0",)


def test_recipe_that_is_not_there_any_more_is_named_and_no_more() -> None:
    assert changes(replace(load_recipe("demo"), name="gone", cpu_threads=9)) == ()
