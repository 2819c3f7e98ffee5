"""`gpbench calibrate`, tried as a user would, on few draws."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gpbench.store import Store
from tests.cli.conftest import Command
from tests.compare.stores import MADE_UP, SCRATCH, fill
from tests.store.plans import make_plan

ROWS = [
    f'"{arm}",net,town,{f},{50 + p % 3 + 0.3 * p + f / 4},{p}'
    for arm, units in (("imagenet", 6), ("new[a=1]", 3))
    for p in range(units)
    for f in range(2)
]
FEW = ("--draws", "20")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    header = "strategy,backbone,dataset,seed,value,pretrain_seed"
    path.write_text("\n".join([header, *ROWS]), encoding="utf-8")
    return path


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}") as store:
        fill(store, tmp_path)
    return tmp_path


def test_a_table_is_calibrated_both_ways(gpbench: Command, table: Path) -> None:
    said = gpbench("calibrate", "--table", table, *FEW)
    assert (said.code, said.err) == (0, "")
    assert "table.csv: how often equal arms are called different, against imagenet" in said.out
    assert "- The dataset: a false claim in " in said.out
    assert "imagenet       3 v 3  all 10" in said.out
    assert "new[a=1]: 3 pre-trainings: two halves of 2 need 4" in said.out


def test_the_document_has_the_hash_of_the_comparison(gpbench: Command, table: Path) -> None:
    said = gpbench("calibrate", "--table", table, *FEW, "--format", "json")
    compared = gpbench("compare", "--table", table, "--format", "json")
    assert said.document["schema"] == "gpbench.calibrate/1"
    assert said.document["data_hash"] == compared.document["data_hash"]
    assert said.document["simulated"]["draws"] == 20
    (relabelled,) = said.document["relabelled"]
    assert (relabelled["strategy"], relabelled["draws"]) == ("imagenet", 10)


def test_a_stored_experiment_is_calibrated_and_nothing_is_written(
    gpbench: Command, workdir: Path
) -> None:
    file = workdir / "gpbench.sqlite"
    before = list(sqlite3.connect(file).iterdump())
    asked = ("calibrate", "--workdir", workdir, "--baseline", SCRATCH, *FEW, "--format", "json")
    said = gpbench(*asked)
    assert said.code == 0
    (headline, *_) = said.document["simulated"]["claims"]
    assert headline["candidate"] == MADE_UP
    assert list(sqlite3.connect(file).iterdump()) == before


def test_the_same_command_gives_the_same_bytes(gpbench: Command, table: Path) -> None:
    asked = ("calibrate", "--table", table, *FEW, "--format", "json")
    first, again = (gpbench(*asked).out for _ in range(2))
    assert first == again
    assert gpbench(*asked, "--rng-seed", "5").document["rng_seed"] == 5


def test_a_made_up_design_needs_no_results(gpbench: Command, tmp_path: Path) -> None:
    said = gpbench(
        *("calibrate", "--pretrain-seeds", "2", "--seeds", "3", "--datasets", "2", "--arms", "4"),
        *("--sd-pre", "0.5", "--sd-ft", "2", *FEW, "--format", "json", "--workdir", tmp_path),
    )
    assert said.code == 0
    document = said.document
    assert document["data_hash"] is None
    spreads = document["simulated"]["spreads"]
    assert len(spreads) == 4 * 2
    assert {(own["sd_pretraining"], own["sd_finetuning"]) for own in spreads} == {(0.5, 2.0)}
    assert document["simulated"]["families"][0]["tests"] == 3
    assert "a verdict needs 3" in document["simulated"]["families"][0]["undecidable"]
    assert list(tmp_path.iterdir()) == []


def test_what_compare_is_asked_reaches_it(gpbench: Command, table: Path) -> None:
    said = gpbench(
        *("calibrate", "--table", table, *FEW, "--format", "json", "--alpha", "0.2"),
        *("--correction", "bh", "--level", "checkpoint", "--margin", "30"),
    )
    document = said.document
    assert (document["alpha"], document["correction"]) == (0.2, "bh")
    assert (document["level"], document["margin"]) == ("checkpoint", 30)
    assert document["simulated"]["claims"][0]["verdicts"]["equivalent"] > 10


def test_a_file_holds_what_stdout_would(gpbench: Command, table: Path, tmp_path: Path) -> None:
    for format_ in ("table", "json"):
        asked = ("calibrate", "--table", table, *FEW, "--format", format_)
        target = tmp_path / "report"
        said = gpbench(*asked, "--output", target)
        assert (said.code, said.out) == (0, "")
        assert target.read_text(encoding="utf-8").split() == gpbench(*asked).out.split()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "table.csv"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--draws", "0"], "Invalid value for '--draws'"),
        (["--alpha", "2"], "--alpha = 2.0 is not allowed"),
        (["--margin", "-1"], "--margin = -1.0 is not allowed"),
        (["--baseline", "imagnet"], "unknown arm 'imagnet'. Did you mean 'imagenet'?"),
        (["x*"], "no arm matches 'x*'"),
        (["--experiment", "demo"], "--table and --experiment exclude each other"),
        (["--seeds", "3"], "--seeds asks for a made-up design, without results: leave out --table"),
        (["--arms", "1"], "Invalid value for '--arms'"),
        (["--sd-ft", "-1"], "Invalid value for '--sd-ft'"),
        (["--sd-pre", "inf"], "Invalid value for '--sd-pre'"),
        (["--sd-ft", "nan"], "Invalid value for '--sd-ft'"),
        (["--output", "no/such/report"], "cannot be written: No such file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_message(
    gpbench: Command, table: Path, arguments: list[str], told: str
) -> None:
    said = gpbench("calibrate", "--table", table, *FEW, *arguments)
    assert (said.code, said.out) == (2, "")
    assert told in " ".join(said.err.replace("│", " ").split())  # typer draws a box


@pytest.mark.parametrize("flag", ["--metric", "--protocol", "--experiment"])
def test_a_made_up_design_has_no_results_to_choose_from(gpbench: Command, flag: str) -> None:
    said = gpbench("calibrate", "--seeds", "3", flag, "it", *FEW)
    assert (said.code, said.out) == (2, "")
    assert said.err.endswith(f"a made-up design, without results: leave out {flag}\n")


def test_a_place_where_nothing_was_run_says_so(gpbench: Command, tmp_path: Path) -> None:
    said = gpbench("calibrate", "--workdir", tmp_path / "missing")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith("gpbench: nothing was run in ")


def test_an_experiment_with_nothing_finished_is_one_sentence(
    gpbench: Command, tmp_path: Path
) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}") as store:
        store.record(make_plan(seeds=(0, 1)))
    said = gpbench("calibrate", "--workdir", tmp_path, "--baseline", SCRATCH)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith("gpbench: 'demo' has no score to compare: 4 not run yet: ")


def test_a_trial_is_refused(gpbench: Command, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}") as store:
        fill(store, tmp_path, trial=True)
    said = gpbench("calibrate", "--workdir", tmp_path, "--baseline", SCRATCH)
    assert said.code == 2
    assert "is a trial run, which is never ranked: it has no verdicts to calibrate" in said.err


def test_the_overview_names_the_command(gpbench: Command) -> None:
    told = " ".join(gpbench("--help").out.split())
    assert "calibrate Show how often `compare` calls equal strategies different." in told
