"""Integers are added up exactly, floats without cancelling, images in any order."""

import json
import math
from dataclasses import asdict
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpbench.data.band_statistics import FloatMoments, IntegerMoments, image_moments, moments_from

SHAPES = st.tuples(st.integers(1, 5), st.sampled_from((1, 7, 1023, 1024, 1025)), st.integers(1, 5))


def picture(shape: tuple[int, ...], seed: int, dtype: type) -> NDArray[Any]:
    most = 1 if dtype is np.float32 else np.iinfo(dtype).max
    return (np.random.default_rng(seed).random(shape) * most).astype(dtype)


@given(SHAPES, st.integers(0, 9), st.sampled_from((np.uint8, np.uint16)))
def test_sums_of_integers_are_those_of_python(
    shape: tuple[int, int, int], seed: int, dtype: type
) -> None:
    image = picture(shape, seed, dtype)
    bands = [band.ravel().tolist() for band in np.moveaxis(image, 2, 0)]
    found = image_moments(image)
    assert found == IntegerMoments(
        shape[0] * shape[1],
        tuple(map(sum, bands)),
        tuple(sum(value**2 for value in band) for band in bands),
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_sums_stay_exact_where_every_value_is_the_largest(dtype: type) -> None:
    most = int(np.iinfo(dtype).max)
    n_px = 600 * 1025  # more than two blocks
    found = image_moments(np.full((600, 1025, 2), most, dtype))
    assert found == IntegerMoments(n_px, (n_px * most,) * 2, (n_px * most**2,) * 2)
    assert (found.mean, found.std) == ((most, most), (0, 0))


def test_mean_and_deviation_by_hand() -> None:
    found = IntegerMoments(4, (2 + 4 + 4 + 6,), (4 + 16 + 16 + 36,))
    assert found.mean == (4.0,)
    assert found.std == (math.sqrt(2),)


@given(SHAPES, st.integers(0, 9))
def test_floats_agree_with_numpy(shape: tuple[int, int, int], seed: int) -> None:
    image = picture(shape, seed, np.float32)
    found, pixels = image_moments(image), image.reshape(-1, shape[2]).astype(np.float64)
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.std, pixels.std(axis=0), rtol=1e-9, atol=1e-15)


def test_floats_agree_with_numpy_over_several_blocks() -> None:
    image = picture((600, 1025, 3), 0, np.float32)
    found, pixels = image_moments(image), image.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.std, pixels.std(axis=0), rtol=1e-12)


def test_the_deviation_of_floats_far_from_zero_does_not_cancel() -> None:
    image = np.array([[[8e6], [8e6 + 1]]], np.float32)
    assert image_moments(image).std == (0.5,)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=6), st.randoms())
def test_integers_join_to_those_of_all_pixels_in_any_order(heights: list[int], order: Any) -> None:
    images = [picture((h, 9, 2), h, np.uint8) for h in heights]
    parts = [image_moments(image) for image in images]
    order.shuffle(parts)
    assert reduce(add, parts) == image_moments(np.concatenate(images))


def test_floats_join_to_those_of_all_pixels() -> None:
    images = [picture((h, 9, 2), h, np.float32) for h in (1, 30, 4)]
    joined = reduce(add, map(image_moments, images))
    whole = image_moments(np.concatenate(images))
    assert isinstance(joined, FloatMoments)
    assert joined.n_px == whole.n_px
    np.testing.assert_allclose(joined.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(joined.std, whole.std, rtol=1e-12)


def test_an_image_that_is_no_block_in_memory_counts_the_same() -> None:
    image = picture((6, 7, 4), 3, np.uint16)
    view = image[::2, ::-1, 1:3]
    assert image_moments(view) == image_moments(view.copy())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_moments_come_back_from_json_to_the_bit(dtype: type) -> None:
    found = image_moments(picture((9, 11, 3), 1, dtype))
    assert moments_from(json.loads(json.dumps(asdict(found)))) == found


def test_the_mean_is_rounded_once() -> None:
    sums = (2**60 + 1,)
    assert IntegerMoments(3, sums, (0,)).mean == (float(Fraction(sums[0], 3)),)
