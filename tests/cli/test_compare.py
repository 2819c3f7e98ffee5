from __future__ import annotations

from pathlib import Path

import pytest

from gpbench.store import Store
from tests.cli.conftest import Command, Said
from tests.compare.stores import MADE_UP, SCRATCH, fill
from tests.store.plans import make_plan

ROWS = [
    f'"{arm}",net,town,0,{level + step},{p}'
    for arm, level in (("imagenet", 50), ("new[a=1,b=2]", 58), ("old", 40))
    for p, step in enumerate((0, 1, 1.5))
]

SCORES = [
    (arm, seed, value + seed)
    for arm, value, seeds in (("imagenet", 50, 4), ("new", 60, 3))
    for seed in range(seeds)
]
"""Whose one diverged run more could undo the verdict."""


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


def test_a_table_becomes_a_report(gpbench: Command, table: Path) -> None:
    said = gpbench("compare", "--table", table)
    assert (said.code, said.err) == (0, "")
    assert "table.csv: score in percent points, against imagenet" in said.out


def test_a_stored_experiment_becomes_a_document(gpbench: Command, workdir: Path) -> None:
    said = gpbench(
        "compare", "--workdir", workdir, "--baseline", SCRATCH, "--format", "json", MADE_UP
    )
    (contrast,) = said.document["contrasts"]
    assert said.document["schema"] == "gpbench.compare/1"
    assert (contrast["candidate"], contrast["verdict"]) == (MADE_UP, "better")


def test_the_baseline_must_be_named_where_imagenet_is_not_there(
    gpbench: Command, workdir: Path
) -> None:
    said = gpbench("compare", "--workdir", workdir)
    assert (said.code, said.out) == (2, "")
    assert "has no arm 'imagenet' to compare with: name one by --baseline" in said.err


@pytest.mark.parametrize(
    ("asked", "candidates"),
    [
        ([], ["new[a=1,b=2]", "old"]),
        (["new[a=1, b=2]"], ["new[a=1,b=2]"]),
        (["old,new[a=1,b=2]"], ["new[a=1,b=2]", "old"]),
        (["o*"], ["old"]),
        (["all"], ["new[a=1,b=2]", "old"]),
    ],
)
def test_candidates_are_named_by_selectors_lists_and_globs(
    gpbench: Command, table: Path, asked: list[str], candidates: list[str]
) -> None:
    said = gpbench("compare", *asked, "--table", table, "--format", "json")
    assert [c["candidate"] for c in said.document["contrasts"]] == candidates


def test_required_verdicts_decide_the_exit_code_and_who_misses_them_is_said(
    gpbench: Command, table: Path
) -> None:
    asked = ("compare", "--table", table, "--require", "better")
    said = gpbench(*asked, "new[a=1,b=2]")
    assert (said.code, said.err) == (0, "")
    said = gpbench(*asked)
    assert said.code == 4
    first, missed = said.err.splitlines()
    assert first == "gpbench: --require better is not met by 1 of 2 claims"
    assert missed.startswith("  - old against imagenet: worse: p = ")
    assert "table.csv: score in percent points" in said.out


def test_a_checkpoint_does_not_meet_a_requirement_about_strategies(
    gpbench: Command, tmp_path: Path
) -> None:
    rows = [
        f"{a},net,town,{s},{v + s},0" for a, v in (("imagenet", 40), ("new", 60)) for s in range(3)
    ]
    path = tmp_path / "one.csv"
    path.write_text("\n".join(["strategy,backbone,dataset,seed,value,pretrain_seed", *rows]))
    asked = ("compare", "--table", path, "--require", "better")
    said = gpbench(*asked)
    assert said.code == 4
    assert "new against imagenet: better at level checkpoint, not strategy (more" in said.err
    assert gpbench(*asked, "--level", "checkpoint").code == 0


def test_a_fragile_verdict_does_not_meet_a_requirement(gpbench: Command, tmp_path: Path) -> None:
    def said(status: str) -> Said:
        rows = [f"{a},net,town,{s},{v},ok" for a, s, v in SCORES]
        path = tmp_path / "fragile.csv"
        header = "strategy,backbone,dataset,seed,value,status"
        path.write_text("\n".join([header, *rows, f"new,net,town,3,,{status}"]))
        return gpbench("compare", "--table", path, "--require", "better")

    assert said("oom").code == 0
    diverged = said("diverged")
    assert diverged.code == 4
    assert "new against imagenet: better, but fragile" in diverged.err
    assert "(1 of the candidate, 0 of the baseline)" in diverged.err


