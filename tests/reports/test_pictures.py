from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpbench.core.dataset import Band, DatasetInfo
from gpbench.reports.pictures import (
    HATCH,
    LONGEST_PX,
    class_colours,
    overlay,
    pictures_of,
    stretched,
)

FULL = (LONGEST_PX, LONGEST_PX)
"""Size of an image that is shown as it is."""
COLOURS = np.array([(0, 0, 0), (255, 0, 0)], dtype=np.uint8)


def image(*values: int, dtype: Any = np.uint8) -> NDArray[Any]:
    """Return an image (H, W, C) with one value in each band."""
    return np.broadcast_to(np.array(values, dtype=dtype), (*FULL, len(values)))


def titles(bands: list[str]) -> list[str]:
    return [picture.title for picture in pictures_of(image(*range(len(bands))), bands)]


# --- which pictures ---


def test_red_green_and_blue_are_found_by_name_and_other_bands_stand_alone() -> None:
    shown = pictures_of(image(9, 3, 1, 2), ["thermal", "blue", "red", "green"])
    assert [picture.title for picture in shown] == ["colours", "thermal"]
    assert shown[0].pixels[0, 0].tolist() == [1, 2, 3]
    assert shown[1].pixels[0, 0].tolist() == [9, 9, 9]


def test_without_blue_the_first_three_bands_are_shown_and_named() -> None:
    assert titles(["nir", "red", "green"]) == ["nir, red, green shown as red, green, blue", "nir"]


def test_one_band_is_grey_and_shown_once() -> None:
    (shown,) = pictures_of(image(7), ["height"])
    assert (shown.title, shown.pixels[0, 0].tolist()) == ("height", [7, 7, 7])


@pytest.mark.parametrize("bands", [["red", "nir"], ["red", "green"], ["vv", "vh"]])
def test_two_bands_are_grey(bands: list[str]) -> None:
    assert titles(bands) == bands


def test_bands_beyond_the_first_three_stand_alone_where_blue_is_missing() -> None:
    assert titles(["nir", "red", "green", "edge"])[1:] == ["nir", "edge"]


# --- how values become 8 bits ---


def test_8_bit_values_are_shown_as_they_are() -> None:
    band = np.array([[3, 200]], dtype=np.uint8)
    assert stretched(band).pixels.tolist() == [[3, 200]]
    assert stretched(band).note == ""


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_other_values_are_stretched_between_percentiles(dtype: Any) -> None:
    band = np.arange(101, dtype=dtype).reshape(1, 101) * 10
    shown = stretched(band)
    assert shown.note == "20 to 980"
    assert shown.pixels[0, [0, 2, 50, 98, 100]].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    ("value", "note"), [(51234, "51,234"), (0.01234, "0.0123"), (99.5, "99.5")]
)
def test_ends_of_the_stretch_are_written_for_a_person(value: float, note: str) -> None:
    assert stretched(np.full((2, 2), value, np.float32)).note == f"{note} to {note}"


def test_one_bright_pixel_does_not_darken_a_band() -> None:
    band = np.linspace(0, 100, 10_000, dtype=np.float32).reshape(100, 100)
    band[0, 0] = 1e6
    assert stretched(band).pixels.mean() == pytest.approx(127, abs=3)


def test_constant_band_is_black() -> None:
    shown = stretched(np.full((4, 4), 9, dtype=np.uint16))
    assert (shown.pixels == 0).all()
    assert shown.note == "9 to 9"


def test_nan_is_black_and_does_not_move_the_stretch() -> None:
    band = np.arange(101, dtype=np.float32).reshape(1, 101) * 10
    with_nan = np.concatenate([band, np.full((1, 101), np.nan, np.float32)])
    with_nan[1, 1:3] = np.inf, -np.inf
    shown = stretched(with_nan)
    assert shown.note == "20 to 980"
    assert shown.pixels[0].tolist() == stretched(band).pixels[0].tolist()
    assert shown.pixels[1, :4].tolist() == [0, 255, 0, 0]


