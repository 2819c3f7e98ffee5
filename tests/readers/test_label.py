from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
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


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_holds_its_values(bits: int, tmp_path: Path) -> None:
    row = bytes([0b00011011, 0b10110001])
    header = (16 // bits).to_bytes(4) + (1).to_bytes(4) + bytes([bits, 0, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b""))
    file = b"\x89PNG\r\n\x1a\n"
    for kind, content in chunks:
        body = kind + content
        file += len(content).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    (tmp_path / "label.png").write_bytes(file)
    stored = np.unpackbits(np.frombuffer(row, np.uint8)).reshape(-1, bits)
    values = stored @ (1 << np.arange(bits)[::-1])
    assert read_label(tmp_path / "label.png").tolist() == [values.tolist()]


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


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "i8"])
def test_integers_keep_the_type_of_the_file(tmp_path: Path, dtype: str, order: str) -> None:
    path = tmp_path / "label.tif"
    tifffile.imwrite(path, IDS.astype(f"{order}{dtype}"), byteorder=order)
    label = read_label(path)
    assert label.tolist() == IDS.tolist()
    assert label.dtype == np.dtype(dtype)
    assert label.dtype.isnative


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.bool_])
def test_whole_numbers_of_any_type_are_taken(tmp_path: Path, dtype: Any) -> None:
    tifffile.imwrite(tmp_path / "label.tif", IDS.astype(dtype))
    label = read_label(tmp_path / "label.tif")
    assert label.tolist() == IDS.astype(dtype).astype(int).tolist()
    assert label.dtype == np.int64


def test_grey_jpeg_label_has_rows_and_columns_only(tmp_path: Path) -> None:
    Image.new("L", (3, 2), 7).save(tmp_path / "label.jpg")
    assert read_label(tmp_path / "label.jpg").tolist() == [[7, 7, 7], [7, 7, 7]]


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_fractions_are_refused(tmp_path: Path, value: float) -> None:
    tifffile.imwrite(tmp_path / "label.tif", np.full((2, 2), value, dtype=np.float32))
    with pytest.raises(DataError, match=r"label\.tif holds fractions") as caught:
        read_label(tmp_path / "label.tif")
    assert caught.value.kind == "label"


def test_picture_in_class_colours_is_refused_as_values(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), (0, 0, 63)).save(tmp_path / "label.png")
    with pytest.raises(
        DataError, match=r"label\.png has shape \(2, 3, 3\).*list the colours"
    ) as caught:
        read_label(tmp_path / "label.png")
    assert caught.value.kind == "label"


def test_identity_keeps_classes_and_ignores_what_is_listed() -> None:
    labels = identified(np.array([[0, 1, 7, 255]]), 2, {7, 255}, "a.png")
    assert labels.tolist() == [[0, 1, 255, 255]]
    assert labels.dtype == np.uint8


@pytest.mark.parametrize("value", [2, 153, -1, 256])
def test_value_that_is_no_class_is_named(value: int) -> None:
    with pytest.raises(
        LabelError,
        match=rf"^a\.png holds label value\(s\) {value} on 2 pixels, first at row 1, column 0; "
        r"2 classes \(0\.\.1\) are declared and 255 is ignored",
    ) as caught:
        identified(np.array([[0, 1, 0], [value, 1, value]]), 2, {255}, "a.png")
    assert caught.value.kind == "label"


def test_ignored_comes_before_class() -> None:
    assert identified(np.array([[0, 1]], dtype=np.uint8), 2, {0}, "a.png").tolist() == [[255, 1]]


def test_table_maps_values_to_classes() -> None:
    assert mapped(np.array([[0, 255, 9]]), {0: 0, 255: 1, 9: 255}, "a.png").tolist() == [
        [0, 1, 255]
    ]


@pytest.mark.parametrize("value", [3, -1, -2, 2**40])
def test_value_outside_the_table_is_named(value: int) -> None:
    with pytest.raises(
        DataError,
        match=r"^a\.png holds label values that are neither a class nor ignored: "
        rf"{value} on 1 pixel, first at row 0, column 1; known: 0, 255$",
    ) as caught:
        mapped(np.array([[0, value]]), {0: 0, 255: 1}, "a.png")
    assert caught.value.kind == "label"


def test_the_most_frequent_unknown_values_come_first_and_the_rest_is_counted() -> None:
    values = np.zeros((20, 10), dtype=np.uint8)
    values[0] = np.arange(10)
    values[3, 5:8] = 9
    values[19] = 7
    listed = (
        r"7 on 11 pixels, first at row 0, column 7; 9 on 4 pixels, first at row 0, column 9; "
        r"1 on 1 pixel, first at row 0, column 1; .*; 6 on 1 pixel, [^;]*; and 1 more; known: 0$"
    )
    with pytest.raises(DataError, match=listed):
        mapped(values, {0: 0}, "soft.png")


INTEGERS = st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64])


def by_dictionary(values: NDArray[Any], table: dict[int, int]) -> list[list[int]]:
    return [[table[value] for value in row] for row in values.tolist()]


