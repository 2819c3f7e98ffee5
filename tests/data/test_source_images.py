"""Source images: one size, the same bits with and without memory, from any thread."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from gpbench.core.errors import ContractError, DataError
from gpbench.data.source_images import SourceImages
from tests.data.held import HeldSource

ROOT = Path()


def pictures(*shapes: tuple[int, int]) -> list[NDArray[Any] | Exception]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def held_source(*shapes: tuple[int, int]) -> HeldSource:
    return HeldSource(pictures(*shapes), [i % 2 for i in range(len(shapes))])


def test_images_of_the_wanted_size_come_back_untouched_channels_first() -> None:
    source = held_source((16, 16), (16, 16))
    batch = SourceImages(source, ROOT, "labelled").batch(np.array([1, 0, 1]), 16)
    assert batch.dtype == np.uint8
    expected = np.stack([np.asarray(source.pictures[i]) for i in (1, 0, 1)])
    np.testing.assert_array_equal(batch, expected.transpose(0, 3, 1, 2))


def test_the_central_square_is_taken_where_the_shorter_side_fits() -> None:
    source = held_source((16, 21), (25, 16))
    batch = SourceImages(source, ROOT, "unlabelled").batch(np.array([0, 1]), 16)
    wide, high = (np.asarray(picture).transpose(2, 0, 1) for picture in source.pictures)
    np.testing.assert_array_equal(batch[0], wide[:, :, 2:18])
    np.testing.assert_array_equal(batch[1], high[:, 4:20, :])


def test_the_shorter_side_is_brought_to_the_size_without_distortion() -> None:
    ramp = np.zeros((40, 100, 3), dtype=np.uint8)
    ramp[:] = 2 * np.arange(100, dtype=np.uint8)[None, :, None]
    source = HeldSource([ramp], [0])
    batch = SourceImages(source, ROOT, "unlabelled").batch(np.array([0]), 20)
    assert batch.shape == (1, 3, 20, 20)
    # a pixel of the result shows 2 of the image: 4 grey values a pixel, around the middle (99);
    # the filter mirrors at the border of the square
    expected = np.broadcast_to(99 + 4 * (np.arange(20) - 9.5), (3, 20, 20))
    np.testing.assert_allclose(batch[0, :, :, 1:-1].astype(float), expected[:, :, 1:-1], atol=1)
    np.testing.assert_allclose(batch[0].astype(float), expected, atol=2)


@pytest.mark.parametrize("size_px", [7, 20, 32, 45])
def test_squares_are_resized_as_pillow_resizes_them(size_px: int) -> None:
    source = held_source((32, 32))
    batch = SourceImages(source, ROOT, "unlabelled").batch(np.array([0]), size_px)
    resized = Image.fromarray(np.asarray(source.pictures[0])).resize(
        (size_px, size_px), Image.Resampling.BILINEAR
    )
    expected = np.asarray(resized).transpose(2, 0, 1).astype(int)
    np.testing.assert_allclose(batch[0].astype(int), expected, atol=1)


@pytest.mark.parametrize("size_px", [8, 16, 40])
def test_nothing_outside_the_central_square_is_seen(size_px: int) -> None:
    source = held_source((16, 16))
    square = np.asarray(source.pictures[0])
    wide = np.pad(square, ((0, 0), (5, 6), (0, 0)), constant_values=255)
    high = np.pad(square, ((9, 9), (0, 0), (0, 0)))
    images = SourceImages(HeldSource([square, wide, high], [0, 0, 0]), ROOT, "unlabelled")
    batch = images.batch(np.array([0, 1, 2]), size_px)
    np.testing.assert_array_equal(batch[1], batch[0])
    np.testing.assert_array_equal(batch[2], batch[0])


def test_small_images_are_enlarged() -> None:
    batch = SourceImages(held_source((5, 7)), ROOT, "unlabelled").batch(np.array([0]), 32)
    assert batch.shape == (1, 3, 32, 32)


def test_the_source_is_told_how_small_an_image_may_come_but_not_for_statistics() -> None:
    source = held_source((16, 16), (30, 20))
    images = SourceImages(source, ROOT, "unlabelled")
    images.batch(np.array([0, 1]), 12)
    assert source.least_px == {12}
    source.least_px.clear()
    assert images.mean.shape == images.std.shape == (3,)
    assert source.least_px == {None}


def test_read_only_images_are_taken() -> None:
    source = held_source((16, 16), (30, 20))
    alone = SourceImages(source, ROOT, "unlabelled").batch(np.array([0, 1]), 16)
    for picture in source.pictures:
        np.asarray(picture).flags.writeable = False
    again = SourceImages(source, ROOT, "unlabelled").batch(np.array([0, 1]), 16)
    np.testing.assert_array_equal(again, alone)


@pytest.mark.parametrize("size_px", [20, 64, 224])
def test_the_number_of_threads_changes_nothing(size_px: int) -> None:
    images = SourceImages(held_source((300, 410), (64, 64)), ROOT, "unlabelled", cache_bytes=0)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = images.batch(np.array([0, 1]), size_px)
        torch.set_num_threads(3)
        np.testing.assert_array_equal(images.batch(np.array([0, 1]), size_px), alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("cache_bytes", [0, 3 * 16 * 16, 1 << 20])
def test_memory_changes_nothing_but_how_often_an_image_is_read(cache_bytes: int) -> None:
    source = held_source((16, 16), (30, 20), (16, 16))
    images = SourceImages(source, ROOT, "unlabelled", cache_bytes=cache_bytes)
    indices = np.array([0, 1, 2])
    first, second = images.batch(indices, 16), images.batch(indices, 16)
    np.testing.assert_array_equal(first, second)
    other_size = images.batch(indices, 8)
    assert other_size.shape == (3, 3, 8, 8)
    kept = {0: 0, 3 * 16 * 16: 1, 1 << 20: 3}[cache_bytes]
    assert source.reads == 3 + (3 - kept) + 3


def test_changing_a_batch_does_not_change_what_is_kept() -> None:
    images = SourceImages(held_source((16, 16)), ROOT, "unlabelled")
    before = images.batch(np.array([0]), 16)
    kept = before.copy()
    before[:] = 0
    np.testing.assert_array_equal(images.batch(np.array([0]), 16), kept)


def test_changing_a_sources_array_does_not_change_what_is_kept() -> None:
    source = held_source((25, 16))  # whose central square lies in it as it is needed
    images = SourceImages(source, ROOT, "unlabelled")
    before = images.batch(np.array([0]), 16)
    np.asarray(source.pictures[0])[:] = 0
    np.testing.assert_array_equal(images.batch(np.array([0]), 16), before)


def test_batches_from_several_threads_are_those_of_one() -> None:
    source = held_source(*[(20 + i % 3, 24) for i in range(12)])
    alone = SourceImages(source, ROOT, "unlabelled", cache_bytes=0)
    shared = SourceImages(source, ROOT, "unlabelled", cache_bytes=5 * 3 * 16 * 16)
    orders = [np.random.default_rng(i).permutation(12) for i in range(20)]
    with ThreadPoolExecutor(4) as pool:
        for order, batch in zip(
            orders, pool.map(lambda o: shared.batch(o, 16), orders), strict=True
        ):
            np.testing.assert_array_equal(batch, alone.batch(order, 16))


def test_labels_are_those_of_labelled_roles_only() -> None:
    source = held_source((8, 8), (8, 8), (8, 8))
    labelled = SourceImages(source, ROOT, "labelled")
    assert labelled.labels is not None
    assert labelled.labels.tolist() == [0, 1, 0]
    assert labelled.labels.dtype == np.int64
    assert (labelled.num_classes, labelled.n_images) == (2, 3)
    without = SourceImages(source, ROOT, "unlabelled")
    assert (without.labels, without.num_classes) == (None, 0)


def test_mean_and_deviation_by_hand_lie_in_the_unit_scale() -> None:
    first = np.zeros((1, 2, 3), dtype=np.uint8)
    first[0, 1] = (255, 0, 7)
    first[..., 2] = 7
    second = np.full((4, 4, 3), (255, 51, 7), dtype=np.uint8)
    images = SourceImages(HeldSource([first, second], [0, 1]), ROOT, "labelled")
    np.testing.assert_allclose(images.mean, [(0.5 + 1) / 2, 0.1, 7 / 255])
    # each image counts once: red is half 0 and 1, then all 1; a constant channel has deviation 1
    np.testing.assert_allclose(images.std, [np.sqrt(0.75 - 0.75**2), 0.1, 1.0])


def test_mean_and_deviation_come_from_at_most_a_thousand_images_spread_over_all() -> None:
    grey = [np.full((1, 1, 3), i % 251, dtype=np.uint8) for i in range(3000)]
    source = HeldSource([*grey], [0] * 3000)
    images = SourceImages(source, ROOT, "unlabelled")
    mean = images.mean
    assert source.reads == 1000
    everything = np.mean([i % 251 for i in range(3000)]) / 255
    np.testing.assert_allclose(mean, everything, atol=0.01)
    _ = images.std
    assert source.reads == 1000


def test_a_source_without_images_is_an_error() -> None:
    with pytest.raises(DataError, match="'Held' has no image for the role scenes"):
        SourceImages(HeldSource([], []), ROOT, "scenes")


def test_a_labelled_image_without_label_breaks_the_contract() -> None:
    with pytest.raises(ContractError, match="'1' has none"):
        SourceImages(HeldSource(pictures((8, 8), (8, 8)), [0, None]), ROOT, "labelled")


@pytest.mark.parametrize("labels", [[1, 2], [0, 2], [-1, 0]])
def test_labels_with_gaps_break_the_contract(labels: list[int | None]) -> None:
    with pytest.raises(ContractError, match="count from 0 without gaps"):
        SourceImages(HeldSource(pictures((8, 8), (8, 8)), labels), ROOT, "labelled")


@pytest.mark.parametrize(
    "picture",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3), np.float32)],
)
def test_an_image_that_is_not_rgb_bytes_breaks_the_contract(picture: NDArray[Any]) -> None:
    images = SourceImages(HeldSource([picture], [0]), ROOT, "labelled")
    with pytest.raises(ContractError, match=r"\(H, W, 3\) uint8; '0' is"):
        images.batch(np.array([0]), 8)


def test_a_file_that_cannot_be_read_is_named() -> None:
    images = SourceImages(HeldSource([OSError("broken JPEG")], [0]), ROOT, "labelled")
    with pytest.raises(DataError, match="source image '0' cannot be read: broken JPEG"):
        images.batch(np.array([0]), 8)
