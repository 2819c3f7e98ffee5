"""docs/calibrate.md shows a calibration and names its fields: both as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.cli.test_statistics_page import blocks, rows

PAGE = (Path(__file__).parents[2] / "docs" / "calibrate.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (table,) = blocks("csv", PAGE)
    (tmp_path / "runs.csv").write_text(table, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_report_is_the_one_that_the_command_writes(gpbench: Command, folder: Path) -> None:
    (command,) = re.findall(r"^gpbench (calibrate .*--output.*)$", PAGE, flags=re.MULTILINE)
    assert gpbench(*command.split()).code == 0
    assert (folder / "report.txt").read_text(encoding="utf-8") == blocks("text", PAGE)[0]


def test_the_fields_of_the_document_are_those_that_the_page_names(
    gpbench: Command,
    folder: Path,  # noqa: ARG001
) -> None:
    asked = ("calibrate", "--table", "runs.csv", "--draws", "3", "--format", "json")
    document = gpbench(*asked).document
    found = {name for name in document if name not in ("schema", "simulated")}
    found |= {f"simulated.{name}" for name in document["simulated"]}
    told = {name: meaning for names, meaning in rows("field", PAGE) for name in fields(names)}
    assert set(told) == found
    for name in ("families", "claims", "spreads"):
        listed: dict[str, Any] = document["simulated"][name][0]
        assert parts(told[f"simulated.{name}"]) == list(listed)
    assert parts(told["relabelled"]) == list(document["relabelled"][0])
    assert parts(told["not_relabelled"]) == ["strategy", "reason"]


def fields(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


def parts(meaning: str) -> list[str]:
    """Return the names in a cell's `[{...}]`."""
    (names,) = re.findall(r"`\[\{(.*?)\}\]`", meaning)
    return [name.strip() for name in names.split(",")]