def test_band_without_a_number_is_black_and_said_to_have_none() -> None:
    shown = stretched(np.full((4, 4), np.nan, np.float32))
    assert (shown.pixels == 0).all()
    assert shown.note == "no number"


def test_notes_of_all_bands_in_colours_are_given() -> None:
    shown = pictures_of(image(1, 2, 3, dtype=np.uint16), ["red", "green", "blue"])
    assert shown[0].note == "1 to 1, 2 to 2, 3 to 3"


# --- size ---


def test_large_image_is_averaged() -> None:
    large = np.zeros((LONGEST_PX, 2 * LONGEST_PX, 1), dtype=np.uint8)
    large[:, ::2] = 200
    (shown,) = pictures_of(large, ["x"])
    assert shown.pixels.shape == (LONGEST_PX // 2, LONGEST_PX, 3)
    assert (shown.pixels == 100).all()


def test_small_image_is_repeated_in_whole_steps() -> None:
    small = np.arange(100 * 50, dtype=np.uint16).astype(np.uint8).reshape(100, 50, 1)
    (shown,) = pictures_of(small, ["x"])
    times = LONGEST_PX // 100
    assert (
        shown.pixels[:, :, 0].tolist() == small[:, :, 0].repeat(times, 0).repeat(times, 1).tolist()
    )


def test_long_thin_image_keeps_a_row() -> None:
    (shown,) = pictures_of(np.ones((1, 10_000, 1), dtype=np.uint8), ["x"])
    assert shown.pixels.shape == (1, LONGEST_PX, 3)


# --- labels ---


def test_class_colour_and_image_are_mixed() -> None:
    shown = overlay(image(100, 100, 100), np.ones(FULL, np.uint8), COLOURS)
    assert (shown == [178, 50, 50]).all()


def test_border_between_classes_is_a_white_line() -> None:
    label = np.zeros(FULL, np.uint8)
    label[:, 320:] = 1
    shown = overlay(image(0, 0, 0), label, COLOURS)
    assert shown[5, 319].min() > 180
    assert shown[5, 318].tolist() == [0, 0, 0]
    assert shown[5, 320].tolist() == [128, 0, 0]


def test_ignored_pixels_are_hatched_in_two_greys() -> None:
    shown = overlay(image(9, 9, 9), np.full(FULL, 255, np.uint8), COLOURS)
    assert set(np.unique(shown)) == set(HATCH)


def test_small_object_of_a_large_image_keeps_its_border() -> None:
    label = np.zeros((4 * LONGEST_PX, 4 * LONGEST_PX), np.uint8)
    label[1000:1006, 1000:1006] = 1
    shown = overlay(np.zeros((*FULL, 3), np.uint8), label, np.zeros((2, 3), np.uint8))
    assert shown[248:253, 248:253].max() > 180


def test_label_that_is_smaller_than_its_picture_has_thin_borders() -> None:
    label = np.array([[0, 1]], np.uint8)
    (picture,) = pictures_of(np.zeros((1, 2, 1), np.uint8), ["x"])
    white = overlay(picture.pixels, label, COLOURS).min(axis=2) > 100
    assert white.any(axis=0).sum() == 1


# --- colours of classes ---


def info(n_classes: int, colours: tuple[tuple[int, int, int], ...] = ()) -> DatasetInfo:
    names = tuple(f"c{i}" for i in range(n_classes))
    return DatasetInfo("x", 1, (Band("red"),), names, colours=colours)


def test_dataset_s_own_colours_are_used() -> None:
    assert class_colours(info(2, ((1, 2, 3), (4, 5, 6)))).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_classes_without_colours_get_different_ones() -> None:
    colours = class_colours(info(100))
    assert len({tuple(colour) for colour in colours.tolist()}) == 100
    first = colours[:12].astype(int)
    apart = np.abs(first[:, None] - first[None]).max(axis=2)
    assert apart[~np.eye(12, dtype=bool)].min() > 30
