"""Traps of TIFF files: each was seen to change pixels without a word in some reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from gpbench.core.errors import DataError
from gpbench.readers.image import read_image
from gpbench.readers.tiff import read_tiff
from tests.readers.files import Pixels, assert_same, noise, picture, saved, tiff


@given(
    arrays.arrays(
        dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
        shape=st.tuples(st.integers(2, 9), st.integers(5, 9), st.sampled_from([1, 3, 4])),
        elements={"min_value": 0, "max_value": 255},
    )
)
def test_tiff_comes_back_as_written(
    tmp_path_factory: pytest.TempPathFactory, pixels: Pixels
) -> None:
    path = tmp_path_factory.mktemp("tiff") / "image.tif"
    planes = "contig" if pixels.shape[2] > 1 else None
    tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig=planes)
    assert_same(read_image(path), pixels)


@pytest.mark.parametrize("tile", [None, (32, 48)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "packbits", "lzma", "lerc"])
def test_compressed_strips_and_tiles_come_back_as_written(
    tmp_path: Path, compression: str, dtype: Any, tile: tuple[int, int] | None
) -> None:
    pixels = noise(70, 90, 5, dtype=dtype)
    predicted = compression in {"lzw", "zlib", "zstd"}
    path = tmp_path / "image.tif"
    tifffile.imwrite(
        path,
        pixels,
        photometric="minisblack",
        planarconfig="contig",
        compression=compression,
        predictor=predicted,
        tile=tile,
        rowsperstrip=None if tile else 16,
    )
    assert_same(read_image(path), pixels)


JPEG_INSIDE = {
    "strips": tiff(picture(70, 90), photometric="rgb", compression="jpeg"),
    "tiles": tiff(picture(70, 90), photometric="rgb", compression="jpeg", tile=(32, 48)),
    "red, green, blue": saved(Image.fromarray(picture(70, 90)), "TIFF", compression="jpeg"),
}


@pytest.mark.parametrize("kind", JPEG_INSIDE)
def test_jpeg_inside_is_rgb(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(JPEG_INSIDE[kind])
    image = read_image(path)
    with Image.open(path) as opened:
        assert_same(image, np.asarray(opened))
    assert np.abs(image.astype(int) - picture(70, 90)).mean() < 3


@pytest.mark.parametrize(
    "options",
    [{"bigtiff": True}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_large_files_and_foreign_byte_order_are_read(
    tmp_path: Path, dtype: Any, options: dict[str, Any]
) -> None:
    pixels, path = noise(8, 9, 4, dtype=dtype), tmp_path / "image.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=[0], **options)
    assert_same(read_image(path), pixels)


def test_near_infrared_is_kept(tmp_path: Path) -> None:
    pixels = noise(8, 9, 4)
    path = tmp_path / "naip.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=[0])
    with Image.open(path) as opened:
        assert opened.mode == "RGB", "Pillow drops the band: the reason for using tifffile"
    assert_same(read_image(path), pixels)


def test_tiff_under_the_name_of_a_png_keeps_its_bands(tmp_path: Path) -> None:
    path = tmp_path / "naip.png"
    path.write_bytes(tiff(noise(8, 9, 4), photometric="rgb", extrasamples=[0]))
    assert_same(read_image(path), noise(8, 9, 4))


@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_planes_become_the_last_axis(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    planes = noise(4, 40, 50, dtype=np.uint16)
    path = tmp_path / "planar.tif"
    tifffile.imwrite(
        path,
        planes,
        photometric="rgb",
        planarconfig="separate",
        extrasamples=[0],
        tile=tile,
        compression="lzw" if tile else None,
    )
    assert_same(read_image(path), np.moveaxis(planes, 0, 2))


def test_pages_become_bands(tmp_path: Path) -> None:
    pages = noise(5, 8, 9)
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, pages, photometric="minisblack")
    assert_same(read_image(path), np.moveaxis(pages, 0, 2))


def test_one_row_keeps_its_rows(tmp_path: Path) -> None:
    pixels = noise(1, 9, 4)
    path = tmp_path / "row.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=[0])
    assert_same(read_image(path), pixels)


def test_reduced_copies_are_not_read(tmp_path: Path) -> None:
    pixels, path = noise(64, 64, 3), tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, subifds=1)
        writer.write(pixels[::2, ::2], subfiletype=1)
    assert_same(read_image(path), pixels)


def test_colour_table_is_expanded(tmp_path: Path) -> None:
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
    with pytest.raises(DataError, match=r"count\.tif holds int32 pixels; uint8, uint16") as caught:
        read_image(path)
    assert caught.value.kind == "pixels"


def test_stack_of_stacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, noise(2, 3, 8, 9), photometric="minisblack")
    with pytest.raises(
        DataError, match=r"stack\.tif has axes .* rows, columns and bands"
    ) as caught:
        read_image(path)
    assert caught.value.kind == "pixels"


@pytest.fixture
def without_last_strip(tmp_path: Path) -> Path:
    """Return a file of 64 rows in 4 strips, whose header says 80 rows."""
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, noise(64, 9), compression="zlib", rowsperstrip=16)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["ImageLength"].overwrite(80)
    return path


def test_missing_strips_are_not_filled_up(without_last_strip: Path) -> None:
    with pytest.raises(DataError, match=r"cut\.tif cannot be decoded.* It has 4 of 5 strips"):
        read_image(without_last_strip)


def test_what_tifffile_thinks_of_a_file_is_not_told_to_the_terminal(
    without_last_strip: Path,
) -> None:
    code = "import sys; from gpbench.readers.tiff import read_tiff; read_tiff(sys.argv[1], 'x')"
    arguments = [sys.executable, "-c", code, str(without_last_strip)]
    run = subprocess.run(arguments, capture_output=True, check=False, text=True)
    assert run.stderr.startswith("Traceback"), "something stands before the error"


def test_a_wrong_number_of_bytes_does_no_harm_where_nothing_is_compressed(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, noise(24, 24))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["StripByteCounts"].overwrite(5760)
    assert_same(read_image(path), noise(24, 24, 1))


@pytest.mark.parametrize("tag", ["ImageWidth", "BitsPerSample"])
def test_a_picture_of_no_size_is_named(tmp_path: Path, tag: str) -> None:
    path = tmp_path / "none.tif"
    tifffile.imwrite(path, noise(24, 24), metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[tag].overwrite(0)
    with pytest.raises(DataError, match=r"none\.tif cannot be decoded.* It holds no whole picture"):
        read_image(path)


def test_index_outside_the_colour_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "palette.tif"
    table = noise(3, 256, dtype=np.uint16)
    tifffile.imwrite(path, noise(24, 24), photometric="palette", colormap=table)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["ColorMap"].overwrite([1, 2, 3])
    with pytest.raises(DataError, match=r"palette\.tif cannot be decoded"):
        read_image(path)


def test_codec_that_is_not_built_in_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.tif"
    tifffile.imwrite(path, noise(24, 24), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["Compression"].overwrite(48124)  # Jetraw, which costs money
    assert not imagecodecs.JETRAW.available
    with pytest.raises(DataError, match=r"odd\.tif cannot be decoded"):
        read_image(path)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb", "separated"])
def test_what_the_bands_are_is_told(tmp_path: Path, photometric: str) -> None:
    pixels = {"rgb": noise(8, 9, 3), "separated": noise(8, 9, 4)}.get(photometric, noise(8, 9))
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, pixels, photometric=photometric)
    assert read_tiff(path, "x").photometric == photometric.upper()
    assert_same(read_image(path), np.atleast_3d(pixels))
