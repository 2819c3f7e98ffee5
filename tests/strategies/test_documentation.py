"""docs/strategies.md and the files in configs/ know every strategy and every switch."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from gpbench import registry
from gpbench.config import config_folder, load_experiment
from gpbench.core.selector import parse_selector
from gpbench_strategies import generalised

PAGE = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()
CONTROLS = {
    "amplitude-mix",
    "channel-exchange",
    "dsu",
    "grayscale",
    "mixstyle",
    "randconv",
    "simulated-bands",
}


def arms(name: str) -> tuple[str, ...]:
    return load_experiment(
        config_folder() / f"{name}.yaml", {}, {}, frozenset({"test_convnext3"})
    ).arms


def test_every_strategy_has_a_row_which_names_all_that_is_our_reading() -> None:
    rows = {row[0]: row[1] for row in re.findall(r"^\| `([\w-]+)` (\|.*)$", PAGE, re.MULTILINE)}
    assert set(rows) == {each.name for each in registry.listed("strategies")}
    for name, row in rows.items():
        reading = row.rstrip("| ").rsplit("|", 1)[-1]
        named = set(re.findall(r"`(\w+)`", reading))
        assert named == set(registry.load("strategies", name).assumed), name


def test_what_is_our_reading_is_a_parameter() -> None:
    for each in registry.listed("strategies"):
        strategy = registry.load("strategies", each.name)
        fields = {field.name for field in dataclasses.fields(strategy.params)}
        assert set(strategy.assumed) <= fields, each.name


def test_controls_sets_channel_shuffling_against_every_control() -> None:
    found = [part.name for arm in arms("controls") for part in parse_selector(arm).parts]
    assert found[0] == "generalised"
    assert set(found) == {"generalised", "imagenet", *CONTROLS}


def test_ablation_takes_every_value_of_every_switch() -> None:
    taken = {
        (name, value)
        for arm in arms("ablation")
        for part in parse_selector(arm).parts
        for name, value in part.params.items()
    }
    for name, hint in get_type_hints(generalised.Params).items():
        default = getattr(generalised.Params(), name)
        if get_origin(hint) is Literal:
            others = {value for value in get_args(hint) if value != default}
            assert {(name, value) for value in others} <= taken
        else:
            assert name in {switch for switch, _ in taken}
