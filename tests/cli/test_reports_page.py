"""docs/reports.md reads another tool's table and writes it back: as the command does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gpbench.compare.table_dialects import EVALUMA, GEO_BENCH_2
from tests.cli.conftest import Command

PAGE = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
_, _, REST = PAGE.partition("\n## Other tools' tables\n")
SECTION = REST.partition("\n## ")[0]
TABLE = "results_and_parameters.csv"


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / TABLE).write_text(block("csv"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_report_is_the_one_that_the_command_writes(gpbench: Command, folder: Path) -> None:
    (command,) = re.findall(r"^gpbench (compare --table .*)$", SECTION, flags=re.MULTILINE)
    assert gpbench(*command.split()).code == 0
    written = (folder / "report.txt").read_text(encoding="utf-8")
    assert "\n".join(line.rstrip() for line in written.splitlines()) + "\n" == block("text")


@pytest.mark.usefixtures("folder")
def test_without_a_baseline_the_command_asks_for_one(gpbench: Command) -> None:
    done = gpbench("compare", "--table", TABLE)
    assert done.code == 2
    assert "has no arm 'imagenet' to compare with: name one by --baseline (resnet50" in done.err


@pytest.mark.parametrize("name", ["geobench2", "evaluma"])
def test_what_is_written_is_read_back(gpbench: Command, folder: Path, name: str) -> None:
    asked = ("--baseline", "resnet50", "--format")
    first = gpbench("compare", "--table", TABLE, *asked, "json").document
    written = gpbench("compare", "--table", TABLE, *asked, name)
    (folder / "again.csv").write_text(written.out, encoding="utf-8")
    again = gpbench("compare", "--table", "again.csv", *asked, "json").document
    numbers = [
        [(c["difference"], c["ci"], c["verdict"]) for c in document["contrasts"]]
        for document in (first, again)
    ]
    assert numbers[0] == numbers[1]


def test_the_columns_that_the_page_names_are_those_that_are_read() -> None:
    told = set(re.findall(r"`([^`]+)`", SECTION.partition("### Reading")[0]))
    assert {*GEO_BENCH_2.columns, *EVALUMA.columns} <= told
