from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.study import Run, Study
from gpbench.compare.table import table_study
from gpbench.core.errors import ComparisonError
from gpbench.reports.interop import evaluma_csv, geobench2_csv
from tests.compare.made import pretrained, untrained
from tests.reports.comparisons import NEW, made, made_study

Writer = Callable[[Comparison], str]
WRITERS = (geobench2_csv, evaluma_csv)
both = pytest.mark.parametrize("write", WRITERS)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def again(text: str) -> Study:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(text, encoding="utf-8", newline="")
        return table_study(path)


def of(runs: Iterable[Run]) -> Comparison:
    """Return a comparison that holds these runs."""
    return replace(made(), runs=tuple(runs))


def test_geo_bench_2_gets_fractions_by_its_names() -> None:
    found = rows(geobench2_csv(made()))
    assert len(found) == 18
    assert found[0] == {
        "backbone": "imagenet @ tiny",
        "dataset": "town",
        "Metric": "Multiclass_Jaccard_Index",
        "experiment_name": "made",
        "Seed": "0",
        "data_percentages": "100",
        "test metric": "0.500",
        "pretrain_seed": "0",
        "pretrain_key": "imagenet tiny 3 0",
        **dict.fromkeys(("partition name", "decoder", "frozen_or_full_ft"), ""),
        **dict.fromkeys(("batch_size_selection", "early_stop_patience", "n_trials"), ""),
        **dict.fromkeys(("batch_size", "weight_decay", "lr"), ""),
    }


def test_evaluma_gets_fractions_by_its_names() -> None:
    found = rows(evaluma_csv(made()))
    assert [row["model"] for row in found[::6]] == [
        "imagenet @ tiny",
        f"{NEW} @ tiny",
        "scratch @ tiny",
    ]
    assert list(found[0].items())[:5] == [
        ("model", "imagenet @ tiny"),
        ("dataset", "town"),
        ("metric", "mIoU"),
        ("score", "0.500"),
        ("seed", "0"),
    ]
    assert {row["metric"] for row in rows(evaluma_csv(replace(made(), metric="mF1")))} == {"f1"}


@both
def test_a_table_read_back_gives_the_same_findings(write: Writer) -> None:
    first = made()
    found = compare(again(write(first)), Request(baselines=("imagenet @ tiny",)))
    assert {c.candidate: c.finding.ci for c in found.contrasts} == {
        f"{c.candidate} @ tiny": c.finding.ci for c in first.contrasts
    }
    (new,) = (c for c in found.contrasts if c.candidate == f"{NEW} @ tiny")
    assert (new.pretrainings, new.finding.level) == ((3, 3), "strategy")


@both
def test_each_run_of_a_model_on_a_dataset_has_a_seed_of_its_own(write: Writer) -> None:
    runs = [
        *pretrained("a", "town", [[50, 51], [52, 53]]),
        *pretrained("b", "town", [[50, 51], [52, 53]]),
        *untrained("c", "town", [40, 41, 42]),
    ]
    found = rows(write(of(runs)))
    seeds = [row.get("Seed") or row.get("seed") for row in found]
    assert seeds == ["0", "1", "2", "3", "0", "1", "2", "3", "0", "1", "2"]


@both
def test_runs_without_a_score_have_no_line(write: Writer) -> None:
    first, *others = made_study().runs
    found = rows(write(of([replace(first, value=None, status="diverged"), *others])))
    assert len(found) == len(others)


@both
def test_shares_of_the_labels_are_models_of_their_own(write: Writer) -> None:
    runs = [*pretrained("a", "town", [50]), *pretrained("a", "town", [40], fraction=0.07)]
    study = again(write(of(runs)))
    assert study.arms == ("a @ tiny (100 % labels)", "a @ tiny (7 % labels)")
    assert [run.label_fraction for run in study.runs] == [1, 0.07]


@both
def test_two_pairs_of_one_name_are_refused(write: Writer) -> None:
    runs = [
        *pretrained("a @ b", "town", [50], backbone="c"),
        *pretrained("a", "town", [50], backbone="b @ c"),
    ]
    with pytest.raises(ComparisonError, match="both called 'a @ b @ c' in tables of other tools"):
        write(of(runs))


@both
def test_models_of_other_tools_keep_their_names(write: Writer, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("model,dataset,metric,score\nA,d,acc,0.5\nB,d,acc,0.6\n", encoding="utf-8")
    comparison = compare(table_study(path), Request(baselines=("A",)))
    assert again(write(comparison)).arms == ("A", "B")


@both
def test_names_are_kept_as_they_are_formulas_too(write: Writer) -> None:
    name = '=HYPERLINK("http://x"),@-+\n"2"\r3'
    study = again(write(of(pretrained(name, "=1\r1", [50]))))
    assert study.arms == (f"{name} @ tiny",)
    assert study.datasets[0].name == "=1\r1"


names = st.text(min_size=1).map(str.strip).filter(bool)


@both
@settings(max_examples=50, deadline=None)
@given(
    scores=st.lists(st.floats(0, 100), min_size=1, max_size=4),
    arm=names,
    dataset=names,
    fraction=st.floats(0, 1, exclude_min=True),
)
def test_every_value_comes_back_to_the_last_bit(
    write: Writer, scores: list[float], arm: str, dataset: str, fraction: float
) -> None:
    runs = pretrained(arm, dataset, scores, fraction=fraction)
    study = again(write(of(runs)))
    assert [(run.value, run.label_fraction, run.pretrain_seed) for run in study.runs] == [
        (run.value, fraction, run.pretrain_seed) for run in runs
    ]
    assert [(run.arm, run.dataset) for run in study.runs] == [(f"{arm} @ tiny", dataset)] * len(
        runs
    )
