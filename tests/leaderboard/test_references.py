from __future__ import annotations

from dataclasses import fields

import pytest

from gpbench.core.errors import DataError
from gpbench_leaderboard.references import Reference, parse_references, read_references

ROW = {
    "kind": "reference",
    "role": "claim",
    "paper": "A paper",
    "claim": "67.4 mIoU",
    "method": "CSP",
    "strategy": "generalised",
    "backbone": "",
    "pretraining": "",
    "dataset": "isaid",
    "metric": "mIoU",
    "quantity": "score",
    "low": "67.4",
    "high": "67.4",
    "protocol": "",
    "evidence": "abstract",
    "source": "arXiv",
    "url": "",
    "caveat": "",
}


def claims(quantity: str, strategy: str) -> set[tuple[str, float | None, float | None]]:
    return {
        (row.dataset, row.low, row.high)
        for row in read_references()
        if (row.role, row.quantity, row.strategy) == ("claim", quantity, strategy)
    }


def test_channel_shuffling_s_four_scores_are_there() -> None:
    assert claims("score", "generalised") == {
        ("isaid", 67.4, 67.4),
        ("mfnet", 56.9, 56.9),
        ("pst900", 84.22, 84.22),
        ("potsdam", 91.88, 91.88),
    }


def test_channel_shuffling_s_gains_are_there_with_what_they_cost() -> None:
    assert claims("gain", "generalised") == {
        ("isaid", 0.8, 1.6),
        ("mfnet", 6.6, 6.6),
        ("pst900", 13.83, 13.83),
        ("", -3.8, -1.4),
    }


@pytest.mark.parametrize("decoder", ["PSANet", "DeepLabV3+"])
def test_gersp_s_gain_is_the_difference_of_its_two_rows(decoder: str) -> None:
    loveda = {row.method: row for row in read_references() if row.dataset == "loveda"}
    score = {
        row.method: row.low
        for row in read_references()
        if row.dataset == "loveda" and row.quantity == "score"
    }
    (gain,) = (
        row.low
        for row in read_references()
        if row.quantity == "gain" and row.method == f"GeRSP-200 + {decoder}"
    )
    with_gersp, ordinary = score[f"GeRSP-200 + {decoder}"], score[f"IMP + {decoder}"]
    assert with_gersp is not None
    assert ordinary is not None
    assert gain == pytest.approx(with_gersp - ordinary)
    assert loveda[f"IMP + {decoder}"].strategy == "imagenet"


def test_study_whose_numbers_nobody_could_read_has_no_number() -> None:
    (row,) = (row for row in read_references() if row.quantity == "statement")
    assert "Sensors" in row.paper
    assert (row.low, row.high) == (None, None)


def test_every_row_says_where_it_is_from() -> None:
    rows = read_references()
    assert len(rows) > 50
    assert all(row.source and row.evidence and row.kind == "reference" for row in rows)
    assert all(row.url.startswith("https://") or not row.url for row in rows)


def test_row_is_read_as_it_stands() -> None:
    (row,) = parse_references([ROW])
    for field in fields(Reference):
        text = ROW[field.name]
        assert getattr(row, field.name) == (67.4 if field.name in {"low", "high"} else text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "own"}, "kind = 'own' in '67.4 mIoU' is not allowed: one of reference"),
        ({"role": "rumour"}, "one of claim, baseline"),
        ({"quantity": "rank"}, "one of score, gain, statement"),
        ({"low": "high"}, "'high' in '67.4 mIoU' is not a number"),
        ({"low": "67.5"}, "low = 67.5, high = 67.4; scores and gains have low <= high"),
        ({"high": ""}, "high = None"),
        ({"quantity": "statement"}, "statements have neither"),
    ],
)
def test_wrong_value_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_references([{**ROW, **change}])
    assert message in str(caught.value)


def test_missing_and_unknown_columns_are_named() -> None:
    row = {name: value for name, value in ROW.items() if name != "caveat"}
    with pytest.raises(DataError, match=r"column\(s\): caveat, note"):
        parse_references([{**row, "note": ""}])
