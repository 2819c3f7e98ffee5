from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpbench.compare.comparison import Request
from gpbench.reports.document import comparison_document
from tests.reports.comparisons import NEW, made, undecided, with_images

TOP = {
    "schema", "alpha", "correction", "family", "margin", "data_hash", "rng_seed", "contrasts",
    "excluded", "fairness", "warnings",
}  # fmt: skip
CONTRAST = {
    "candidate", "baseline", "metric", "verdict", "level", "reason", "scope", "difference", "ci",
    "df", "p", "p_adjusted", "pretrainings", "finetunings", "exact", "needed", "scopes", "datasets",
}  # fmt: skip
ROW = {
    "dataset", "protocol", "backbones", "candidate", "baseline", "candidate_pretrain_seeds",
    "baseline_pretrain_seeds", "difference", "ci", "df", "p", "p_adjusted", "test", "a12",
    "verdict", "level", "images",
}  # fmt: skip


@pytest.fixture
def document() -> dict[str, Any]:
    return comparison_document(made())


def test_every_field_that_other_tools_rely_on_is_there(document: dict[str, Any]) -> None:
    assert set(document) >= TOP
    for contrast in document["contrasts"]:
        assert set(contrast) >= CONTRAST
        assert all(set(row) >= ROW for row in contrast["datasets"])


def test_numbers_are_those_of_the_comparison(document: dict[str, Any]) -> None:
    (new, scratch) = document["contrasts"]
    assert (new["candidate"], new["baseline"], new["scope"]) == (NEW, "imagenet", "fixed-suite")
    assert new["difference"] == pytest.approx((59 - 154 / 3 + 95 / 3 - 94 / 3) / 2)
    town = new["datasets"][0]
    assert (town["candidate"], town["candidate_pretrain_seeds"]) == ([58, 59, 60], [0, 1, 2])
    assert (town["test"], town["a12"], town["protocol"]) == ("welch", 1.0, "p/1")
    assert scratch["datasets"][0]["candidate_pretrain_seeds"] == [None, None, None]
    assert (new["pretrainings"], scratch["pretrainings"]) == ([3, 3], [0, 3])
    assert document["family"] == {"headline": 2, "rows": 4, "backbones": 0}


def test_another_metric_and_synthetic_data_are_marked(document: dict[str, Any]) -> None:
    town, field = document["contrasts"][0]["datasets"]
    assert (town["headline"], town["synthetic"], field["synthetic"]) == (None, False, True)
    assert field["headline"]["metric"] == "mF1"
    assert field["headline"]["baseline"] == pytest.approx(94 / 3 + 10)


def test_what_is_not_computed_is_null(document: dict[str, Any]) -> None:
    (contrast, _) = document["contrasts"]
    assert (contrast["scopes"], contrast["backbones"], contrast["baselines"]) == ([], [], [])
    assert (contrast["equivalence"], contrast["sensitivity"]) == (None, None)
    assert contrast["datasets"][0]["images"] is None
    (nothing,) = comparison_document(undecided())["contrasts"]
    assert nothing["exact"] is None
    assert [nothing[name] for name in ("ci", "df", "p", "p_adjusted")] == [None] * 4
    assert (nothing["verdict"], nothing["level"], nothing["difference"]) == (
        "undecidable", "checkpoint", 5.0,
    )  # fmt: skip


def test_equivalence_holds_the_wider_interval() -> None:
    document = comparison_document(made(Request(margin=20.0)))
    contrast = document["contrasts"][0]
    assert contrast["equivalence"]["ci"][0] > contrast["ci"][0]
    assert document["margin"] == 20


def test_fairness_names_the_field_and_both_values(document: dict[str, Any]) -> None:
    assert document["fairness"] == [
        {"arm": NEW, "baseline": "imagenet", "field": "pre-trainings run", "values": ["6", "3"]}
    ]


def test_the_document_is_plain_json(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_claims_about_images_have_their_scenes_and_classes() -> None:
    (contrast,) = comparison_document(with_images())["contrasts"]
    images = contrast["datasets"][0]["images"]
    assert (images["clusters"], list(images["classes"])) == (8, ["road", "roof"])
    assert images["classes"]["road"]["pixels"] == 800
    assert 0 < images["swap_p"] <= 1
    assert 0 < images["classes"]["roof"]["q"] <= 1
    (contrast,) = comparison_document(with_images(runs_per_arm=3))["contrasts"]
    assert contrast["datasets"][0]["images"]["swap_p"] is None


def test_every_field_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    section = page.split("## `gpbench.compare/1`")[1].split("\n## ")[0]
    explained = {
        word for code in re.findall("`(.*?)`", section) for word in re.findall(r"\w+", code)
    }
    for comparison in (made(), made(Request(margin=1.0)), undecided(), with_images()):
        assert set(_fields(comparison_document(comparison))) - explained <= {"schema"}


def _fields(value: object) -> Iterator[str]:
    """Yield the keys of all objects but of those whose keys are names of classes or of effects."""
    if isinstance(value, dict):
        for name, of_name in value.items():
            yield name
            named = name in ("classes", "effects")
            for each in of_name.values() if named else [of_name]:
                yield from _fields(each)
    elif isinstance(value, list):
        for each in value:
            yield from _fields(each)
