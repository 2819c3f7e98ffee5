from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator

from gpbench.core.errors import ConfigError
from gpbench.readers.yaml_file import read_yaml


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    width: Annotated[int, Strict()]
    weight: float = 1.0


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str
    main: Part
    parts: list[Part] = Field(default=[], min_length=1)
    shown: bool = False

    @field_validator("title")
    @classmethod
    def _not_empty(cls, title: str) -> str:
        if not title:
            raise ValueError("a title has letters")
        return title


def problems(tmp_path: Path, text: str) -> str:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path, Whole)
    return str(caught.value).replace(str(path), "FILE")


def test_good_file_becomes_a_typed_value(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("\ufefftitle: x\nmain: {width: 3}\nparts: [{width: 1}, {width: 2}]\n")
    whole = read_yaml(path, Whole)
    assert [part.width for part in (whole.main, *whole.parts)] == [3, 1, 2]


def test_all_problems_are_shown_together_in_the_order_of_lines(tmp_path: Path) -> None:
    text = (
        "shwn: 1\ntitle: ''\nmain:\n  widht: 2\n"
        "parts:\n  - width: 1.5\n  - {width: 1, weight: heavy}\n"
    )
    assert problems(tmp_path, text) == (
        "FILE: 6 problems\n"
        "  - line 1: unknown key 'shwn'. Did you mean 'shown'?\n"
        "  - line 2: title: a title has letters\n"
        "  - line 3: 'main.width' is missing\n"
        "  - line 4: unknown key 'main.widht'. Did you mean 'width'?\n"
        "  - line 6: parts.0.width = 1.5 is not a whole number\n"
        "  - line 7: parts.1.weight = 'heavy' is not a number"
    )


def test_single_problem_takes_one_line(tmp_path: Path) -> None:
    assert problems(tmp_path, "title: x\nmain: {width: 3}\nshwn: true\n") == (
        "FILE: line 3: unknown key 'shwn'. Did you mean 'shown'?"
    )


def test_unknown_key_like_no_other_gets_no_suggestion(tmp_path: Path) -> None:
    assert problems(tmp_path, "title: x\nmain: {width: 3}\nzzz: 1\n").endswith("key 'zzz'.")


def test_other_limits_keep_their_sentence(tmp_path: Path) -> None:
    text = problems(tmp_path, "title: x\nmain: {width: 3}\nparts: []\n")
    assert text.startswith("FILE: line 3: parts = [] is not allowed: List should have at least 1")


def test_long_values_are_cut(tmp_path: Path) -> None:
    text = problems(tmp_path, f"title: x\nmain: {{width: {'9' * 30}.5}}\nshown: {'y' * 500}\n")
    assert len(text) < 300


def test_value_of_another_kind_is_described(tmp_path: Path) -> None:
    assert problems(tmp_path, "title: 3\nmain: [1]\n") == (
        "FILE: 2 problems\n"
        "  - line 1: title = 3 is not text\n"
        "  - line 2: main = [1] is not a mapping (key: value)"
    )


def test_syntax_error_names_its_line(tmp_path: Path) -> None:
    assert problems(tmp_path, "title: x\nmain: {width: 3\nshown: true\n").startswith(
        "FILE, line 3: "
    )


def test_key_written_twice_names_its_line(tmp_path: Path) -> None:
    text = "title: x\nmain:\n  width: 3\n  width: 4\n"
    assert problems(tmp_path, text) == "FILE, line 4: the key 'width' is written twice"


def test_tab_names_its_line(tmp_path: Path) -> None:
    assert problems(tmp_path, "title: x\nmain:\n\twidth: 3\n").startswith("FILE, line 3: ")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    assert "FILE holds no mapping (key: value)" in problems(tmp_path, text)


def test_impossible_date_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "title: 2020-13-45\n").startswith("FILE is not YAML: month must be")


def test_python_objects_are_not_made(tmp_path: Path) -> None:
    assert "line 1" in problems(tmp_path, "title: !!python/object/apply:os.getcwd []\n")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read: No such file"):
        read_yaml(tmp_path / "absent.yaml", Whole)


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"file\.yaml is not text in UTF-8"):
        read_yaml(tmp_path / "file.yaml", Whole)
