"""Traps of image files: each was seen to change pixels without a word in some reader."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from gpbench.core.errors import DataError, MissingExtraError
from gpbench.readers.image import read_image, read_rgb


def noise(*shape: int, dtype: Any = np.uint8) -> NDArray[Any]:
    values = np.random.default_rng(0).integers(0, 256, shape)
    return (values * (257 if dtype == np.uint16 else 1)).astype(dtype)


@given(
    arrays.arrays(
        dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
        shape=st.tuples(st.integers(2, 9), st.integers(5, 9), st.sampled_from([1, 3, 4])),
        elements={"min_value": 0, "max_value": 255},
    )
)
def test_tiff_comes_back_as_written(
    tmp_path_factory: pytest.TempPathFactory, pixels: NDArray[Any]
) -> None:
    path = tmp_path_factory.mktemp("tiff") / "image.tif"
    tifffile.imwrite(
        path,
        pixels,
        photometric="minisblack",
        planarconfig="contig" if pixels.shape[2] > 1 else None,
    )
    assert_same(read_image(path), pixels)


def assert_same(found: NDArray[Any], expected: NDArray[Any]) -> None:
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    assert found.dtype.isnative


def test_near_infrared_of_a_tiff_is_kept(tmp_path: Path) -> None:
    pixels = noise(8, 9, 4)
    path = tmp_path / "naip.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=[0])
    with Image.open(path) as opened:
        assert opened.mode == "RGB", "Pillow drops the band: the reason for using tifffile"
    assert_same(read_image(path), pixels)


def test_tiff_under_the_name_of_a_png_keeps_its_bands(tmp_path: Path) -> None:
    pixels = noise(8, 9, 4)
    path = tmp_path / "naip.png"
    with path.open("wb") as file:
        tifffile.imwrite(file, pixels, photometric="rgb", extrasamples=[0])
    assert_same(read_image(path), pixels)


def test_planes_of_a_tiff_become_the_last_axis(tmp_path: Path) -> None:
    planes = noise(4, 8, 9, dtype=np.uint16)
    path = tmp_path / "planar.tif"
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate", extrasamples=[0])
    assert_same(read_image(path), np.moveaxis(planes, 0, 2))


def test_pages_of_a_tiff_become_bands(tmp_path: Path) -> None:
    pages = noise(5, 8, 9)
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, pages, photometric="minisblack")
    assert_same(read_image(path), np.moveaxis(pages, 0, 2))


def test_tiff_of_one_row_keeps_its_rows(tmp_path: Path) -> None:
    pixels = noise(1, 9, 4)
    path = tmp_path / "row.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=[0])
    assert_same(read_image(path), pixels)


def test_tiff_in_foreign_byte_order_becomes_native(tmp_path: Path) -> None:
    pixels = noise(8, 9, dtype=np.uint16)
    path = tmp_path / "big.tif"
    tifffile.imwrite(path, pixels, byteorder=">")
    assert_same(read_image(path), pixels[:, :, None])


def test_reduced_copies_inside_a_tiff_are_not_read(tmp_path: Path) -> None:
    pixels, path = noise(64, 64, 3), tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, subifds=1)
        writer.write(pixels[::2, ::2], subfiletype=1)
    assert_same(read_image(path), pixels)


def test_colour_table_of_a_tiff_is_expanded(tmp_path: Path) -> None:
    table = np.zeros((3, 256), dtype=np.uint16)
    table[:, 1] = (200 << 8, 100 << 8, 50 << 8)
    path = tmp_path / "palette.tif"
    tifffile.imwrite(path, np.eye(4, dtype=np.uint8), photometric="palette", colormap=table)
    image = read_image(path)
    assert image.shape == (4, 4, 3)
    assert image[0, 0].tolist() == [200, 100, 50]
    assert image[0, 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.int8, np.float16])
def test_widened_types_keep_their_values(tmp_path: Path, dtype: Any) -> None:
    heights = np.array([[-3, 0], [7, 120]], dtype=dtype)
    path = tmp_path / "height.tif"
    tifffile.imwrite(path, heights)
    assert_same(read_image(path), heights.astype(np.float32)[:, :, None])


def test_type_that_would_lose_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "count.tif"
    tifffile.imwrite(path, np.zeros((4, 4), dtype=np.int32))
    with pytest.raises(DataError, match=r"count\.tif holds int32 pixels; uint8, uint16"):
        read_image(path)


def test_stack_of_stacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, noise(2, 3, 8, 9), photometric="minisblack")
    with pytest.raises(DataError, match=r"stack\.tif has axes .* rows, columns and bands"):
        read_image(path)


@pytest.mark.skipif(
    importlib.util.find_spec("imagecodecs") is not None, reason="imagecodecs is installed here"
)
def test_compression_that_needs_a_package_names_it(tmp_path: Path) -> None:
    path = tmp_path / "lzw.tif"
    Image.fromarray(noise(8, 9, 3)).save(path, compression="tiff_lzw")
    with pytest.raises(MissingExtraError, match=r"lzw\.tif needs .*pip install imagecodecs"):
        read_image(path)


def test_thermal_band_in_the_alpha_channel_is_kept(tmp_path: Path) -> None:
    pixels = noise(8, 9, 4)
    pixels[:4, :, 3] = 0  # compositing would turn these pixels black
    path = tmp_path / "rgbt.png"
    Image.fromarray(pixels).save(path)
    assert_same(read_image(path), pixels)


def test_grey_image_has_one_channel(tmp_path: Path) -> None:
    pixels, path = noise(8, 9), tmp_path / "grey.png"
    Image.fromarray(pixels).save(path)
    assert_same(read_image(path), pixels[:, :, None])


def test_grey_png_of_16_bits_keeps_them(tmp_path: Path) -> None:
    pixels, path = noise(8, 9, dtype=np.uint16) + np.uint16(3), tmp_path / "depth.png"
    Image.fromarray(pixels).save(path)
    assert_same(read_image(path), pixels[:, :, None])


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_png_of_16_bits_keeps_them(tmp_path: Path, channels: int) -> None:
    pixels = noise(8, 9, channels, dtype=np.uint16) ^ np.uint16(5)
    path = tmp_path / "deep.png"
    order = [2, 1, 0, 3][:channels]
    cv2.imwrite(str(path), pixels[:, :, order])
    assert_same(read_image(path), pixels)


def test_colour_table_of_a_png_is_expanded(tmp_path: Path) -> None:
    picture = Image.fromarray(np.eye(4, dtype=np.uint8), mode=None).convert("P")
    picture.putpalette([0, 0, 0, 200, 100, 50])
    path = tmp_path / "palette.png"
    picture.save(path)
    assert read_image(path)[0, :2].tolist() == [[200, 100, 50], [0, 0, 0]]


def test_transparent_entry_of_a_colour_table_becomes_alpha(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1), 1)
    picture.putpalette([0, 0, 0, 200, 100, 50])
    path = tmp_path / "palette.png"
    picture.save(path, transparency=1)
    assert read_image(path)[0, 0].tolist() == [200, 100, 50, 0]


def test_black_and_white_image_becomes_0_and_255(tmp_path: Path) -> None:
    path = tmp_path / "bits.png"
    Image.fromarray(np.eye(4, dtype=bool)).save(path)
    assert_same(read_image(path), (255 * np.eye(4, dtype=np.uint8))[:, :, None])


def test_camera_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the stored left edge is the true top
    path = tmp_path / "turned.jpg"
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    image = read_image(path)
    assert image.shape == (32, 16, 3)
    assert image[:, 12].min() > 240
    assert image[:, 3].max() < 15


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.png cannot be read: No such file"):
        read_image(tmp_path / "absent.png")


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png", "cut.bmp", "cut.tif", "deep.png"])
def test_truncated_file_is_named(tmp_path: Path, name: str) -> None:
    whole, path = tmp_path / f"whole{Path(name).suffix}", tmp_path / name
    if name == "deep.png":
        cv2.imwrite(str(whole), noise(64, 64, 3, dtype=np.uint16))
    elif path.suffix == ".tif":
        tifffile.imwrite(whole, noise(64, 64, 4), photometric="rgb", compression="zlib")
    else:
        Image.fromarray(noise(64, 64, 3)).save(whole)
    path.write_bytes(whole.read_bytes()[:900])
    with pytest.raises(DataError, match=rf"{name} cannot be decoded, is it damaged\?"):
        read_image(path)


@pytest.mark.parametrize(
    "content", [b"", b"not an image at all", b"II*\0garbage", b"\x89PNG\r\n\x1a\n"]
)
def test_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"odd\.png cannot be decoded"):
        read_image(path)


def encoded(kind: str) -> bytes:
    """Return a small file of a kind."""
    buffer = io.BytesIO()
    if kind == "tiff":
        tifffile.imwrite(buffer, noise(24, 24, 4), photometric="rgb", compression="zlib")
    elif kind == "deep png":
        return bytes(cv2.imencode(".png", noise(24, 24, 3, dtype=np.uint16))[1])
    else:
        Image.fromarray(noise(24, 24, 3)).save(buffer, format=kind)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "tiff", "deep png"])
@settings(derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), garbage=st.binary(min_size=1, max_size=9))
def test_damaged_file_is_an_image_or_a_message(
    tmp_path: Path, kind: str, place: float, garbage: bytes
) -> None:
    content = bytearray(encoded(kind))
    start = int(place * (len(content) - len(garbage)))
    content[start : start + len(garbage)] = garbage
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with contextlib.suppress(DataError, MissingExtraError):
        assert read_image(path).ndim == 3


def test_grey_is_repeated_for_pretraining(tmp_path: Path) -> None:
    pixels, path = noise(8, 9), tmp_path / "grey.png"
    Image.fromarray(pixels).save(path)
    assert_same(read_rgb(path), np.repeat(pixels[:, :, None], 3, axis=2))


def test_alpha_is_dropped_and_not_composited_for_pretraining(tmp_path: Path) -> None:
    pixels, path = noise(8, 9, 4), tmp_path / "rgba.png"
    Image.fromarray(pixels).save(path)
    assert_same(read_rgb(path), pixels[:, :, :3])


def test_grey_with_alpha_gives_the_grey_for_pretraining(tmp_path: Path) -> None:
    pixels, path = noise(8, 9, 2), tmp_path / "la.png"
    Image.fromarray(pixels, mode=None).save(path)
    assert_same(read_rgb(path), np.repeat(pixels[:, :, :1], 3, axis=2))


def test_print_colours_become_red_green_blue(tmp_path: Path) -> None:
    path = tmp_path / "cmyk.jpg"
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(path, quality=95)
    red, green, blue = read_rgb(path)[8, 8]
    assert red < 20
    assert green > 200
    assert blue > 200


def test_16_bits_become_8_for_pretraining(tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, np.array([[0, 255, 256, 65535]], dtype=np.uint16))
    assert read_rgb(path)[0, :, 0].tolist() == [0, 0, 1, 255]


def test_floats_are_refused_for_pretraining(tmp_path: Path) -> None:
    path = tmp_path / "height.tif"
    tifffile.imwrite(path, np.ones((8, 9), dtype=np.float32))
    with pytest.raises(DataError, match=r"height\.tif holds float32 pixels"):
        read_rgb(path)
