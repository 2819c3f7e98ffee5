from __future__ import annotations

from pathlib import Path

import pytest

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.table import ONE_MODEL, table_study
from gpbench.compare.table_dialects import OWN_BACKBONE
from gpbench.core.errors import ConfigError

GEO = (
    "dataset,Metric,test metric,mlflow_run_id,Seed,experiment_name,batch_size,lr,decoder,backbone,"
    "early_stop_patience,n_trials,data_percentages,batch_size_selection,weight_decay,"
    "frozen_or_full_ft"
)
SEEDED = "model,dataset,metric,score,seed"


def geo(
    score: str,
    *,
    backbone: str = "dofa",
    dataset: str = "pastis",
    seed: int = 913,
    metric: str = "Multiclass_Jaccard_Index",
    percentages: str = "100",
    tuned: str = "full_ft",
) -> str:
    return (
        f"{dataset},{metric},{score},8bf0,{seed},final_{backbone},16,2.1e-05,UNet,{backbone},10.0,16,"
        f"{percentages},HPO,0.01,{tuned}"
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "results_and_parameters.csv"


def write(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def refusal(path: Path, **asked: str) -> str:
    with pytest.raises(ConfigError) as caught:
        table_study(path, **asked)
    return str(caught.value)


def two_models(table: Path) -> Path:
    scores = {"dofa": ("0.61", "0.62", "0.63"), "prithvi": ("0.71", "0.72", "0.74")}
    rows = [
        geo(score, backbone=backbone, dataset=dataset, seed=seed)
        for backbone, found in scores.items()
        for dataset in ("caffe", "pastis")
        for seed, score in enumerate(found)
    ]
    return write(table, GEO, *rows)


def compared(path: Path, baseline: str) -> Comparison:
    return compare(table_study(path), Request(baselines=(baseline,)))


def test_backbones_of_geo_bench_2_are_the_strategies(table: Path) -> None:
    study = table_study(two_models(table))
    assert (study.arms, study.metric) == (("dofa", "prithvi"), "Multiclass_Jaccard_Index")
    assert {(run.backbone, run.pretrain_seed) for run in study.runs} == {(OWN_BACKBONE, 0)}
    first = study.runs[0]
    assert (first.value, first.finetune_seed, first.label_fraction) == (61.0, 0, 1.0)
    assert [dataset.protocol for dataset in study.datasets] == ["full_ft", "full_ft"]


def test_the_claim_is_about_these_models_and_the_report_says_how_the_table_was_read(
    table: Path,
) -> None:
    comparison = compared(two_models(table), "dofa")
    (contrast,) = comparison.contrasts
    assert (contrast.finding.verdict, contrast.finding.level) == ("better", "checkpoint")
    assert contrast.finding.difference == pytest.approx(10 + 1 / 3)
    (told,) = [w for w in comparison.warnings if "pretrain_seed" in w]
    assert told == (
        "dofa, prithvi: a table of GEO-Bench-2, its backbones taken as strategies; "
        f"{ONE_MODEL.sentence}"
    )


def test_a_strategy_column_keeps_the_backbones(table: Path) -> None:
    rows = (f"{geo('0.5')},new", f"{geo('0.4', backbone='vit')},new", f"{geo('0.3')},old")
    study = table_study(write(table, f"{GEO},strategy", *rows))
    assert study.arms == ("new", "old")
    assert {run.backbone for run in study.runs} == {"dofa", "vit"}
    assert {caution.sentence for caution in study.cautions.values()} == {ONE_MODEL.sentence}


def test_pretrainings_that_are_numbered_need_no_assumption(table: Path) -> None:
    rows = (f"{geo('0.5')},0", f"{geo('0.6', seed=4)},1")
    study = table_study(write(table, f"{GEO},pretrain_seed", *rows))
    assert [run.pretrain_seed for run in study.runs] == [0, 1]
    assert study.cautions == {}


@pytest.mark.parametrize("share", ["10%", "10", "10.0"])
def test_percentages_are_shares_of_the_labels(table: Path, share: str) -> None:
    (run,) = table_study(write(table, GEO, geo("0.5", percentages=share))).runs
    assert run.label_fraction == 0.1


def test_all_columns_of_a_submission_are_known(table: Path) -> None:
    more = ("mlflow_run_name", "mlflow_run_status", "experiment_id", "index", "partition_name")
    header = ",".join([GEO, *more, "partition name"])
    assert len(header.split(",")) == 22
    assert table_study(write(table, header, f"{geo('0.5')},,,,,,100%")).arms == ("dofa",)


def test_models_of_evaluma_are_the_strategies(table: Path) -> None:
    rows = ("A,d1,acc,0.85,1", "A,d1,acc,0.9,2", "B,d1,acc,0.45,1")
    study = table_study(write(table, SEEDED, *rows))
    assert study.arms == ("A", "B")
    assert [run.value for run in study.runs] == [85, 90, 45]
    assert [run.finetune_seed for run in study.runs] == [1, 2, 1]
    (told,) = {caution.sentence for caution in study.cautions.values()}
    assert told.startswith("a table of evaluma, its models taken as strategies; no pretrain_seed")


def test_a_table_of_evaluma_needs_no_seed(table: Path) -> None:
    (run,) = table_study(write(table, "model,dataset,metric,score", "A,d1,acc,1")).runs
    assert (run.value, run.finetune_seed) == (100, 0)


def test_a_score_is_read_as_it_is_written(table: Path) -> None:
    """0.07 * 100 is more than 7, and 0.57 * 100 less than 57."""
    rows = ("A,d1,acc,0.07,1", "A,d1,acc,0.57,2", "A,d1,acc,3e-3,3")
    study = table_study(write(table, SEEDED, *rows))
    assert [run.value for run in study.runs] == [7, 57, 0.3]


@pytest.mark.parametrize(
    ("header", "rows", "told"),
    [
        (
            SEEDED,
            ["A,d,acc,61.7,0", "A,d,acc,60,1"],
            (
                "lines 2-3: score = '61.7' and 1 other: scores of evaluma are fractions, 0 to 1, "
                "these are none: 0.617 in place of 61.7"
            ),
        ),
        (
            SEEDED,
            ["A,d,acc,0.617,0", "A,d,acc,60,1"],
            "line 3: score = '60': scores of evaluma are fractions, 0 to 1, the table mixes perc",
        ),
        (SEEDED, ["A,d,acc,,0"], "line 2: score = '': no number: a run without a score is left"),
        (SEEDED, ["A,d,acc,nan,0"], "line 2: score = 'nan': no number: a run without a score is"),
        (SEEDED, ["A,d,acc,-0.1,0"], "line 2: score = '-0.1': scores of evaluma are fractions"),
        (SEEDED, ["A,d,acc,0.5,x"], "line 2: seed = 'x': a whole number from 0 on"),
        (SEEDED, [",d,acc,0.5,0"], "line 2: model is empty: give a name"),
        (
            SEEDED,
            ["A,d,acc,0.5,0", "A,d,iou,0.5,1"],
            "metrics are mixed (acc on d; iou on d): choose one by --metric acc or --metric iou",
        ),
        (SEEDED, ["A,d,rmse,0.5,0"], "of rmse less is better, a comparison takes scores of which"),
        (
            SEEDED,
            ["A,d,acc,0.5,0", "A,d,acc,0.6,0"],
            "line 3: the same strategy, backbone, dataset, label_fraction and seeds as line 2",
        ),
        ("model,dataset,score", ["A,d,0.5"], "read as a table of evaluma, for its column score"),
        ("model,dataset,score", ["A,d,0.5"], "add metric"),
        (
            f"{SEEDED},backbone",
            ["A,d,acc,0.5,0,net"],
            (
                "model and backbone can both be what is compared: rename that one to strategy, the "
                "other to backbone, and score to value, in percent points"
            ),
        ),
        (
            f"{SEEDED},pretrain_sed",
            ["A,d,acc,0.5,0,1"],
            "leave out pretrain_sed, which no column is called; columns are model, dataset, metric",
        ),
        (f"{SEEDED},seed", ["A,d,acc,0.5,0,1"], "seed is there twice"),
        (
            f"{GEO},value",
            [f"{geo('0.5')},50"],
            (
                "read as a table of GEO-Bench-2, for its column test metric: test metric and value "
                "both hold the value: leave one out"
            ),
        ),
        (
            f"{GEO},label_fraction",
            [f"{geo('0.5')},1"],
            "data_percentages and label_fraction both hold the label_fraction: leave one out",
        ),
        (GEO, [geo("0.5", percentages="x")], "data_percentages = 'x': percent of the labels, more"),
        (GEO, [geo("0.5", percentages="0%")], "data_percentages = '0%': percent of the labels, mo"),
        (GEO, [geo("0.5", seed=-1)], "line 2: Seed = '-1': a whole number from 0 on"),
        (GEO, [geo("71")], "line 2: test metric = '71': scores of GEO-Bench-2 are fractions"),
        (
            GEO,
            [geo("0.5"), geo("0.6", backbone="vit", tuned="frozen")],
            (
                "line 3: protocol 'frozen' here, protocol 'full_ft' on line 2: protocols of a "
                "dataset are mixed; --protocol chooses one"
            ),
        ),
        ("backbone,dataset,test metric", ["a,d,0.5"], "add Metric, Seed"),
    ],
)
def test_a_bad_table_is_refused_with_what_is_wrong(
    table: Path, header: str, rows: list[str], told: str
) -> None:
    assert told in refusal(write(table, header, *rows))


def test_one_metric_of_several_is_chosen(table: Path) -> None:
    rows = (geo("0.5"), geo("0.9", dataset="benv2", metric="Multilabel_F1_Score"))
    study = table_study(write(table, GEO, *rows), metric="Multilabel_F1_Score")
    assert [(run.dataset, run.value) for run in study.runs] == [("benv2", 90)]


def test_our_own_columns_are_no_other_tools(table: Path) -> None:
    told = refusal(write(table, "strategy,model,dataset,seed,score", "a,net,town,0,0.5"))
    assert "rename model to backbone, score to value" in told
