"""JPEG: as Pillow decodes it, smaller where that is enough, and Pillow's to decide if in doubt."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from gpbench.readers.jpeg import MOST_PX, decode_jpeg
from tests.readers.files import KINDS, SMALLEST_NOTE, Pixels, noted, picture, saved


def by_pillow(file: bytes) -> Pixels:
    with Image.open(io.BytesIO(file)) as opened:
        return np.asarray(opened)


def decoded(file: bytes, least_px: int | None = None) -> Pixels:
    pixels = decode_jpeg(file, least_px)
    assert pixels is not None
    return pixels


WAYS: list[dict[str, Any]] = [
    {"subsampling": 0},
    {"subsampling": 1},
    {"subsampling": 2},
    {"progressive": True},
    {"keep_rgb": True},
    {"quality": 30},
]


@pytest.mark.parametrize("least_px", [None, 45])
@pytest.mark.parametrize("options", WAYS)
def test_pixels_are_pillows(options: dict[str, Any], least_px: int | None) -> None:
    file = saved(Image.fromarray(picture()), "JPEG", **options)
    np.testing.assert_array_equal(decoded(file, least_px), by_pillow(file))


def test_grey_has_one_channel() -> None:
    file = KINDS["grey jpeg"]()
    np.testing.assert_array_equal(decoded(file), by_pillow(file)[:, :, None])


@pytest.mark.parametrize("is_high", [False, True])
@pytest.mark.parametrize(
    ("least_px", "shape"),
    [
        (375, (375, 500)),
        (224, (375, 500)),  # a half has 188 rows only
        (188, (188, 250)),
        (94, (94, 125)),
        (64, (94, 125)),  # an eighth has 47
        (47, (47, 63)),
        (3, (47, 63)),
    ],
)
def test_smaller_as_long_as_both_sides_keep_what_is_asked(
    least_px: int,
    shape: tuple[int, int],
    is_high: bool,  # noqa: FBT001  a case
) -> None:
    if is_high:
        shape = (shape[1], shape[0])
    image = Image.fromarray(picture(500, 375) if is_high else picture(375, 500))
    small = decoded(saved(image, "JPEG", quality=95), least_px)
    assert small.shape == (*shape, 3)
    expected = np.asarray(image.resize(shape[::-1], Image.Resampling.BOX))
    np.testing.assert_allclose(small, expected, atol=25)
    assert np.abs(small.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("kind", ["cmyk jpeg", "ycck jpeg"])
def test_print_colours_are_left_to_pillow(kind: str) -> None:
    assert decode_jpeg(KINDS[kind]()) is None


def test_more_pixels_than_are_likely_are_left_to_pillow() -> None:
    side_px = math.isqrt(MOST_PX) + 1
    black = np.zeros((side_px, side_px, 1), dtype=np.uint8)
    assert decode_jpeg(simplejpeg.encode_jpeg(black, colorspace="GRAY")) is None


def test_stray_bytes_between_segments_are_left_to_pillow() -> None:
    whole = KINDS["jpeg"]()
    tables = whole.index(b"\xff\xdb")
    assert decode_jpeg(whole[:tables] + b"stray" + whole[tables:]) is None


@pytest.mark.parametrize("n_bytes", [3, 20, 300, 900])
def test_truncated_files_are_left_to_pillow(n_bytes: int) -> None:
    assert decode_jpeg(KINDS["jpeg"]()[:n_bytes]) is None


@pytest.mark.parametrize("least_px", [None, 16])
def test_the_noted_orientation_is_applied(least_px: int | None) -> None:
    plain = decoded(saved(Image.fromarray(picture()), "JPEG"), least_px)
    turned = decoded(saved(Image.fromarray(picture()), "JPEG", exif=noted(6)), least_px)
    np.testing.assert_array_equal(turned, np.rot90(plain, -1))


def with_segment(file: bytes, marker: int, content: bytes) -> bytes:
    """Return a file that begins with a segment."""
    size = (len(content) + 2).to_bytes(2)
    return file[:2] + bytes([0xFF, marker]) + size + content + file[2:]


def test_the_smallest_note_is_applied() -> None:
    plain = saved(Image.fromarray(picture()), "JPEG")
    noted_file = with_segment(plain, 0xE1, b"Exif\0\0" + SMALLEST_NOTE)
    np.testing.assert_array_equal(decoded(noted_file), np.rot90(decoded(plain), -1))


@pytest.mark.parametrize("before", ["profile", "filling", "packet"])
def test_a_note_is_found_behind_other_segments(before: str) -> None:
    plain = saved(Image.fromarray(picture()), "JPEG")
    file = with_segment(plain, 0xE1, b"Exif\0\0" + SMALLEST_NOTE)
    file = {
        "profile": with_segment(file, 0xE2, b"Exif\0\0 in a colour profile".ljust(4000, b"\0")),
        "filling": file[:2] + b"\xff\xff" + file[2:],
        "packet": with_segment(file, 0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
    }[before]
    np.testing.assert_array_equal(decoded(file), np.rot90(decoded(plain), -1))


def test_what_only_looks_like_a_note_is_none() -> None:
    plain = saved(Image.fromarray(picture()), "JPEG")
    note = b"Exif\0\0" + SMALLEST_NOTE
    comment = with_segment(plain, 0xFE, note)
    behind = plain + with_segment(plain, 0xE1, note)[2 : 6 + len(note)]
    np.testing.assert_array_equal(decoded(comment), decoded(plain))
    np.testing.assert_array_equal(decoded(behind), decoded(plain))
