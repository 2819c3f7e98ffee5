"""The grid covers every pixel, stays inside, and small images are padded."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpbench.data.tile_store import TileStore
from gpbench.data.windows import grid, padded_tile, read_window, windows_of
from tests.data.held import HeldDataset

sides = st.integers(1, 40)


@st.composite
def tilings(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Height, width, tile and stride with 1 <= stride <= tile."""
    tile = draw(st.integers(1, 20))
    return draw(sides), draw(sides), tile, draw(st.integers(1, tile))


def test_the_grid_by_hand() -> None:
    # rows 0, 4 and 6 (shifted inwards from 8 to end at 10); one column, shorter than the tile
    assert grid(10, 3, 4, 4).tolist() == [[0, 0], [4, 0], [6, 0]]
    assert grid(8, 8, 8, 8).tolist() == [[0, 0]]
    assert grid(8, 9, 8, 2).tolist() == [[0, 0], [0, 1]]
    assert grid(12, 4, 8, 4).tolist() == [[0, 0], [4, 0]]
    assert grid(1, 1, 8, 8).tolist() == [[0, 0]]


@given(tilings())
def test_every_pixel_lies_in_a_window(tiling: tuple[int, int, int, int]) -> None:
    height, width, tile, stride = tiling
    seen = np.zeros((height, width), dtype=int)
    for row, column in grid(height, width, tile, stride):
        seen[row : row + tile, column : column + tile] += 1
    assert seen.min() >= 1


@given(tilings())
def test_windows_are_distinct_and_stay_inside_images_that_are_large_enough(
    tiling: tuple[int, int, int, int],
) -> None:
    height, width, tile, stride = tiling
    offsets = grid(height, width, tile, stride)
    assert len(np.unique(offsets, axis=0)) == len(offsets)
    assert offsets.min() >= 0
    assert (offsets + tile <= np.maximum([height, width], tile)).all()


@given(tilings())
def test_neighbouring_windows_are_never_further_apart_than_the_stride(
    tiling: tuple[int, int, int, int],
) -> None:
    height, width, tile, stride = tiling
    for axis in (0, 1):
        offsets = np.unique(grid(height, width, tile, stride)[:, axis])
        assert (np.diff(offsets) <= stride).all()
        assert (np.diff(offsets)[:-1] == stride).all()


def test_a_tile_within_the_image_is_a_view_and_one_beyond_it_is_padded() -> None:
    image = np.arange(24, dtype=np.uint16).reshape(4, 3, 2)
    inside = padded_tile(image, 1, 0, 3)
    assert np.shares_memory(inside, image)
    np.testing.assert_array_equal(inside, image[1:4])
    beyond = padded_tile(image, 2, 1, 3, fill=9)
    assert beyond.shape == (3, 3, 2)
    assert beyond.dtype == np.uint16
    np.testing.assert_array_equal(beyond[:2, :2], image[2:, 1:])
    assert (beyond[2:] == 9).all()
    assert (beyond[:, 2:] == 9).all()


def test_windows_of_several_images_carry_the_index_of_their_image(
    held: HeldDataset, stored: Callable[[HeldDataset], TileStore]
) -> None:
    store = stored(held)
    windows = windows_of(store.images("test"), 8, 8)  # d is 30 x 5, e is 12 x 10
    assert windows.tolist() == [
        [3, 0, 0], [3, 8, 0], [3, 16, 0], [3, 22, 0],
        [4, 0, 0], [4, 0, 2], [4, 4, 0], [4, 4, 2],
    ]  # fmt: skip
    assert windows_of([], 8, 8).shape == (0, 3)


def test_reading_a_window_pads_the_image_with_0_and_the_label_with_255(
    held: HeldDataset, stored: Callable[[HeldDataset], TileStore]
) -> None:
    store = stored(held)
    image, label = store.read(3)
    tile, tile_label = read_window(store, np.array([3, 22, 0]), 8)
    np.testing.assert_array_equal(tile[:, :5], image[22:])
    np.testing.assert_array_equal(tile_label[:, :5], label[22:])
    assert (tile[:, 5:] == 0).all()
    assert (tile_label[:, 5:] == 255).all()
