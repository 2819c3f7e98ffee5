"""`gpbench compare` in its formats, as files: what each report holds is tested in tests/reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.test_compare import ROWS

BEGINS = {
    "json": "{\n",
    "csv": "strategy,backbone,dataset,seed,value",
    "md": "# table.csv: ",
    "html": "<!doctype html>",
    "latex": "% ",
    "geobench2": "backbone,dataset,Metric,",
    "evaluma": "model,dataset,metric,score,",
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    rows = [*ROWS, *(row.replace("town", "farm") for row in ROWS)]
    header = "strategy,backbone,dataset,seed,value,pretrain_seed"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize("form", BEGINS)
def test_every_format_goes_to_stdout_or_a_file_the_same(
    gpbench: Command, table: Path, form: str
) -> None:
    said = gpbench("compare", "--table", table, "--format", form)
    assert (said.code, said.err) == (0, "")
    assert said.out.lower().startswith(BEGINS[form].lower())
    output = table.with_name("report")
    assert gpbench("compare", "--table", table, "--format", form, "--output", output).code == 0
    assert output.read_bytes() == said.out.encode()


def test_figures_come_beside_any_report(gpbench: Command, table: Path) -> None:
    folder = table.with_name("figures")
    said = gpbench("compare", "--table", table, "--format", "csv", "--plots", folder)
    files = sorted(path.name for path in folder.iterdir())
    assert {"forest.png", "forest.svg", "slopes.png", "slopes.svg"} <= set(files)
    assert said.err == f"{len(files)} files of figures are in {folder}\n"
    assert said.out.startswith(BEGINS["csv"])
    (folder / "classes-9.svg").touch()
    said = gpbench("compare", "--table", table, "--format", "csv", "--plots", folder)
    assert said.err.endswith("; 1 more pictures there are not of this comparison\n")


def test_figures_where_a_file_is_are_refused(gpbench: Command, table: Path) -> None:
    said = gpbench("compare", "--table", table, "--plots", table)
    assert (said.code, said.out) == (2, "")
    assert f"cannot write plots into {table}" in said.err


def test_an_ablation_shows_what_each_ingredient_adds(gpbench: Command, table: Path) -> None:
    said = gpbench("compare", "imagenet", "old", "--table", table, "--ablation", "new[a=1,b=2]")
    assert (said.code, said.err) == (0, "")
    assert "new[a=1,b=2] against the best of its ablations" in said.out
    assert "What each ingredient adds (p adjusted by max-T over 2)" in said.out
    assert "imagenet instead" in said.out
    document = gpbench(
        "compare", "old", "--table", table, "--ablation", "new[a=1,b=2]", "--format", "json"
    ).document
    assert document["ablation"] == {"full": "new[a=1,b=2]", "ingredients": {"old": "old instead"}}
    ((only,),) = (contrast["baselines"] for contrast in document["contrasts"])
    assert only["difference"] == document["contrasts"][0]["difference"]