def test_who_misses_a_requirement_is_said_by_label_fraction(
    gpbench: Command, tmp_path: Path
) -> None:
    rows = [
        f"{arm},net,town,{s},{value + s * step},{fraction}"
        for fraction, gain in ((0.1, 5), (1, 0))
        for arm, value, step in (("imagenet", 50, 0.1), ("new", 50 + gain, 0.2))
        for s in range(3)
    ]
    path = tmp_path / "fractions.csv"
    path.write_text("\n".join(["strategy,backbone,dataset,seed,value,label_fraction", *rows]))
    said = gpbench("compare", "--table", path, "--require", "better")
    assert "1 of 2 claims\n  - new (100 % labels) against imagenet: inconclusive" in said.err


def test_a_report_is_written_whole_to_a_file(gpbench: Command, table: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.md"
    said = gpbench("compare", "--table", table, "--format", "md", "--output", target)
    assert (said.code, said.out) == (0, "")
    assert target.read_text(encoding="utf-8").startswith("# table.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.md", "table.csv"]


@pytest.mark.parametrize("format_", ["table", "json", "csv", "md"])
def test_a_file_holds_what_stdout_would(
    gpbench: Command, table: Path, tmp_path: Path, format_: str
) -> None:
    target = tmp_path / "report"
    printed = gpbench("compare", "--table", table, "--format", format_).out
    gpbench("compare", "--table", table, "--format", format_, "--output", target)
    assert target.read_text(encoding="utf-8").split() == printed.split()


def test_csv_can_be_compared_again(gpbench: Command, table: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw.csv"
    gpbench("compare", "--table", table, "--format", "csv", "--output", raw)
    first, again = (
        gpbench("compare", "--table", path, "--format", "json").document for path in (table, raw)
    )
    assert again["data_hash"] == first["data_hash"]


def test_the_best_of_all_others(gpbench: Command, table: Path) -> None:
    said = gpbench("compare", "old", "--table", table, "--baseline", "best:*", "--format", "json")
    assert said.document["baselines"] == ["imagenet", "new[a=1,b=2]"]
    assert [contrast["candidate"] for contrast in said.document["contrasts"]] == ["old"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--ablation", "new", "--baseline", "old"],
            "--ablation and --baseline exclude each other",
        ),
        (
            ["--ablation", "best:old,imagenet"],
            "--ablation = 'best:old,imagenet' is not allowed: name one arm (imagenet, new[a=1,b=2]",
        ),
        (["--ablation", "o*"], "--ablation = 'o*' is not allowed: name one arm (imagenet, new[a"),
        (["--ablation", "old,new"], "--ablation = 'old,new' is not allowed: name one arm"),
        (["--ablation", ""], "--ablation = '' is not allowed: name one arm (imagenet, new[a=1"),
        (["--ablation", "odl"], "unknown arm 'odl'. Did you mean 'old'?"),
        (["--ablation", "old"], "no ablation of 'old' among the arms imagenet, new[a=1,b=2], old"),
        (
            ["--correction", "hlm"],
            "'hlm' is not one of 'holm', 'max-t', 'bh', 'none'. Did you mean 'holm'?",
        ),
        (["--level", "strat"], "Invalid value for '--level': 'strat' is not one of"),
        (["--require", "beter"], "'beter' is not one of 'better'. Did you mean 'better'?"),
        (
            ["--baseline", "best:o*,new*", "--correction", "bh"],
            "--correction = 'bh' is not allowed",
        ),
        (["--baseline", "best:x*"], "no arm matches 'x*'. Known: imagenet, new[a=1,b=2], old."),
        (["--baseline", "best:"], "name arms after best: (imagenet, new[a=1,b=2], old)"),
        (["--baseline", ""], "--baseline = '' is not allowed: name an arm (imagenet, new[a=1,b"),
        (["--baseline", "o*"], "one arm (imagenet, new[a=1,b=2], old), or best:o* for the best"),
        (["--baseline", "old,imagenet"], "or best:old,imagenet for the best of several"),
        (["--baseline", "imagnet v2"], "unknown arm 'imagnet v2'. Did you mean 'imagenet'?"),
        (["--format", "jsn"], "'geobench2', 'evaluma'. Did you mean 'json'?"),
        (["--alpha", "2"], "--alpha = 2.0 is not allowed"),
        (["--margin", "-1"], "--margin = -1.0 is not allowed"),
        (["--experiment", "demo"], "--table and --experiment exclude each other"),
        (["--output", "no/such/folder/report.md"], "cannot be written: No such file"),
        (["odl"], "unknown arm 'odl'. Did you mean 'old'?"),
        (["new[a=1"], "is no selector: a '[' is not closed"),
        (["x*"], "no arm matches 'x*'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_message(
    gpbench: Command, table: Path, arguments: list[str], told: str
) -> None:
    said = gpbench("compare", "--table", table, *arguments)
    assert (said.code, said.out) == (2, "")
    assert told in " ".join(said.err.replace("│", " ").split())  # typer draws a box


@pytest.mark.parametrize("folder", ["", "missing"])
def test_a_place_where_nothing_was_run_says_so(
    gpbench: Command, tmp_path: Path, folder: str
) -> None:
    place = tmp_path / folder
    said = gpbench("compare", "--workdir", place)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"gpbench: nothing was run in {place} yet (no experiment is in ")
    assert "`gpbench run` begins one; or name another place with --workdir or --db" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_an_experiment_says_so(gpbench: Command, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}"):
        pass
    assert "nothing was run in" in gpbench("compare", "--workdir", tmp_path).err


def test_an_experiment_with_nothing_finished_is_one_sentence(
    gpbench: Command, tmp_path: Path
) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}") as store:
        store.record(make_plan(seeds=(0, 1)))
    target = tmp_path / "report.json"
    asked = ("compare", "--workdir", tmp_path, "--format", "json", "--output", target)
    said = gpbench(*asked, "--baseline", SCRATCH)
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "gpbench: 'demo' has no score to compare: 4 not run yet: `gpbench status` shows how far it "
        "is\n"
    )
    assert not target.exists()


