"""Pre-training images: whatever a photograph's file holds, as 8-bit red, green and blue."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from gpbench.core.errors import DataError
from gpbench.readers.image import decode_rgb, read_rgb
from tests.readers.files import (
    IMAGE,
    KINDS,
    Pixels,
    assert_same,
    noise,
    noted,
    picture,
    saved,
    tiff,
)


def by_pillow(file: bytes) -> Pixels:
    with Image.open(io.BytesIO(file)) as opened:
        return np.asarray(opened.convert("RGB"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("least_px", [None, 8])
def test_every_kind_becomes_rgb(kind: str, least_px: int | None) -> None:
    image = decode_rgb(KINDS[kind](), kind, least_px)
    assert image.shape[2] == 3
    assert min(image.shape[:2]) >= 8
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


@pytest.mark.parametrize("kind", ["grey jpeg", "progressive jpeg", "cmyk jpeg", "ycck jpeg"])
def test_jpeg_of_every_colour_space_is_as_pillow_converts_it(kind: str) -> None:
    file = KINDS[kind]()
    assert_same(decode_rgb(file, kind), by_pillow(file))


def test_stray_bytes_in_a_jpeg_do_no_harm() -> None:
    whole = KINDS["progressive jpeg"]()
    tables = whole.index(b"\xff\xdb")
    assert_same(decode_rgb(whole[:tables] + b"stray" + whole[tables:], "x"), by_pillow(whole))


@pytest.mark.parametrize("colours", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("least_px", [None, 16])
def test_the_noted_orientation_is_applied(colours: str, least_px: int | None) -> None:
    image = IMAGE.convert(colours)
    turned = decode_rgb(saved(image, "JPEG", exif=noted(6)), "x", least_px)
    plain = decode_rgb(saved(image, "JPEG"), "x", least_px)
    assert_same(turned, np.rot90(plain, -1))
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("colours", ["RGB", "L"])
def test_a_jpeg_comes_smaller_where_that_is_enough(colours: str) -> None:
    file = saved(Image.fromarray(picture(90, 120)).convert(colours), "JPEG")
    assert decode_rgb(file, "x").shape == (90, 120, 3)
    assert decode_rgb(file, "x", 46).shape == (90, 120, 3)
    assert decode_rgb(file, "x", 45).shape == (45, 60, 3)


def test_a_file_is_what_its_first_bytes_say(tmp_path: Path) -> None:
    path = tmp_path / "n02105855_2933.JPEG"  # of ImageNet, a PNG
    path.write_bytes(saved(IMAGE, "PNG"))
    assert_same(read_rgb(path), picture())
    path.write_bytes(tiff(picture(), photometric="rgb"))
    assert_same(read_rgb(path, 16), picture())
    path.write_bytes(saved(IMAGE, "JPEG"))
    assert read_rgb(path, 16).shape == (17, 23, 3)


def test_grey_is_repeated() -> None:
    pixels = noise(8, 9)
    file = saved(Image.fromarray(pixels), "PNG")
    assert_same(decode_rgb(file, "x"), np.repeat(pixels[:, :, None], 3, axis=2))


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_dropped_and_not_composited(channels: int) -> None:
    pixels = noise(8, 9, channels)
    file = saved(Image.fromarray(pixels), "PNG")
    assert_same(decode_rgb(file, "x"), pixels[:, :, [0, 0, 0] if channels == 2 else [0, 1, 2]])


def test_colour_tables_are_expanded() -> None:
    image = Image.new("P", (2, 1), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    for options in ({}, {"transparency": 1}):
        assert decode_rgb(saved(image, "PNG", **options), "x")[0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_become_8(order: str) -> None:
    deep = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    file = tiff(deep.astype(f"{order}u2"), byteorder=order)
    assert decode_rgb(file, "x")[0, :, 0].tolist() == [0, 0, 1, 255]
    pixels = noise(8, 9, 3, dtype=np.uint16)
    for encode in (imagecodecs.png_encode, imagecodecs.jpeg2k_encode):
        assert_same(decode_rgb(bytes(encode(pixels, level=0)), "x"), (pixels >> 8).astype(np.uint8))


def test_print_colours_of_a_tiff_become_red_green_blue() -> None:
    inks = np.full((8, 9, 4), (255, 0, 0, 0), dtype=np.uint8)
    assert decode_rgb(tiff(inks, photometric="separated"), "x")[0, 0].tolist() == [0, 255, 255]


def test_white_of_a_tiff_is_white_whatever_number_it_has() -> None:
    for dtype in (np.uint8, np.uint16):
        file = tiff(np.array([[0, 1]], dtype=dtype), photometric="miniswhite")
        assert decode_rgb(file, "x")[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("pixels", "photometric"),
    [
        (noise(8, 9, 3), "cielab"),
        (noise(8, 9, 4, dtype=np.uint16), "separated"),
        (noise(8, 9, 5), "separated"),
    ],
)
def test_colours_of_no_screen_are_refused(pixels: Pixels, photometric: str) -> None:
    options: dict[str, Any] = {"photometric": photometric, "planarconfig": "contig"}
    with pytest.raises(DataError, match=rf"lab\.tif holds . band\(s\) of {photometric.upper()}"):
        decode_rgb(tiff(pixels, **options), "lab.tif")


def test_floats_are_refused() -> None:
    file = tiff(np.ones((8, 9), dtype=np.float32))
    with pytest.raises(DataError, match=r"height\.tif holds float32 pixels") as caught:
        decode_rgb(file, "height.tif")
    assert caught.value.kind == "pixels"
