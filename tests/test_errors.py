"""Errors are sentences: what is wrong, where, what was got, the mend."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from gpbench.core import errors
from gpbench.core.errors import (
    ConfigError,
    ContractError,
    DatasetNotFoundError,
    DivergedError,
    GpbenchError,
    InvalidValueError,
    LabelError,
    MissingExtraError,
    PluginLoadError,
    SchemaTooNewError,
    StageError,
    StageInterruptedError,
    UnknownNameError,
    nearest,
)


def test_unknown_name_offers_the_nearest() -> None:
    error = UnknownNameError("strategy", "simclrr", ["simclr", "scratch", "imagenet"])
    assert str(error) == "unknown strategy 'simclrr'. Did you mean 'simclr'?"


def test_unknown_name_like_no_other_lists_a_short_list() -> None:
    error = UnknownNameError("recipe", "zzz", ["small", "demo"])
    assert str(error) == "unknown recipe 'zzz'. Known: demo, small."


def test_unknown_name_like_no_other_does_not_list_a_long_list() -> None:
    error = UnknownNameError("backbone", "zzz", [f"model_{i}" for i in range(13)])
    assert str(error) == "unknown backbone 'zzz'."


def test_unknown_name_says_when_none_is_known() -> None:
    assert str(UnknownNameError("source", "x", [])) == "unknown source 'x'. None is known."


def test_unknown_name_ends_with_its_hint() -> None:
    error = UnknownNameError("backbone", "zzz", ["a"], "See: gpbench backbones list")
    assert str(error) == "unknown backbone 'zzz'. Known: a. See: gpbench backbones list"


def test_nearest_is_empty_for_a_name_like_no_other() -> None:
    assert nearest("qqq", ["scratch"]) == ""


def test_one_problem_stands_on_the_line_of_its_file() -> None:
    assert str(ConfigError.collected("a.yaml", ["no seeds"])) == "a.yaml: no seeds"


def test_all_problems_of_a_file_are_shown_together() -> None:
    text = str(ConfigError.collected("a.yaml", ["no seeds", "no arm"]))
    assert text == "a.yaml: 2 problems\n  - no seeds\n  - no arm"


def test_invalid_value_shows_field_value_and_range() -> None:
    assert str(InvalidValueError("lr", -1, "more than 0")) == "lr = -1 is not allowed: more than 0"


def test_missing_package_says_what_needs_it_and_the_mend() -> None:
    error = MissingExtraError("ray", "--executor ray", "pip install 'ray[tune]'")
    assert str(error) == (
        "--executor ray needs the package 'ray', which is not installed: pip install 'ray[tune]'"
    )


def test_plugin_that_does_not_load_is_named_with_its_place() -> None:
    error = PluginLoadError("strategy", "mine", "mine.py", "No module named 'foo'")
    assert str(error) == "strategy 'mine' (mine.py) cannot be loaded: No module named 'foo'"


def test_broken_promise_is_named() -> None:
    assert str(ContractError("mine", "no bands")) == "plugin 'mine' breaks its contract: no bands"


def test_missing_data_say_which_folder_was_looked_at_and_the_flag() -> None:
    error = DatasetNotFoundError("isaid", Path("data/isaid"))
    assert str(error) == (
        f"no data for 'isaid' at {Path('data/isaid')}; "
        "put it there, or name its folder: --data-root isaid=DIR"
    )


def test_missing_data_without_a_folder_say_so() -> None:
    error = DatasetNotFoundError("isaid", None, "ask its owners")
    assert str(error) == "no folder is known for 'isaid'; ask its owners"


def test_wrong_label_shows_values_found_and_declared() -> None:
    error = LabelError("train/12.png", found={9, 7}, declared=7, ignored=255)
    assert str(error) == (
        "train/12.png holds label value(s) 7, 9; 7 classes (0..6) are declared and 255 is "
        "ignored: is the mask shifted, or a colour image?"
    )


def test_diverged_stage_names_its_step() -> None:
    assert str(DivergedError(12, float("nan"))) == "the loss became nan at step 12"


def test_newer_database_says_how_to_go_on() -> None:
    assert str(SchemaTooNewError("x.sqlite", "0009")) == (
        "x.sqlite was written by a newer gpbench (schema 0009): upgrade gpbench, or use another "
        "--db or --workdir"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigError, 2), (errors.DataError, 2), (StageError, 3), (StageInterruptedError, 130)],
)
def test_exit_code_tells_wrong_input_from_failed_stages(
    error: type[GpbenchError], code: int
) -> None:
    assert error.exit_code == code


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, GpbenchError)
    }
    written = {word for line in (errors.__doc__ or "").splitlines() for word in line.split()}
    assert classes == {word for word in written if word.endswith("Error")}
