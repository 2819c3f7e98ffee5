"""Mappings -> dataclasses, every problem collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from gpbench.config.fields import read_dataclass, words
from gpbench.core.errors import InvalidValueError
from gpbench.core.ranges import POSITIVE


@dataclass(frozen=True)
class Inner:
    lr: float = field(default=1.0, metadata=POSITIVE)


@dataclass(frozen=True)
class Outer:
    name: str
    steps: int = field(metadata=POSITIVE)
    kind: Literal["a", "b"] = "a"
    size: tuple[float, float] | None = None
    quick: bool = False
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.quick and self.steps > 10:
            raise InvalidValueError("quick, steps", self.steps, "at most 10 steps where quick")


def problems_of(raw: Any) -> list[str]:
    problems: list[str] = []
    assert read_dataclass(Outer, raw, problems, fixed={"name": "x"}) is None
    return problems


def test_mapping_becomes_the_dataclass_with_defaults_where_it_says_nothing() -> None:
    problems: list[str] = []
    raw = {"steps": 3, "size": [1, 2.5], "inner": {"lr": 2}}
    read = read_dataclass(Outer, raw, problems, fixed={"name": "x"})
    assert read == Outer("x", 3, size=(1.0, 2.5), inner=Inner(2.0))
    assert isinstance(read.inner.lr, float)
    assert not problems


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"steps": 1.0}, "steps = 1.0 is not allowed: a whole number"),
        ({"steps": "1"}, "steps = '1' is not allowed: a whole number"),
        ({"steps": True}, "steps = True is not allowed: a whole number"),
        ({"steps": 0}, "steps = 0 is not allowed: more than 0"),
        ({"steps": 1, "kind": "c"}, "kind = 'c' is not allowed: one of a, b"),
        ({"steps": 1, "size": [1]}, "size = [1] is not allowed: [a number, a number] or null"),
        ({"steps": 1, "quick": "yes"}, "quick = 'yes' is not allowed: true or false"),
        ({"steps": 1, "inner": 5}, "inner = 5 is not allowed: a mapping of fields"),
        ({"steps": 1, "inner": {"lr": -1}}, "inner.lr = -1.0 is not allowed: more than 0"),
        ({"steps": 1, "inner": {"rl": 1}}, "unknown field of inner 'rl'. Did you mean 'lr'?"),
        (
            {"steps": 1, "name": "y"},
            "unknown field 'name'. Known: inner, kind, quick, size, steps.",
        ),
        ({}, "steps is missing: a whole number"),
        (
            {"steps": 11, "quick": True},
            "quick, steps = 11 is not allowed: at most 10 steps where quick",
        ),
    ],
)
def test_each_problem_is_one_sentence(raw: dict[str, Any], problem: str) -> None:
    assert problems_of(raw) == [problem]


def test_all_problems_are_collected() -> None:
    raw = {"stops": 1, "steps": "x", "inner": {"lr": "x"}}
    assert len(problems_of(raw)) == 3


def test_types_in_words() -> None:
    assert words(float | None) == "a number or null"
    assert words(Literal["a", 1]) == "one of a, 1"
