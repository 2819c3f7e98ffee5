"""What is not as declared is said with its kind; label values are counted right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench.core.dataset import Band, DatasetInfo
from gpbench.data.image_checks import (
    dtype_problems,
    image_problems,
    label_problems,
    value_counts,
    value_problems,
)

INFO = DatasetInfo(title="T", version=1, bands=(Band("red"), Band("nir")), classes=("a", "b"))


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from((1, 3, 15, 16, 17, 40)))
def test_label_values_are_counted_right_in_short_and_long_runs(
    height: int, width: int, run_px: int
) -> None:
    runs = np.random.default_rng(width).integers(0, 256, height * width, dtype=np.uint8)
    label = runs.repeat(run_px)[: height * width].reshape(height, width)
    expected = [np.count_nonzero(label == value) for value in range(256)]
    assert value_counts(label).tolist() == expected
    assert value_counts(label).dtype == np.int64


def test_a_label_that_is_no_block_in_memory_is_counted_right() -> None:
    label = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert value_counts(label[:, :1]).nonzero()[0].tolist() == [0, 8, 16, 24, 32, 40]


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4, 3), np.uint8), "shape (4, 4, 3); (height, width, 2) is declared"),
        (np.zeros((4, 4), np.uint8), "one channel for each of red, nir"),
        (np.zeros((4, 4, 2), np.int16), "w holds int16; images are uint8, uint16 or float32"),
        (np.full((4, 4, 2), np.nan, np.float32), "NaN or infinity in band red, nir"),
    ],
)
def test_an_image_that_is_not_as_declared_is_a_problem_of_its_pixels(
    image: np.ndarray, said: str
) -> None:
    (problem,) = image_problems(image, "w", INFO)
    assert problem.kind == "pixels"
    assert said in problem.text


def test_an_image_as_declared_has_no_problem() -> None:
    assert list(image_problems(np.zeros((4, 5, 2), np.float32), "w", INFO)) == []


def test_images_of_another_dtype_than_most_are_named_even_where_one_is_first() -> None:
    found = dtype_problems({0: "<u2", 1: "|u1", 2: "|u1", 5: "<f4"})
    assert set(found) == {0, 5}
    assert found[0].startswith("holds uint16, most images uint8:")


def test_of_two_dtypes_that_are_as_common_the_first_is_right() -> None:
    assert set(dtype_problems({0: "<u2", 1: "|u1"})) == {1}


def test_images_of_one_dtype_have_no_problem_and_neither_have_none() -> None:
    assert dtype_problems({0: "|u1", 1: "|u1"}) == {}
    assert dtype_problems({}) == {}


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        (None, "unlabelled"),
        (np.zeros((4, 5), np.uint8), "size"),
        (np.zeros((4, 4, 1), np.uint8), "size"),
        (np.zeros((4, 4), np.int64), "label"),
    ],
)
def test_a_label_that_is_not_as_declared_has_a_kind(label: np.ndarray | None, kind: str) -> None:
    (problem,) = label_problems(label, "w", (4, 4))
    assert problem.kind == kind


def test_label_values_that_are_no_class_are_named_and_255_is_ignored() -> None:
    label = np.array([[0, 1, 2, 153, 255]], dtype=np.uint8)
    assert list(label_problems(label, "w", (1, 5))) == []
    (problem,) = value_problems(value_counts(label), "w", INFO)
    assert problem.kind == "label"
    assert problem.text.startswith("the label of w holds label value(s) 2, 153;")
    assert list(value_problems(value_counts(label[:, [0, 1, 4]]), "w", INFO)) == []
