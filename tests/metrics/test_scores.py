"""Scores from counts: by hand, by property, and against peers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mmseg.evaluation.metrics.iou_metric import IoUMetric
from numpy.typing import NDArray
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score
from torchmetrics.functional.classification import multiclass_f1_score, multiclass_jaccard_index

from gpbench.core.dataset import Metric, Protocol
from gpbench.core.errors import DataError, UnknownNameError
from gpbench.metrics import confusion_counts, majority_score, mean_scores, score

Counts = NDArray[np.int64]
CLASSES = ("road", "roof", "tree")
HAND = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])
"""IoU 3/6 and 4/7; F1 6/9 and 8/11; `tree` occurs nowhere."""

tables = arrays(np.int64, (3, 3), elements=st.integers(0, 50))


def test_scores_by_hand() -> None:
    scores = score(HAND, CLASSES)
    np.testing.assert_allclose(scores.iou, [3 / 6, 4 / 7, np.nan])
    np.testing.assert_allclose(scores.f1, [6 / 9, 8 / 11, np.nan])
    np.testing.assert_allclose(scores.precision, [3 / 5, 4 / 5, np.nan])
    np.testing.assert_allclose(scores.recall, [3 / 4, 4 / 6, np.nan])
    assert scores.accuracy == pytest.approx(7 / 10)
    assert scores.miou == pytest.approx((3 / 6 + 4 / 7) / 2)
    assert scores.mf1 == pytest.approx((6 / 9 + 8 / 11) / 2)
    assert scores.headline("mIoU") == scores.miou
    assert scores.headline("mF1") == scores.mf1


def test_an_absent_class_counts_as_zero_only_where_the_protocol_says_so() -> None:
    scores = score(HAND, CLASSES, absent="zero")
    assert scores.iou[2] == scores.f1[2] == scores.precision[2] == scores.recall[2] == 0.0
    assert scores.miou == pytest.approx((3 / 6 + 4 / 7) / 3)
    assert scores.accuracy == pytest.approx(7 / 10)


@pytest.mark.parametrize(("absent", "miou"), [("drop", 0.75), ("zero", 0.375)])
def test_a_class_that_is_only_predicted_is_absent_as_for_every_other_model(
    absent: Any, miou: float
) -> None:
    scores = score(np.array([[3, 1], [0, 0]]), ("road", "roof"), absent=absent)
    other = score(np.array([[4, 0], [0, 0]]), ("road", "roof"), absent=absent)
    assert scores.miou == pytest.approx(miou)
    np.testing.assert_array_equal(np.isnan(scores.iou), np.isnan(other.iou))


def test_a_class_that_is_never_predicted_has_iou_zero_and_no_precision() -> None:
    scores = score(np.array([[3, 0], [1, 0]]), ("road", "roof"))
    assert scores.iou.tolist() == [0.75, 0.0]
    np.testing.assert_array_equal(scores.precision, [0.75, np.nan])
    assert scores.recall.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("absent", ["drop", "zero"])
def test_pixels_of_an_excluded_class_are_not_scored_and_it_is_never_in_the_mean(
    absent: Any,
) -> None:
    counts = np.array([[3, 1, 0], [2, 4, 0], [50, 60, 0]])
    scores = score(counts, CLASSES, excluded=("tree",), absent=absent)
    np.testing.assert_allclose(scores.iou, [3 / 6, 4 / 7, np.nan])
    assert scores.accuracy == pytest.approx(7 / 10)
    assert scores.miou == pytest.approx((3 / 6 + 4 / 7) / 2)


def test_a_scored_pixel_predicted_as_an_excluded_class_is_an_error_not_a_score() -> None:
    with pytest.raises(DataError, match=r"5 scored pixel.* predicted as 'tree'"):
        score(np.array([[3, 1, 5], [2, 4, 0], [0, 0, 9]]), CLASSES, excluded=("tree",))


def test_nothing_to_score_is_an_error_not_zero() -> None:
    only_excluded = np.array([[5, 0], [0, 0]])
    for counts, excluded in ((np.zeros((2, 2), np.int64), ()), (only_excluded, ("road",))):
        with pytest.raises(DataError, match="no pixel can be scored"):
            score(counts, ("road", "roof"), excluded=excluded)


def test_an_unknown_excluded_class_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match=r"excluded class 'trees'\. Did you mean 'tree'"):
        score(HAND, CLASSES, excluded=("trees",))


def test_counts_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(DataError, match="do not belong to 2 classes"):
        score(HAND, CLASSES[:2])


@given(tables)
def test_iou_is_f1_over_two_minus_f1_in_every_class(counts: Counts) -> None:
    assume(counts.any())
    scores = score(counts, CLASSES)
    np.testing.assert_allclose(scores.iou, scores.f1 / (2 - scores.f1))


@given(tables, st.permutations(range(3)))
def test_permuting_the_classes_permutes_the_scores(counts: Counts, order: list[int]) -> None:
    assume(counts.any())
    scores = score(counts, CLASSES)
    permuted = score(counts[np.ix_(order, order)], [CLASSES[i] for i in order])
    np.testing.assert_array_equal(permuted.iou, scores.iou[order])
    np.testing.assert_array_equal(permuted.f1, scores.f1[order])
    assert permuted.accuracy == scores.accuracy
    assert permuted.miou == pytest.approx(scores.miou)


@given(tables, st.integers(1, 9))
def test_seeing_every_pixel_k_times_changes_no_score(counts: Counts, k: int) -> None:
    assume(counts.any())
    assert score(k * counts, CLASSES).miou == pytest.approx(score(counts, CLASSES).miou)


@given(tables)
def test_swapping_labels_and_predictions_swaps_precision_and_recall(counts: Counts) -> None:
    assume(counts.any(axis=0).all() and counts.any(axis=1).all())
    here, there = score(counts, CLASSES), score(counts.T, CLASSES)
    np.testing.assert_array_equal(here.precision, there.recall)
    np.testing.assert_array_equal(here.iou, there.iou)


def pixels(n_classes: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(11)
    labels = rng.integers(0, n_classes, (60, 60), dtype=np.uint8)
    right = rng.random(labels.shape) < 0.6
    predictions = np.where(right, labels, rng.integers(0, n_classes, labels.shape, dtype=np.uint8))
    labels[:4] = 255
    return labels, predictions


def test_scores_agree_with_scikit_learn() -> None:
    labels, predictions = pixels(5)
    scores = score(confusion_counts(labels, predictions, 5), "abcde")
    true, predicted = labels[labels != 255], predictions[labels != 255]
    for ours, theirs in (
        (scores.iou, jaccard_score),
        (scores.f1, f1_score),
        (scores.precision, precision_score),
        (scores.recall, recall_score),
    ):
        np.testing.assert_allclose(ours, theirs(true, predicted, average=None))
    assert scores.miou == pytest.approx(jaccard_score(true, predicted, average="macro"))
    assert scores.mf1 == pytest.approx(f1_score(true, predicted, average="macro"))
    assert scores.accuracy == pytest.approx((true == predicted).mean())


def test_scores_agree_with_torchmetrics_with_and_without_an_absent_class() -> None:
    labels, predictions = pixels(5)
    true, predicted = (torch.from_numpy(values).long() for values in (labels, predictions))
    for n_classes in (5, 6):  # the sixth occurs nowhere
        scores = score(confusion_counts(labels, predictions, n_classes), "abcdef"[:n_classes])
        f1 = multiclass_f1_score(predicted, true, n_classes, ignore_index=255)
        iou = multiclass_jaccard_index(predicted, true, n_classes, ignore_index=255)
        assert scores.mf1 == pytest.approx(float(f1), rel=1e-6)
        assert scores.miou == pytest.approx(float(iou), rel=1e-6)


def test_scores_agree_with_mmsegs_iou_metric_with_an_absent_class() -> None:
    labels, predictions = pixels(5)
    scores = score(confusion_counts(labels, predictions, 6), "abcdef")
    areas = IoUMetric.intersect_and_union(
        torch.from_numpy(predictions), torch.from_numpy(labels), 6, 255
    )
    theirs = IoUMetric.total_area_to_metrics(*areas, metrics=["mIoU", "mFscore"])
    for ours, name in (
        (scores.iou, "IoU"),
        (scores.f1, "Fscore"),
        (scores.precision, "Precision"),
        (scores.recall, "Recall"),
    ):
        np.testing.assert_allclose(ours, theirs[name], rtol=1e-6)
    assert scores.accuracy == pytest.approx(float(theirs["aAcc"]), rel=1e-6)


@pytest.fixture
def oracle(samples: Path) -> Any:
    """Return case 23 of the published and peer values that lie beside the samples."""
    return json.loads((samples.parent / "oracles" / "23_miou_definitions.json").read_text())


def test_scores_of_summed_counts_agree_with_the_oracle(oracle: Any) -> None:
    expected, rtol = oracle["computed"], oracle["tolerance"]["rtol"]
    for arm in "AB":
        scores = score(np.array(oracle["inputs"][f"confusion_{arm}"]).sum(axis=0), "abcd")
        np.testing.assert_allclose(scores.iou, expected[f"iou_{arm}"], rtol=rtol)
        assert scores.miou == pytest.approx(expected[f"miou_{arm}"], rel=rtol)
        assert scores.mf1 == pytest.approx(expected[f"mf1_{arm}"], rel=rtol)


def test_both_rules_for_absent_classes_agree_with_the_oracle(oracle: Any) -> None:
    expected, rtol = oracle["computed"]["drop_images_2_and_5"], oracle["tolerance"]["rtol"]
    counts = np.delete(np.array(oracle["inputs"]["confusion_A"]), [2, 5], axis=0).sum(axis=0)
    dropped = score(counts, "abcd")
    np.testing.assert_allclose(dropped.iou, [float(v) for v in expected["iou_A"]], rtol=rtol)
    assert dropped.miou == pytest.approx(expected["nanmean"], rel=rtol)
    zero = score(counts, "abcd", absent="zero")
    assert zero.miou == pytest.approx(expected["absent_as_0"], rel=rtol)


def protocol(metric: Metric = "mIoU", **changes: Any) -> Protocol:
    return Protocol(name="p", version=1, metric=metric, tile_px=8, stride_px=8, **changes)


def test_the_majority_score_by_hand() -> None:
    # 4 road, 6 roof: always roof has IoU 6/10 and 0, F1 12/16 and 0; tree is absent
    assert majority_score(HAND, CLASSES, protocol()) == pytest.approx((0 + 6 / 10) / 2)
    assert majority_score(HAND, CLASSES, protocol("mF1")) == pytest.approx((0 + 12 / 16) / 2)
    zero = protocol(absent="zero")
    assert majority_score(HAND, CLASSES, zero) == pytest.approx((0 + 6 / 10 + 0) / 3)


def test_the_majority_class_is_never_an_excluded_one() -> None:
    counts = np.array([[3, 1, 0], [2, 4, 0], [50, 60, 0]])
    without_tree = protocol(excluded=("tree",))
    assert majority_score(counts, CLASSES, without_tree) == pytest.approx((0 + 6 / 10) / 2)


@given(tables)
def test_the_majority_score_depends_on_labels_only(counts: Counts) -> None:
    assume(counts.any())
    assume((counts.sum(axis=1) > 0).all())
    perfect = np.diag(counts.sum(axis=1))
    assert majority_score(counts, CLASSES, protocol()) == majority_score(
        perfect, CLASSES, protocol()
    )


@given(st.lists(tables, min_size=1, max_size=5), st.sampled_from(["drop", "zero"]))
def test_means_of_many_tables_are_those_of_each(found: list[Counts], absent: Any) -> None:
    assume(all(table.any() for table in found))
    means = mean_scores(np.stack(found), CLASSES, absent=absent)
    for number, table in enumerate(found):
        one = score(table, CLASSES, absent=absent)
        assert means.headline("mIoU")[number] == one.miou
        assert means.headline("mF1")[number] == one.mf1


def test_means_leave_excluded_classes_out_and_refuse_what_one_table_is_refused_for() -> None:
    clean = np.array([[3, 1, 0], [2, 4, 0], [5, 5, 0]])
    means = mean_scores(clean[None], CLASSES, excluded=("tree",))
    assert means.miou[0] == score(HAND, CLASSES).miou
    for bad in (clean + 1, np.zeros((3, 3), np.int64)):
        with pytest.raises(DataError) as one:
            score(bad, CLASSES, excluded=("tree",))
        with pytest.raises(DataError) as many:
            mean_scores(np.stack([clean, bad]), CLASSES, excluded=("tree",))
        assert str(many.value) == str(one.value)
    with pytest.raises(DataError, match="do not belong to 2 classes"):
        mean_scores(clean[None], CLASSES[:2])
