from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from gpbench.core.dataset import Band, DatasetInfo, Protocol
from gpbench.core.errors import DataError
from gpbench.core.plan import JsonObject
from gpbench.reports.score_document import score_document

INFO = DatasetInfo("Roofs", 1, (Band("red"),), ("road", "roof", "tree", "clutter"))
PROTOCOL = Protocol("halves", 2, "mF1", 8, 8, excluded=("clutter",))
COUNTS = np.array([[3, 1, 0, 0], [2, 4, 0, 0], [0, 0, 0, 0], [5, 0, 0, 7]])


def document(counts: object = COUNTS, protocol: Protocol = PROTOCOL) -> JsonObject:
    return score_document("roofs", INFO, protocol, np.asarray(counts), images=2, n_px=30)


def test_scores_are_percent_points_and_null_where_nothing_is_scored() -> None:
    found = document()
    assert (found["schema"], found["dataset"], found["images"]) == ("gpbench.score/1", "roofs", 2)
    assert (found["protocol"], found["metric"]) == ("halves/2", "mF1")
    assert found["value"] == pytest.approx(100 * (6 / 9 + 8 / 11) / 2)
    assert found["accuracy"] == pytest.approx(70)
    assert found["majority"] == pytest.approx(100 * (2 * 6 / 16) / 2)
    assert found["per_class"]["road"] == pytest.approx(
        {"iou": 50, "f1": 200 / 3, "precision": 60, "recall": 75}
    )
    nothing = {"iou": None, "f1": None, "precision": None, "recall": None}
    assert found["per_class"]["tree"] == found["per_class"]["clutter"] == nothing


def test_iou_is_the_headline_where_the_protocol_says_so() -> None:
    protocol = dataclasses.replace(PROTOCOL, metric="mIoU")
    assert document(protocol=protocol)["value"] == pytest.approx(100 * (3 / 6 + 4 / 7) / 2)


def test_what_was_not_scored_is_said() -> None:
    found = document()
    assert found["pixels"] == {"scored": 10, "left_out": 20}
    assert found["absent"] == ["tree"]
    assert found["never_predicted"] == ["tree"]


def test_absent_is_said_of_labels_and_never_predicted_of_predictions() -> None:
    counts = np.zeros((4, 4), dtype=np.int64)
    counts[0, 0], counts[0, 1], counts[2, 0] = 1, 1, 1
    found = document(counts)
    assert (found["absent"], found["never_predicted"]) == (["roof"], ["tree"])


def test_a_class_that_is_predicted_on_excluded_pixels_only_is_never_predicted() -> None:
    counts = COUNTS.copy()
    counts[:3, 1], counts[3, 1] = 0, 9
    assert document(counts)["never_predicted"] == ["roof", "tree"]


def test_document_is_json_without_nan() -> None:
    assert json.loads(json.dumps(document(), allow_nan=False)) == document()


def test_labels_that_are_all_ignored_are_an_error() -> None:
    with pytest.raises(DataError, match="no pixel can be scored"):
        document(np.zeros((4, 4), dtype=np.int64))
