"""docs/statistics.md shows a comparison, repeats it by hand, quotes sentences: all as they are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "statistics.md").read_text()
EXAMPLE = "example.csv"


def blocks(language: str, page: str = PAGE) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)


def rows(heading: str, page: str = PAGE) -> list[list[str]]:
    """Return the cells of the table below its heading row, without the rule."""
    _, _, rest = page.partition(f"\n| {heading}")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (table,) = blocks("csv")
    (tmp_path / EXAMPLE).write_text(table, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_report_is_the_one_that_the_command_writes(gpbench: Command, folder: Path) -> None:
    (command,) = re.findall(r"^gpbench (compare --table .*)$", PAGE, flags=re.MULTILINE)
    assert gpbench(*command.split()).code == 0
    written = (folder / "report.txt").read_text(encoding="utf-8")
    assert "\n".join(line.rstrip() for line in written.splitlines()) + "\n" == blocks("text")[0]


def test_the_program_prints_what_the_page_says(folder: Path) -> None:
    (program,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == blocks("text")[1]


def test_the_program_and_gpbench_agree(gpbench: Command, folder: Path) -> None:  # noqa: ARG001
    (contrast,) = gpbench("compare", "--table", EXAMPLE, "--format", "json").document["contrasts"]
    found = {row["dataset"]: row for row in contrast["datasets"]}
    found["fixed-suite"], (found["datasets"],) = contrast, contrast["scopes"]
    *lines, alone, shared = blocks("text")[1].splitlines()
    cautious = max(alone, shared, key=lambda line: float(line.split()[-1]))
    lines.append(re.sub(r"^datasets, [a-z ]+", "datasets ", cautious))
    told = [
        f"{name} {own['difference']:+.2f} [{own['ci'][0]:+.2f}, {own['ci'][1]:+.2f}]"
        f" df {own['df']:.2f} p {own['p']:.3f}"
        for name, own in found.items()
    ]
    assert told == lines


def test_fields_of_the_document_have_the_values_that_the_page_says(
    gpbench: Command,
    folder: Path,  # noqa: ARG001
) -> None:
    document = gpbench("compare", "--table", EXAMPLE, "--margin", "1", "--format", "json").document
    told = rows("field | value")
    assert len(told) > 5
    for path, value, _ in told:
        found: Any = document
        for part in re.findall(r"\w+", path):
            found = found[int(part)] if part.isdigit() else found[part]
        decimals = len(value.partition(".")[2])
        assert f"{found:.{decimals}f}" == value, path


def test_numbers_of_the_reading_stand_in_the_report() -> None:
    _, _, rest = PAGE.partition("Read the report from top to bottom:")
    reading = rest.partition("Some numbers stand in the JSON")[0]
    numbers = re.findall(r"[+-]\d+\.\d\d", reading)
    assert len(numbers) > 4
    assert [number for number in numbers if number not in blocks("text")[0]] == []


def constants() -> list[str]:
    """Return the literal text of the whole package, f-strings in their parts."""
    return [
        node.value
        for path in (ROOT / "gpbench").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_the_sentences_that_the_page_explains_are_said() -> None:
    said = constants()
    told = [sentence.strip("`") for sentence, _ in rows("it says")]
    assert len(told) > 10
    unsaid = [
        part
        for sentence in told
        for part in map(str.strip, sentence.split("..."))
        if part and not any(part in text for text in said)
    ]
    assert unsaid == []
