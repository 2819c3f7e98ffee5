"""Confusion counts: exact, additive, and deaf to ignored pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mmseg.evaluation.metrics.iou_metric import IoUMetric
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torchmetrics.functional.classification import multiclass_confusion_matrix

from gpbench.core.errors import DataError, LabelError
from gpbench.metrics import confusion_counts

C = 5
Map = NDArray[np.uint8]


@st.composite
def maps(draw: st.DrawFn) -> tuple[Map, Map]:
    """Labels with ignored pixels, and predictions, of one small image."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    labels = draw(arrays(np.uint8, shape, elements=st.sampled_from([*range(C), 255])))
    predictions = draw(arrays(np.uint8, shape, elements=st.integers(0, C - 1)))
    return labels, predictions


def large_maps() -> tuple[Map, Map]:
    """More pixels than one block, in a number that no block size divides."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, C, (401, 403), dtype=np.uint8)
    labels[::7] = 255
    return labels, rng.integers(0, C, labels.shape, dtype=np.uint8)


def test_rows_are_true_classes_and_columns_are_predicted_ones() -> None:
    labels = np.array([[0, 0, 1], [2, 255, 2]], dtype=np.uint8)
    predictions = np.array([[0, 1, 1], [2, 0, 0]], dtype=np.uint8)
    counts = confusion_counts(labels, predictions, 3)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


@given(maps())
def test_every_pixel_that_is_not_ignored_is_counted_once(pair: tuple[Map, Map]) -> None:
    labels, predictions = pair
    assert confusion_counts(labels, predictions, C).sum() == (labels != 255).sum()


@given(maps(), st.integers(0, C - 1))
def test_what_is_predicted_on_ignored_pixels_changes_nothing(
    pair: tuple[Map, Map], other: int
) -> None:
    labels, predictions = pair
    changed = np.where(labels == 255, np.uint8(other), predictions)
    np.testing.assert_array_equal(
        confusion_counts(labels, changed, C), confusion_counts(labels, predictions, C)
    )


@given(maps(), st.integers(0, 9), st.integers(0, 9))
def test_the_counts_of_tiles_add_up_to_those_of_the_image(
    pair: tuple[Map, Map], row: int, column: int
) -> None:
    labels, predictions = pair
    tiles = [
        (rows, columns)
        for rows in (slice(None, row), slice(row, None))
        for columns in (slice(None, column), slice(column, None))
    ]
    total = sum(confusion_counts(labels[tile], predictions[tile], C) for tile in tiles)
    np.testing.assert_array_equal(total, confusion_counts(labels, predictions, C))


@given(maps(), st.permutations(range(C)))
def test_permuting_the_classes_permutes_rows_and_columns(
    pair: tuple[Map, Map], order: list[int]
) -> None:
    labels, predictions = pair
    rename = np.full(256, 255, dtype=np.uint8)
    rename[:C] = order
    renamed = confusion_counts(rename[labels], rename[predictions], C)
    np.testing.assert_array_equal(
        renamed[np.ix_(order, order)], confusion_counts(labels, predictions, C)
    )


@given(maps())
def test_wider_integers_give_the_same_counts(pair: tuple[Map, Map]) -> None:
    labels, predictions = pair
    np.testing.assert_array_equal(
        confusion_counts(labels.astype(np.int64), predictions.astype(np.int32), C),
        confusion_counts(labels, predictions, C),
    )


def test_large_images_agree_with_scikit_learn_torchmetrics_and_mmseg() -> None:
    labels, predictions = large_maps()
    counts = confusion_counts(labels, predictions, C)
    scored = labels != 255
    np.testing.assert_array_equal(counts, confusion_matrix(labels[scored], predictions[scored]))
    true, predicted = torch.from_numpy(labels), torch.from_numpy(predictions)
    theirs = multiclass_confusion_matrix(predicted.long(), true.long(), C, ignore_index=255)
    np.testing.assert_array_equal(counts, theirs.numpy())
    hit, union, columns, rows = IoUMetric.intersect_and_union(predicted, true, C, 255)
    np.testing.assert_array_equal(counts.diagonal(), hit.numpy())
    np.testing.assert_array_equal(counts.sum(axis=0), columns.numpy())
    np.testing.assert_array_equal(counts.sum(axis=1), rows.numpy())
    np.testing.assert_array_equal(counts.sum(axis=0) + rows.numpy() - hit.numpy(), union.numpy())


def test_any_value_can_be_the_ignored_one_even_a_class() -> None:
    labels = np.array([0, 0, 1, 2, 9], dtype=np.uint8)
    predictions = np.array([0, 1, 1, 0, 2], dtype=np.uint8)
    assert confusion_counts(labels, predictions, 3, ignore_index=9).tolist() == [
        [1, 1, 0],
        [0, 1, 0],
        [1, 0, 0],
    ]
    assert confusion_counts(labels[:4], predictions[:4], 3, ignore_index=0).tolist() == [
        [0, 0, 0],
        [0, 1, 0],
        [1, 0, 0],
    ]


def test_the_largest_class_number_is_counted_in_its_own_cell() -> None:
    labels = np.array([254, 254, 0, 255], dtype=np.uint8)
    predictions = np.array([254, 0, 254, 7], dtype=np.uint8)
    counts = confusion_counts(labels, predictions, 255)
    assert counts[254, 254] == counts[254, 0] == counts[0, 254] == 1
    assert counts.sum() == 3


def test_an_image_without_a_pixel_has_zero_counts() -> None:
    empty = np.zeros((0, 4), dtype=np.uint8)
    assert confusion_counts(empty, empty, 2).tolist() == [[0, 0], [0, 0]]


def test_a_label_that_is_no_class_is_refused_by_value() -> None:
    labels = np.array([[0, 1, 153, 5]], dtype=np.uint8)
    with pytest.raises(LabelError, match=r"label value\(s\) 5, 153; 5 classes \(0\.\.4\)"):
        confusion_counts(labels, np.zeros_like(labels), C)


def test_255_is_a_strange_label_where_something_else_is_ignored() -> None:
    labels = np.array([0, 255, 9], dtype=np.uint8)
    with pytest.raises(LabelError, match=r"value\(s\) 255; 2 classes .* 9 is ignored"):
        confusion_counts(labels, np.zeros_like(labels), 2, ignore_index=9)


def test_labels_that_do_not_fit_a_byte_are_refused_not_wrapped() -> None:
    zeros = np.zeros(2, dtype=np.uint8)
    for strange in (-1, 256):
        with pytest.raises(DataError, match=rf"labels hold value\(s\) {strange}, outside"):
            confusion_counts(np.array([0, strange]), zeros, 2)


@pytest.mark.parametrize(("value", "dtype"), [(5, np.uint8), (255, np.uint8), (-1, np.int16)])
def test_a_prediction_that_is_no_class_is_refused_even_on_an_ignored_pixel(
    value: int, dtype: type
) -> None:
    labels = np.array([0, 255], dtype=np.uint8)
    with pytest.raises(DataError, match=rf"value\(s\) {value}; only classes 0\.\.4"):
        confusion_counts(labels, np.array([0, value], dtype=dtype), C)


def test_probabilities_are_not_taken_for_classes() -> None:
    labels = np.zeros(2, dtype=np.uint8)
    with pytest.raises(DataError, match="integers, not float32"):
        confusion_counts(labels, np.zeros(2, dtype=np.float32), 2)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(DataError, match=r"\(2, 3\) and predictions \(3, 2\)"):
        confusion_counts(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 2)
