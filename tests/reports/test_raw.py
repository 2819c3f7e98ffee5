from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.compare.table import table_study
from gpbench.reports.raw import comparison_csv
from tests.reports.comparisons import NEW, made, made_study


def test_the_raw_values_give_the_same_comparison_again(tmp_path: Path) -> None:
    first = made()
    path = tmp_path / "raw.csv"
    path.write_text(comparison_csv(first), encoding="utf-8")
    again = compare(table_study(path), Request())
    assert again.data_hash == first.data_hash
    findings = {c.candidate: c.finding for c in again.contrasts}
    assert findings == {c.candidate: c.finding for c in first.contrasts}


def test_values_keep_every_bit(tmp_path: Path) -> None:
    study = made_study()
    third = 100 / 3
    odd = replace(study, runs=(replace(study.runs[0], value=third), *study.runs[1:]))
    path = tmp_path / "raw.csv"
    path.write_text(comparison_csv(compare(odd, Request())), encoding="utf-8")
    assert table_study(path).runs[0].value == third


def test_a_diverged_run_keeps_its_line_and_one_that_did_not_run_has_none() -> None:
    study = made_study()
    first, second, *others = study.runs
    runs = (
        replace(first, value=None, status="diverged"),
        replace(second, value=None, status="missing"),
        *others,
    )
    lines = comparison_csv(compare(replace(study, runs=runs), Request())).splitlines()
    assert len(lines) == len(runs)
    assert lines[1] == "imagenet,tiny,town,0,,0,imagenet tiny 3 0,1.0,mIoU,p/1,diverged"


def test_only_the_arms_that_are_compared_are_in_it() -> None:
    text = comparison_csv(made(Request(candidates=(NEW,))))
    assert "scratch" not in text


def test_a_name_cannot_break_a_line(tmp_path: Path) -> None:
    study = made_study()
    odd = 'net\r,"x"\ny'
    runs = tuple(replace(run, backbone=odd) for run in study.runs)
    path = tmp_path / "raw.csv"
    text = comparison_csv(compare(replace(study, runs=runs), Request()))
    path.write_bytes(text.encode())
    with path.open(newline="", encoding="utf-8") as file:
        assert {row["backbone"] for row in csv.DictReader(file)} == {odd}
