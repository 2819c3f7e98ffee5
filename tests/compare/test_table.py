from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.compare.table import table_study
from gpbench.compare.table_rows import read_rows
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
        "line 2: value = 'x'",
        "line 3: strategy is empty",
        "line 3: seed = '-1'",
        "line 3: pretrain_seed = '0.5'",
        "line 4: value = '101'",
    ):
        assert f"- {start}" in message


@pytest.mark.parametrize(
    ("header", "rows", "told"),
    [
        (HEADER, ["a,net,town,0"], "line 2: 4 cells, the header has 5"),
        (HEADER, ["a,net,town,0,"], "line 2: value is empty; a run without one has a status of"),
        (HEADER, ["a,net,town,0,nan"], "line 2: value = 'nan'"),
        (f"{HEADER},status", ["a,net,town,0,,lost"], "line 2: status = 'lost'"),
        (f"{HEADER},label_fraction", ["a,net,town,0,50,10"], "line 2: label_fraction = '10'"),
        (f"{HEADER},pretrain_key", ["a,net,town,0,50,k"], "pretrain_key needs a pretrain_seed"),
        (
            HEADER,
            ["a,net,town,0,50", "a,net,town,0,51"],
            "line 3: the same strategy, backbone, dataset and seeds as line 2",
        ),
        (
            f"{HEADER},metric",
            ["a,net,town,0,50,mIoU", "a,net,town,1,50,mF1"],
            "mF1 on town, mIoU on town: a comparison needs one metric",
        ),
        (
            f"{HEADER},protocol",
            ["a,net,town,0,50,p", "a,net,field,0,50,q", "a,net,town,1,50,q"],
            "line 4: 'q' here and 'p' on line 2: protocols of a dataset are mixed",
        ),
        (
            PRETRAINED,
            ["a,net,town,0,50,0", "a,net,town,1,50,"],
            "either all rows of a strategy on a dataset have a pretrain_seed, or none",
        ),
        (
            f"{PRETRAINED},pretrain_key",
            ["a,net,town,0,50,0,k", "a,net,town,0,50,1,k"],
            "one pretrain_key is one backbone and one pretrain_seed",
        ),
        (
            f"{PRETRAINED},pretrain_key",
            ["a,net,town,0,50,0,k", "a,net,town,1,50,0,l"],
            "a pretrain_seed is one pretrain_key on each dataset",
        ),
        (
            HEADER,
            ["a,net,town,0,55", "b,net,town,0,0.6"],
            "line 3: value = 0.6 (metric mixes percent and fraction)",
        ),
        (
            HEADER,
            ["a,net,town,0,51", "b,net,town,0,52", "a,net,field,0,0", "b,net,field,0,0.61"],
            "line 5: value = 0.61 (metric mixes percent and fraction): give percent points",
        ),
        (
            HEADER,
            ["a,net,town,0,0.5", "b,net,town,0,0.6"],
            "line 2: value = 0.5 (a fraction): give percent",
        ),
        ("strategy,dataset,seed,value", ["a,town,0,50"], "the header lacks backbone; columns"),
        ("strategy;backbone;dataset", ["a;net;town"], "separated by commas"),
        (f"{HEADER},value", ["a,net,town,0,50,50"], "the column value stands twice"),
    ],
)
def test_a_bad_table_is_refused_with_what_is_wrong(
    table: Path, header: str, rows: list[str], told: str
) -> None:
    assert told in refusal(write(table, header, *rows))


def test_an_unknown_column_is_an_error_with_the_nearest_name(table: Path) -> None:
    told = refusal(write(table, f"{HEADER},pretrain_sed", "a,net,town,0,50,0"))
    assert "Did you mean 'pretrain_seed'?" in told


def test_of_many_problems_the_first_are_shown(table: Path) -> None:
    told = refusal(write(table, HEADER, *["a,net,town,0,x"] * 30))
    assert told.endswith("  - and 10 more")
    assert told.count("line ") == 20


def test_a_file_that_is_no_table_is_refused(table: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        table_study(table)
    with pytest.raises(DataError, match="a header and no rows"):
        table_study(write(table, HEADER))
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no UTF-8 table"):
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
    assert sorted(read_rows(table)) == [2, 4]


def test_rows_without_a_pretraining_number_are_said_to_be_taken_as_units(tmp_path: Path) -> None:
    rows = [f"{arm},net,town,{seed},{50 + seed}" for arm in "ab" for seed in range(3)]
    path = write(tmp_path / "results.csv", HEADER, *rows)
    found = compare(table_study(path), Request(baselines=("a",)))
    (told,) = [w for w in found.warnings if "no pretrain_seed" in w]
    assert told.startswith("no pretrain_seed for a, b: each row is taken as a pre-training")
