"""Selector parameters as typed values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpbench.core.errors import ConfigError, ContractError, InvalidValueError, UnknownNameError
from gpbench.core.params import chosen_params, parse_params, plain_params, required_params


@dataclass(frozen=True)
class Params:
    how: Literal["sample", "batch"] = "sample"
    probability: float = 1.0
    rounds: int = 2
    fast: bool = False
    label: str = "x"
    least: float | None = None
    file: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InvalidValueError("probability", self.probability, "0 to 1")
        if self.rounds == 13:
            raise ValueError("13 rounds bring bad luck")


@dataclass(frozen=True)
class Needs:
    file: str
    inflate: str = "repeat"


def test_texts_become_values_of_the_declared_types() -> None:
    texts = {"how": "batch", "probability": "1e-1", "rounds": "3", "fast": "true", "least": "0"}
    assert parse_params(Params, texts, "mine") == Params("batch", 0.1, 3, fast=True, least=0.0)


def test_null_is_none_where_none_is_allowed() -> None:
    assert parse_params(Params, {"least": "null"}, "mine").least is None


def test_relative_path_starts_at_the_given_folder_and_becomes_absolute(tmp_path: Path) -> None:
    params = parse_params(Params, {"file": "../a.yaml"}, "mine", tmp_path / "inner")
    assert params.file == tmp_path / "a.yaml"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("how", "both", "mine[how] = 'both' is not allowed: one of sample, batch"),
        ("probability", "high", "mine[probability] = 'high' is not allowed: a number"),
        ("probability", "nan", "mine[probability] = 'nan' is not allowed: a number"),
        ("probability", "2", "mine: probability = 2.0 is not allowed: 0 to 1"),
        ("rounds", "2.5", "mine[rounds] = '2.5' is not allowed: a whole number"),
        ("rounds", "13", "mine: 13 rounds bring bad luck"),
        ("fast", "1", "mine[fast] = '1' is not allowed: true or false"),
    ],
)
def test_wrong_value_is_an_error_that_says_what_is_allowed(
    name: str, text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_params(Params, {name: text}, "mine")
    assert str(caught.value) == message


def test_unknown_parameter_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        parse_params(Params, {"probabilty": "1"}, "mine")
    assert str(caught.value) == (
        "unknown parameter of mine 'probabilty'. Did you mean 'probability'?"
    )


def test_missing_parameter_is_named_with_how_to_give_it() -> None:
    assert required_params(Needs) == ("file",)
    with pytest.raises(ConfigError) as caught:
        parse_params(Needs, {}, "weights")
    assert str(caught.value) == "weights needs the parameter 'file': weights[file=...]"


def test_type_that_a_selector_cannot_hold_is_the_plugin_s_fault() -> None:
    schema = dataclasses.make_dataclass("Lists", [("sizes", list[int])])
    with pytest.raises(ContractError, match="a parameter's type is"):
        parse_params(schema, {"sizes": "1"}, "mine")


def test_only_what_differs_from_the_defaults_is_shown_in_the_order_of_the_schema() -> None:
    params = parse_params(Params, {"rounds": "3", "how": "batch", "probability": "1"}, "mine")
    assert list(chosen_params(params).items()) == [("how", "batch"), ("rounds", "3")]


def test_plain_values_are_what_json_holds() -> None:
    plain = plain_params(Params(file=Path("/a")), without=["label"])
    assert plain == {
        "how": "sample", "probability": 1.0, "rounds": 2, "fast": False, "least": None, "file": "/a"
    }  # fmt: skip


@settings(deadline=None)
@given(
    st.builds(
        Params,
        how=st.sampled_from(["sample", "batch"]),
        probability=st.floats(0, 1),
        rounds=st.integers(-(10**6), 12),
        fast=st.booleans(),
        label=st.from_regex(r"[a-z]{1,5}", fullmatch=True),
        least=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_chosen_parameters_give_the_same_values_back(params: Params) -> None:
    assert parse_params(Params, chosen_params(params), "mine") == params
