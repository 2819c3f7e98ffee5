"""YAML read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpbench.config.yaml_file import parse, read_mapping
from gpbench.core.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "x.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("-2E3", -2000.0),
        ("1.5e+2", 150.0),
        ("7", 7),
        ("0-4", "0-4"),
        ("e4", "e4"),
        ("a[b=1e-4],c", "a[b=1e-4],c"),
        ("[1, 2]", [1, 2]),
    ],
)
def test_number_with_an_exponent_is_a_number_and_nothing_else_changes(
    text: str, value: object
) -> None:
    found = parse(text, "here")
    assert found == value
    assert type(found) is type(value)


def test_empty_file_holds_no_fields(tmp_path: Path) -> None:
    assert read_mapping(written(tmp_path, "# nothing\n")) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1\nc: 2\n", ", line 3: expected ',' or ']', but got ':'"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", ", line 4: the key 'c' is written twice"),
        ("- a\n", " holds no fields: write `name: value`, one a line"),
        ("just words\n", " holds no fields: write `name: value`, one a line"),
        ("1: 2\n", " holds no fields: write `name: value`, one a line"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            ", line 1: could not determine a constructor",
        ),
        ("when: 2024-13-45\n", " is not YAML: month must be in 1..12"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_mapping(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_bracket_inside_a_list_gets_the_mend(tmp_path: Path) -> None:
    path = written(tmp_path, "strategies: [imagenet, generalised[shuffle=batch]]\n")
    with pytest.raises(ConfigError, match=r"needs quotes: \['name\[param=value\]'\]"):
        read_mapping(path)


def test_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read: No such file"):
        read_mapping(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary.yaml is not text in UTF-8"):
        read_mapping(tmp_path / "binary.yaml")
