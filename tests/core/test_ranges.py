"""Ranges declared beside fields, and the recipes that use them."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest

from gpbench.core.errors import InvalidValueError
from gpbench.core.ranges import (
    BELOW_ONE,
    FRACTION,
    INSIDE,
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    interval,
    range_of,
)
from gpbench.core.recipe import Execution, FinetuneRecipe, Optimisation, PretrainRecipe


@pytest.mark.parametrize(
    ("declared", "inside", "outside"),
    [
        (POSITIVE, [1, 1e-9], [0, -1, math.inf, math.nan]),
        (NOT_NEGATIVE, [0, 3], [-1e-9, math.nan]),
        (PROBABILITY, [0, 0.5, 1], [-0.1, 1.1]),
        (BELOW_ONE, [0, 0.99], [1, -0.1]),
        (FRACTION, [0.1, 1], [0, 1.1]),
        (INSIDE, [0.5], [0, 1]),
        (interval(2.0), [(0.5, 2.0), (1.0, 1.0)], [(0.0, 1.0), (1.0, 0.5), (0.5, 2.1)]),
    ],
)
def test_ranges(declared: Any, inside: list[Any], outside: list[Any]) -> None:
    (only,) = declared.values()
    assert [only.problem("x", value) for value in inside] == [None] * len(inside)
    assert all(isinstance(only.problem("x", value), InvalidValueError) for value in outside)


def test_none_is_left_to_the_type() -> None:
    (only,) = POSITIVE.values()
    assert only.problem("x", None) is None


@pytest.mark.parametrize("kind", [Optimisation, PretrainRecipe, FinetuneRecipe, Execution])
def test_every_number_of_a_recipe_declares_its_range(kind: type) -> None:
    numbers = [
        field for field in dataclasses.fields(kind) if re.search(r"int|float", str(field.type))
    ]
    assert numbers
    assert [field.name for field in numbers if range_of(field) is None] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": 0.0}, "lr = 0.0 is not allowed: more than 0"),
        ({"weight_decay": -1.0}, "weight_decay = -1.0 is not allowed: 0 or more"),
        ({"ema_decay": 1.0}, "ema_decay = 1.0 is not allowed: between 0 and 1"),
    ],
)
def test_value_outside_its_range_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Optimisation(**values)  # type: ignore[arg-type]  # one dictionary for fields of two types
    assert str(caught.value) == message


@pytest.mark.parametrize("budget", [{}, {"steps": 1, "epochs": 1.0}])
def test_budget_is_steps_or_epochs(budget: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="exactly one of the two"):
        PretrainRecipe(batch=1, crop_px=8, **budget)
