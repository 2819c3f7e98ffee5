from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.compare.table import NO_PRETRAINING, UNITS, table_study
from gpbench.compare.table_rows import read_table
from gpbench.core.errors import ConfigError, DataError, UnknownNameError

HEADER = "strategy,backbone,dataset,seed,value"
PRETRAINED = f"{HEADER},pretrain_seed"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "results.csv"


def write(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def refusal(path: Path, **asked: str) -> str:
    with pytest.raises(ConfigError) as caught:
        table_study(path, **asked)
    return str(caught.value)


def test_without_a_pretrain_seed_every_row_is_a_unit(table: Path) -> None:
    study = table_study(write(table, HEADER, "b,net,town,0,50.5", "a,net,town,3,40"))
    first, second = study.runs
    assert (first.pretrain_seed, first.pretrain_key, first.value) == (None, None, 50.5)
    assert (second.finetune_seed, second.label_fraction, second.status) == (3, 1.0, "ok")
    assert (study.arms, study.name, study.metric) == (("a", "b"), "results.csv", "score")


def test_equal_strategy_backbone_and_pretrain_seed_are_one_pretraining(table: Path) -> None:
    rows = ("a,net,town,0,50,1", "a,net,field,0,50,1", "a,big,town,0,50,1", "a,net,town,0,50,2")
    town, field, big, other = table_study(write(table, PRETRAINED, *rows)).runs
    assert town.pretrain_key == field.pretrain_key
    assert len({town.pretrain_key, big.pretrain_key, other.pretrain_key}) == 3


def test_a_pretrain_key_says_otherwise(table: Path) -> None:
    rows = ("a,net,town,0,50,1,k3", "a,net,field,0,50,1,k4")
    town, field = table_study(write(table, f"{PRETRAINED},pretrain_key", *rows)).runs
    assert (town.pretrain_key, field.pretrain_key) == ("k3", "k4")


def test_a_run_without_a_value_has_a_status(table: Path) -> None:
    study = table_study(write(table, f"{HEADER},status", "a,net,town,0,,diverged"))
    assert (study.runs[0].value, study.runs[0].status) == (None, "diverged")


def test_the_order_of_columns_blank_lines_and_a_byte_order_mark_do_not_matter(table: Path) -> None:
    table.write_text("value,seed,dataset,backbone,strategy\n\n50,0,town,net,a\n", "utf-8-sig")
    assert table_study(table).runs[0].arm == "a"


def test_all_bad_cells_are_named_with_their_lines(table: Path) -> None:
    message = refusal(
        write(table, PRETRAINED, "a,net,town,0,x,0", ",net,town,-1,50,0.5", "a,net,town,0,101,0")
    )
    assert message.startswith(f"{table}: 5 problems")
    for start in (
        "line 2: value = 'x': no number; a run without a score has an empty value",
        "line 3: strategy is empty",
        "line 3: seed = '-1'",
        "line 3: pretrain_seed = '0.5'",
        "line 4: value = '101'",
    ):
        assert f"- {start}" in message


@pytest.mark.parametrize(
    ("header", "rows", "told"),
    [
        (
            HEADER,
            ["a,net,town,0"],
            "line 2: 4 cells where the header has 5: an empty cell keeps its",
        ),
        (HEADER, ["a,net,town,0,61,65"], "line 2: 6 cells where the header has 5: a cell with a"),
        (
            HEADER,
            ["a,net,town,0,"],
            (
                "line 2: value is empty: a run without a score has an empty value and, in the "
                "column status, one of diverged"
            ),
        ),
        (HEADER, ["a,net,town,0,nan"], "line 2: value = 'nan': no number; a run without a score"),
        (HEADER, ["a,net,town,0,61.7%"], "'61.7%': write the number without a percent sign"),
        (HEADER, ['a,net,town,0,"61,65"'], "value = '61,65': a decimal comma: write a point"),
        (HEADER, ["a,net,town,0,-3"], "line 2: value = '-3': percent points are 0 to 100"),
        (HEADER, ["a,net,town,0.5,50"], "line 2: seed = '0.5': a whole number from 0 on"),
        (HEADER, ["a,net,town,,50"], "line 2: seed is empty: a whole number from 0 on"),
        (
            f"{HEADER},status",
            ["a,net,town,0,50,oom"],
            "line 2: a value beside status = 'oom': leave it empty, or write ok where",
        ),
        (f"{HEADER},status", ["a,net,town,0,,lost"], "line 2: status = 'lost': ok for a run with"),
        (
            f"{HEADER},label_fraction",
            ["a,net,town,0,50,10"],
            (
                "line 2: label_fraction = '10': a fraction of the labels, more than 0 and at most "
                "1: 0.1 is 10 %"
            ),
        ),
        (f"{HEADER},pretrain_key", ["a,net,town,0,50,k"], "pretrain_key needs a pretrain_seed"),
        (
            HEADER,
            ["a,net,town,0,50", "a,net,town,0,51"],
            (
                "line 3: the same strategy, backbone, dataset, label_fraction and seeds as line 2: "
                "leave one out, or number fine-tunings in seed and pre-trainings in pretrain_seed"
            ),
        ),
        (
            f"{HEADER},metric",
            ["a,net,town,0,50,mIoU", "a,net,town,1,50,mF1"],
            "metrics are mixed (mF1 on town; mIoU on town): choose one by --metric mF1 or --metric",
        ),
        (
            f"{HEADER},metric",
            ["a,net,town,0,50,mIoU", "a,net,town,1,50,"],
            "line 3: metric is empty: name it in all rows, or in none",
        ),
        (
            f"{HEADER},protocol",
            ["a,net,town,0,50,p", "a,net,field,0,50,q", "a,net,town,1,50,q"],
            "line 4: protocol 'q' here, protocol 'p' on line 2: protocols of a dataset are mixed",
        ),
        (
            HEADER,
            ["Ours,net,town,0,50", "ours,net,town,1,50"],
            "strategy ours here, strategy Ours on line 2: names that differ in capitals only",
        ),
        (
            HEADER,
            ["a,net,town,0,50", "b,net,Town,0,50"],
            "line 3: dataset Town here, dataset town on line 2: names that differ in capitals only",
        ),
        (
            PRETRAINED,
            ["a,net,town,0,50,0", "a,net,town,1,50,"],
            (
                "line 3: no pretrain_seed here, a pretrain_seed on line 2: either all rows of a "
                "strategy have a pretrain_seed, or none"
            ),
        ),
        (
            f"{PRETRAINED},pretrain_key",
            ["a,net,town,0,50,0,k", "a,net,town,0,50,1,k"],
            (
                "line 3: backbone net and pretrain_seed 1 here, backbone net and pretrain_seed 0 "
                "on line 2: one pretrain_key is one backbone and one pretrain_seed"
            ),
        ),
        (
            f"{PRETRAINED},pretrain_key",
            ["a,net,town,0,50,0,k", "a,net,town,1,50,0,l"],
            "pretrain_key l here, pretrain_key k on line 2: a pretrain_seed is one pretrain_key",
        ),
        (
            HEADER,
            ["a,net,town,0,55", "b,net,town,0,0.6"],
            "line 3: value = 0.6: metric mixes percent and fraction: give percent points, 61.7",
        ),
        (
            HEADER,
            ["a,net,town,0,51", "b,net,town,0,52", "a,net,field,0,0", "b,net,field,0,0.61"],
            "line 5: value = 0.61: metric mixes percent and fraction",
        ),
        (
            HEADER,
            ["a,net,town,0,0.5", "b,net,town,0,0.6"],
            "lines 2-3: value = 0.5 and 1 other: a fraction: give percent",
        ),
        (
            "strategy,dataset,seed,value",
            ["a,town,0,50"],
            "add backbone (one name for all rows will do); columns are strategy, backbone,",
        ),
        (HEADER.replace(",", ";"), ["a;net;town;0;50,5"], "is separated by semicolons: save the"),
        (HEADER.replace(",", "\t"), ["a\tnet\ttown\t0\t50"], "is separated by tabs: save the"),
        (f"{HEADER},value", ["a,net,town,0,50,50"], "value is there twice; columns are"),
        (
            "Strategy,Backbone,Dataset,Seed,mIoU",
            ["a,net,town,0,50"],
            (
                "rename Strategy to strategy, Backbone to backbone, Dataset to dataset, Seed to "
                "seed, mIoU to value; columns are"
            ),
        ),
        (
            "method,model,dataset,mIoU,mF1,lr",
            ["a,net,town,50,60,1"],
            (
                "rename method to strategy, model to backbone, mIoU or mF1 to value; leave out lr, "
                "which no column is called; add seed (number the fine-tunings"
            ),
        ),
        (f",{HEADER}", ["0,a,net,town,0,50"], "leave out the one without a name"),
    ],
)
def test_a_bad_table_is_refused_with_what_is_wrong(
    table: Path, header: str, rows: list[str], told: str
) -> None:
    assert told in refusal(write(table, header, *rows))


def test_an_unknown_column_is_an_error_with_the_nearest_name(table: Path) -> None:
    told = refusal(write(table, f"{HEADER},pretrain_sed", "a,net,town,0,50,0"))
    assert "rename pretrain_sed to pretrain_seed; columns are" in told


def test_a_column_that_is_there_is_no_new_name(table: Path) -> None:
    told = refusal(write(table, f"{HEADER},mIoU", "a,net,town,0,50,50"))
    assert "leave out mIoU, which no column is called" in told
    assert "rename" not in told


def test_equal_problems_are_told_once_with_their_lines(table: Path) -> None:
    rows = [f"a,net,town,{seed},50" for seed in range(8)]
    for place in (0, 1, 2, 6):
        rows[place] = f"a,net,town,{place},n/a"
    rows[4] = "a,net,,4,50"
    rows[7] = "a,net,town,7,-"
    message = refusal(write(table, HEADER, *rows)).splitlines()
    assert message[0] == f"{table}: 2 problems"
    assert message[1].startswith("  - lines 2-4, 8-9: value = 'n/a' and 1 other: no number;")
    assert message[2] == "  - line 6: dataset is empty: give a name"


def test_of_many_spans_of_lines_the_first_are_shown(table: Path) -> None:
    rows = [f"a,net,town,{seed},{'x' if seed % 2 else 50}" for seed in range(30)]
    told = refusal(write(table, HEADER, *rows))
    assert ": lines 3, 5, 7, 9, 11, 13, 15, 17, 19, 21 and more, 15 in all: value = 'x': no" in told


@pytest.mark.parametrize("cell", ["x", "-3", "120", "nan", "1e400", "61.7%", "", "0,6"])
def test_no_words_of_the_validator_reach_the_user(table: Path, cell: str) -> None:
    header = f"{HEADER},label_fraction,pretrain_seed,status"
    told = refusal(write(table, header, *(f'a,net,town,0,"{cell}","{cell}","{cell}","{cell}"',)))
    assert "Input should" not in told
    assert "Value error" not in told


def test_a_file_that_is_no_table_is_refused(table: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        table_study(table)
    with pytest.raises(DataError, match="no header in its first line: at least strategy,backbo"):
        table_study(write(table, ""))
    with pytest.raises(DataError, match="a header and no rows"):
        table_study(write(table, HEADER))
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="save the table as CSV UTF-8"):
        table_study(table)


def test_a_protocol_chooses_its_rows(table: Path) -> None:
    rows = ("a,net,town,0,50,p", "a,net,town,0,60,q")
    write(table, f"{HEADER},protocol", *rows)
    study = table_study(table, protocol="q")
    assert [run.value for run in study.runs] == [60]
    assert study.datasets[0].protocol == "q"
    with pytest.raises(UnknownNameError, match="unknown protocol 'r'"):
        table_study(table, protocol="r")


def test_the_metric_is_the_columns_and_no_other(table: Path) -> None:
    write(table, f"{HEADER},metric", "a,net,town,0,50,mF1")
    assert table_study(table).metric == table_study(table, "mF1").metric == "mF1"
    with pytest.raises(UnknownNameError, match="unknown metric 'mIoU'"):
        table_study(table, "mIoU")


def test_a_metric_chooses_its_rows(table: Path) -> None:
    rows = ("a,net,town,0,50,mIoU", "a,net,town,0,60,mF1", "a,net,field,0,70,mF1")
    study = table_study(write(table, f"{HEADER},metric", *rows), metric="mF1")
    assert (study.metric, [run.value for run in study.runs]) == ("mF1", [60, 70])
    assert [dataset.name for dataset in study.datasets] == ["field", "town"]


def test_a_metric_can_be_named_for_a_table_without_one(table: Path) -> None:
    assert table_study(write(table, HEADER, "a,net,town,0,50"), "OA").metric == "OA"


@settings(max_examples=10)
@given(
    st.permutations(
        [
            f"{a},net,{d},{s},{50 + s + len(d)},{s}"
            for a in ("imagenet", "new")
            for d in ("town", "field")
            for s in range(3)
        ]
    )
)
def test_permuting_the_rows_changes_nothing(rows: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "t.csv", PRETRAINED, *rows)
        found = compare(table_study(path), Request())
        expected = compare(
            table_study(write(Path(folder) / "t.csv", PRETRAINED, *sorted(rows))), Request()
        )
    assert found.contrasts == expected.contrasts
    assert found.data_hash == expected.data_hash


def test_rows_are_known_by_the_lines_of_the_file(table: Path) -> None:
    write(table, HEADER, "a,net,town,0,50", "", "a,net,town,1,51")
    assert sorted(read_table(table).rows) == [2, 4]


def test_a_table_without_pretraining_numbers_says_that_its_rows_are_taken_as_units(
    tmp_path: Path,
) -> None:
    rows = [f"{arm},net,town,{seed},{50 + seed}" for arm in "ab" for seed in range(3)]
    path = write(tmp_path / "results.csv", HEADER, *rows)
    found = compare(table_study(path), Request(baselines=("a",)))
    (told,) = [w for w in found.warnings if "pretrain_seed" in w]
    assert told.startswith("a, b: no pretrain_seed: each row is taken as a pre-training of its own")
    (contrast,) = found.contrasts
    assert contrast.finding.reason.endswith(UNITS.condition)


def test_an_arm_without_pretraining_numbers_beside_others_is_pointed_out(tmp_path: Path) -> None:
    rows = [f"a,net,town,{s},{50 + s},{s}" for s in range(3)]
    rows += [f"{arm},net,town,{s},{40 + s}," for s in range(3) for arm in ("b", "scratch")]
    path = write(tmp_path / "results.csv", f"{HEADER},pretrain_seed", *rows)
    found = compare(table_study(path), Request(baselines=("a",)))
    (told,) = [w for w in found.warnings if "pretrain_seed" in w]
    assert told.startswith("b: no pretrain_seed, which other strategies have")
    reasons = {c.candidate: c.finding.reason for c in found.contrasts}
    assert reasons["b"].endswith(NO_PRETRAINING.condition)
    assert NO_PRETRAINING.condition not in reasons["scratch"]