def test_a_table_without_a_score_says_how_its_runs_ended(gpbench: Command, tmp_path: Path) -> None:
    path = tmp_path / "lost.csv"
    rows = ["new,net,town,0,,diverged", "imagenet,net,town,0,,oom"]
    path.write_text("\n".join(["strategy,backbone,dataset,seed,value,status", *rows]))
    said = gpbench("compare", "--table", path)
    assert said.code == 2
    assert said.err == "gpbench: 'lost.csv' has no score to compare: 1 diverged, 1 oom\n"


def test_the_help_names_the_page_and_the_details(gpbench: Command) -> None:
    told = " ".join(gpbench("compare", "--help").out.split())
    assert "-v shows every number; docs/statistics.md says what each means" in told


def test_a_trial_is_shown_with_its_banner_and_not_ranked(gpbench: Command, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}") as store:
        fill(store, tmp_path, trial=True)
    said = gpbench("compare", "--workdir", tmp_path, "--baseline", SCRATCH)
    assert "TRIAL RUN" in said.out
    assert "better" not in said.out


def test_the_best_of_several_baselines_is_named_by_a_glob(gpbench: Command, table: Path) -> None:
    said = gpbench(
        "compare", "--table", table, "--baseline", "best:o*,imagenet", "--format", "json"
    )
    document = said.document
    assert document["baselines"] == ["imagenet", "old"]
    assert document["correction"] == "max-t"
    (contrast,) = document["contrasts"]
    assert {each["baseline"] for each in contrast["baselines"]} == {"imagenet", "old"}


def test_what_more_would_help_is_asked_for_by_plan(gpbench: Command, table: Path) -> None:
    shown, asked = (gpbench("compare", "--table", table, *more).out for more in ([], ["--plan"]))
    assert "What more would help" not in shown
    assert "80 % power" in " ".join(asked.split())


def test_details_are_shown_with_v(gpbench: Command, table: Path) -> None:
    assert "Every value" in gpbench("compare", "--table", table, "-v").out