@given(st.data(), INTEGERS, st.sampled_from([-200, 0]), st.sampled_from([300, 70_000, 2**33]))
def test_table_does_what_a_dictionary_does(
    data: st.DataObject, dtype: type, least: int, most: int
) -> None:
    keys = st.integers(least, most)
    table = data.draw(st.dictionaries(keys, st.integers(0, 255), min_size=1))
    info = np.iinfo(dtype)
    known = [key for key in table if info.min <= key <= info.max]
    anything = data.draw(st.lists(st.sampled_from([*known, 0, 1, 127, info.min, info.max])))
    values: NDArray[Any] = np.array([anything, anything[::-1]], dtype=dtype)
    unknown = [value for value in anything if value not in table]
    if not unknown:
        assert mapped(values, table, "x").tolist() == by_dictionary(values, table)
        return
    with pytest.raises(DataError) as caught:
        mapped(values, table, "x")
    for value in set(unknown):
        place = f"first at row 0, column {anything.index(value)}"
        count = 2 * anything.count(value)
        assert f"{value} on {count} pixels, {place};" in str(caught.value)


def test_a_negative_value_is_not_taken_for_a_great_one() -> None:
    values = np.array([[40_000 - (1 << 16)]], dtype=np.int16)
    with pytest.raises(DataError, match="ignored: -25536 on 1 pixel"):
        mapped(values, {40_000: 1}, "x")


def test_a_great_value_is_not_taken_for_a_negative_one() -> None:
    with pytest.raises(DataError, match="ignored: 7 on 1 pixel"):
        mapped(np.array([[0, 7]], dtype=np.uint8), {0: 0, -1: 255}, "x")


def test_255_classes_and_an_ignored_value_leave_no_value_free() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert identified(values, 255, {255}, "x").tolist() == values.tolist()
    deep = values.astype(np.uint16)
    deep[3, 4] = 256
    with pytest.raises(LabelError, match="256 on 1 pixel, first at row 3, column 4; 255 classes"):
        identified(deep, 255, {255}, "x")


@pytest.mark.parametrize("prepare", [np.asfortranarray, lambda v: v[::2, ::3], lambda v: v[::-1]])
def test_views_of_any_layout_are_mapped(
    prepare: Callable[[NDArray[Any]], NDArray[Any]],
) -> None:
    values: NDArray[np.uint16] = prepare(np.arange(600, dtype=np.uint16).reshape(20, 30))
    table = {value: value % 7 for value in range(600)}
    np.testing.assert_array_equal(mapped(values, table, "x"), values % 7)


def test_labels_of_more_pixels_than_are_mapped_at_once() -> None:
    values = np.random.default_rng(0).integers(0, 9, (400, 301), dtype=np.uint8)
    np.testing.assert_array_equal(identified(values, 9, set(), "x"), values)
    values[399, 300] = 77
    with pytest.raises(LabelError, match="77 on 1 pixel, first at row 399, column 300"):
        identified(values, 9, set(), "x")


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
    with pytest.raises(DataError, match=r"label\.png has 1 channel\(s\) of uint8") as caught:
        read_colours(tmp_path / "label.png")
    assert caught.value.kind == "label"


def test_unknown_colours_are_written_as_colours(tmp_path: Path) -> None:
    picture = np.zeros((5, 7, 3), dtype=np.uint8)
    picture[3, 5:] = (0x12, 0x34, 0x56)
    picture[4, 0] = (0, 0, 255)
    Image.fromarray(picture).save(tmp_path / "label.png")
    with pytest.raises(
        DataError,
        match=r"^a\.png holds label values that are neither a class nor ignored: "
        "#123456 on 2 pixels, first at row 3, column 5; "
        "#0000ff on 1 pixel, first at row 4, column 0; known: #000000, #ffffff$",
    ):
        mapped(read_colours(tmp_path / "label.png"), {0: 0, 0xFFFFFF: 1}, "a.png", colour_text)


COLOURS = st.integers(0, 0xFFFFFF)


@given(
    palette=st.lists(COLOURS, min_size=1, max_size=20, unique=True),
    ids=st.lists(st.integers(0, 19), min_size=1, max_size=40),
    channels=st.sampled_from([3, 4]),
)
def test_ids_in_class_colours_come_back_as_ids(
    tmp_path_factory: pytest.TempPathFactory, palette: list[int], ids: list[int], channels: int
) -> None:
    wanted = np.array([ids]) % len(palette)
    colours = np.array([(c >> 16, c >> 8 & 255, c & 255, 9) for c in palette], dtype=np.uint8)
    path = tmp_path_factory.getbasetemp() / "label.png"
    Image.fromarray(colours[wanted][:, :, :channels]).save(path)
    codes = read_colours(path)
    assert codes.tolist() == [[palette[i] for i in wanted[0]]]
    table = {code: i for i, code in enumerate(palette)}
    assert mapped(codes, table, "x", colour_text).tolist() == wanted.tolist()


@given(st.lists(COLOURS, min_size=1), st.dictionaries(COLOURS, st.integers(0, 255), min_size=1))
def test_a_colour_is_unknown_if_it_is_not_in_the_table(
    colours: list[int], table: dict[int, int]
) -> None:
    codes = np.array([colours], dtype=np.uint32)
    wanted = table | dict.fromkeys(colours, 3)
    assert mapped(codes, wanted, "x").tolist() == [[3] * len(colours)]
    unknown = set(colours) - set(table)
    if unknown:
        with pytest.raises(DataError, match="neither a class nor ignored"):
            mapped(codes, table, "x")


@pytest.mark.parametrize("text", ["00003f", "#00003", "#+0003f", "#00003g", "red", ""])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as '#rrggbb'"):
        colour_code(text)


@given(st.integers(0, 0xFFFFFF))
def test_colour_codes_round_trip(code: int) -> None:
    assert colour_code(colour_text(code)) == code
