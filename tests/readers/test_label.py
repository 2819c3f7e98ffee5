from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gpbench.core.errors import DataError, LabelError
from gpbench.readers.label import (
    colour_code,
    colour_text,
    identified,
    mapped,
    read_colours,
    read_label,
    thresholded,
)

IDS = np.array([[0, 1, 2], [153, 254, 255]], dtype=np.uint8)


def test_grey_label_holds_its_values(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "label.png")
    assert read_label(tmp_path / "label.png").tolist() == IDS.tolist()


def test_label_with_a_colour_table_keeps_the_indices(tmp_path: Path) -> None:
    picture = Image.fromarray(IDS % 3).convert("P")
    picture.putdata((IDS % 3).ravel().tolist())
    picture.putpalette([90, 90, 90, 0, 255, 0, 255, 0, 0])
    picture.save(tmp_path / "label.png")
    assert read_label(tmp_path / "label.png").tolist() == (IDS % 3).tolist()


def test_black_and_white_label_holds_0_and_1(tmp_path: Path) -> None:
    Image.fromarray(np.eye(3, dtype=bool)).save(tmp_path / "label.png")
    assert read_label(tmp_path / "label.png").tolist() == np.eye(3).tolist()


def test_label_of_16_bits_holds_its_values(tmp_path: Path) -> None:
    Image.fromarray(np.array([[7, 40_000]], dtype=np.uint16)).save(tmp_path / "label.png")
    assert read_label(tmp_path / "label.png").tolist() == [[7, 40_000]]


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3), (2, 3, 1)])
def test_tiff_label_has_rows_and_columns_only(tmp_path: Path, shape: tuple[int, ...]) -> None:
    tifffile.imwrite(tmp_path / "label.tif", IDS.reshape(shape), photometric="minisblack")
    assert read_label(tmp_path / "label.tif").tolist() == IDS.tolist()


def test_tiff_label_of_one_row_keeps_it(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "label.tif", IDS[:1])
    assert read_label(tmp_path / "label.tif").shape == (1, 3)


def test_tiff_label_with_a_colour_table_keeps_the_indices(tmp_path: Path) -> None:
    table = np.zeros((3, 256), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "label.tif", IDS, photometric="palette", colormap=table)
    assert read_label(tmp_path / "label.tif").tolist() == IDS.tolist()


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.int64, np.float32, np.float64])
def test_whole_numbers_of_any_type_are_taken(tmp_path: Path, dtype: type) -> None:
    tifffile.imwrite(tmp_path / "label.tif", IDS.astype(dtype))
    assert read_label(tmp_path / "label.tif").tolist() == IDS.tolist()


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_fractions_are_refused(tmp_path: Path, value: float) -> None:
    tifffile.imwrite(tmp_path / "label.tif", np.full((2, 2), value, dtype=np.float32))
    with pytest.raises(DataError, match=r"label\.tif holds fractions"):
        read_label(tmp_path / "label.tif")


def test_picture_in_class_colours_is_refused_as_values(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), (0, 0, 63)).save(tmp_path / "label.png")
    with pytest.raises(DataError, match=r"label\.png has shape \(2, 3, 3\).*list the colours"):
        read_label(tmp_path / "label.png")


def test_identity_keeps_classes_and_ignores_what_is_listed() -> None:
    labels = identified(np.array([[0, 1, 7, 255]]), 2, {7, 255}, "a.png")
    assert labels.tolist() == [[0, 1, 255, 255]]
    assert labels.dtype == np.uint8


@pytest.mark.parametrize("value", [2, 153, -1, 256])
def test_value_that_is_no_class_is_named(value: int) -> None:
    with pytest.raises(LabelError, match=rf"a\.png holds label value\(s\) {value}; 2 classes"):
        identified(np.array([[0, 1, value]]), 2, {255}, "a.png")


def test_table_maps_values_to_classes() -> None:
    assert mapped(np.array([[0, 255, 9]]), {0: 0, 255: 1, 9: 255}, "a.png").tolist() == [
        [0, 1, 255]
    ]


@pytest.mark.parametrize("value", [3, -1, -2, 2**40])
def test_value_outside_the_table_is_named(value: int) -> None:
    with pytest.raises(
        DataError, match=rf"a\.png holds label value\(s\) {value}, .* known: 0, 255"
    ):
        mapped(np.array([[0, value]]), {0: 0, 255: 1}, "a.png")


def test_many_unknown_values_are_counted() -> None:
    with pytest.raises(DataError, match=r"1, 2, 3, 4, 5, 6, 7, 8 and 92 more"):
        mapped(np.arange(101)[None], {0: 0}, "soft.png")


@given(
    st.dictionaries(st.integers(0, 300), st.integers(0, 255), min_size=1),
    st.lists(st.integers(0, 20), min_size=1),
)
def test_table_does_what_a_dictionary_does(table: dict[int, int], picks: list[int]) -> None:
    keys = sorted(table)
    values = np.array([[keys[pick % len(keys)] for pick in picks]])
    assert mapped(values, table, "x").tolist() == [[table[value] for value in values[0].tolist()]]


def test_softened_mask_is_cut_at_the_threshold() -> None:
    assert thresholded(np.array([[0, 127, 128, 237]]), 127).tolist() == [[0, 0, 1, 1]]


def test_colours_are_read_as_codes(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (2, 1), (0, 0, 63, 0))
    picture.putpixel((1, 0), (255, 128, 1, 255))
    picture.save(tmp_path / "label.png")
    codes = read_colours(tmp_path / "label.png")
    assert [colour_text(code) for code in codes[0].tolist()] == ["#00003f", "#ff8001"]


def test_label_with_a_colour_table_is_read_by_its_colours(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(tmp_path / "label.png")
    assert read_colours(tmp_path / "label.png").tolist() == [[0xFF0000, 0xFF0000]]


def test_grey_label_has_no_colours(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "label.png")
    with pytest.raises(DataError, match=r"label\.png has 1 channel\(s\) of uint8"):
        read_colours(tmp_path / "label.png")


def test_unknown_colour_is_written_as_a_colour() -> None:
    with pytest.raises(DataError, match=r"value\(s\) #0000ff, .* known: #00003f"):
        mapped(np.array([[0x0000FF]]), {0x00003F: 1}, "a.png", colour_text)


@pytest.mark.parametrize("text", ["00003f", "#00003", "#+0003f", "#00003g", "red", ""])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as '#rrggbb'"):
        colour_code(text)


@given(st.integers(0, 0xFFFFFF))
def test_colour_codes_round_trip(code: int) -> None:
    assert colour_code(colour_text(code)) == code
