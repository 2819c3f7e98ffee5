"""Label subsets: nested, seeded, of the right size, and with every class if they can."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from gpbench.core.errors import InvalidValueError
from gpbench.data.label_subset import label_subset

Pixels = NDArray[np.int64]
pixels = arrays(
    np.int64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.sampled_from([0, 0, 5, 90]),
)
fractions = st.floats(0.001, 1.0)
EVEN = np.ones((1000, 3), dtype=np.int64)


@given(pixels, fractions, fractions, st.integers(0, 5))
def test_a_smaller_subset_lies_within_a_larger_one(
    class_pixels: Pixels, a: float, b: float, seed: int
) -> None:
    small, large = (label_subset(class_pixels, f, seed) for f in sorted((a, b)))
    assert np.isin(small, large).all()


@given(pixels, fractions)
def test_a_subset_has_the_rounded_size_at_least_one_and_is_sorted(
    class_pixels: Pixels, fraction: float
) -> None:
    subset = label_subset(class_pixels, fraction, seed=0)
    assert len(subset) == max(1, round(fraction * len(class_pixels)))
    assert (np.diff(subset) > 0).all()
    assert subset.min() >= 0
    assert subset.max() < len(class_pixels)


def test_sizes_by_hand() -> None:
    sizes = {f: len(label_subset(EVEN, f, 0)) for f in (0.0001, 0.01, 0.1, 1.0)}
    assert sizes == {0.0001: 1, 0.01: 10, 0.1: 100, 1.0: 1000}


def test_a_class_in_one_image_of_a_thousand_is_in_the_smallest_subset_that_holds_it() -> None:
    class_pixels = np.zeros((1000, 4), dtype=np.int64)
    class_pixels[:, 0] = 500
    class_pixels[::9, 1] = 1
    class_pixels[17, 2] = 1
    class_pixels[801, 3] = 1
    for seed in range(20):
        subset = label_subset(class_pixels, 0.003, seed)
        assert len(subset) == 3
        assert (class_pixels[subset].sum(axis=0) > 0).all()


@given(pixels, st.integers(0, 5))
def test_as_many_images_as_classes_always_hold_every_class(class_pixels: Pixels, seed: int) -> None:
    n_images, n_classes = class_pixels.shape
    assume(n_classes <= n_images)
    subset = label_subset(class_pixels, n_classes / n_images, seed)
    np.testing.assert_array_equal(class_pixels[subset].any(axis=0), class_pixels.any(axis=0))


def test_the_subset_depends_on_the_seed_and_all_images_are_drawn_equally_often() -> None:
    np.testing.assert_array_equal(label_subset(EVEN, 0.01, 3), label_subset(EVEN, 0.01, 3))
    drawn = np.concatenate([label_subset(EVEN[:20], 0.25, seed) for seed in range(800)])
    counts = np.bincount(drawn, minlength=20)
    assert (abs(counts - 200) < 60).all()  # sd 12


def test_images_without_any_class_are_a_subset_too() -> None:
    assert len(label_subset(np.zeros((10, 3), dtype=np.int64), 0.3, 0)) == 3


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan")])
def test_a_fraction_outside_zero_to_one_is_refused(fraction: float) -> None:
    with pytest.raises(InvalidValueError, match="label_fraction"):
        label_subset(EVEN, fraction, 0)
