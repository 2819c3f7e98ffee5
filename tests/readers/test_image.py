"""Traps of image files: each was seen to change pixels without a word in some reader."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from gpbench.core.errors import DataError
from gpbench.readers.image import bytes_of, is_tiff, read_image
from tests.readers.files import KINDS, assert_same, noise, noted, saved


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


def test_grey_jpeg_has_one_channel(tmp_path: Path) -> None:
    path = tmp_path / "height.jpg"
    path.write_bytes(KINDS["grey jpeg"]())
    with Image.open(path) as opened:
        assert_same(read_image(path), np.asarray(opened)[:, :, None])


def test_grey_png_of_16_bits_keeps_them(tmp_path: Path) -> None:
    pixels, path = noise(8, 9, dtype=np.uint16), tmp_path / "depth.png"
    Image.fromarray(pixels).save(path)
    assert_same(read_image(path), pixels[:, :, None])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colour_png_of_16_bits_keeps_them(tmp_path: Path, channels: int) -> None:
    pixels = noise(8, 9, channels, dtype=np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(imagecodecs.png_encode(pixels))
    with Image.open(path) as opened:
        assert np.asarray(opened).dtype == np.uint8, "Pillow keeps 16 bits: it may read them"
    assert_same(read_image(path), pixels)


@pytest.mark.parametrize("container", ["jp2", "j2k"])
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_jpeg_2000_keeps_its_bits_and_bands(tmp_path: Path, container: str, channels: int) -> None:
    pixels = noise(8, 9, channels, dtype=np.uint16)
    path = tmp_path / "tile.jp2"
    path.write_bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat=container))
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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_camera_orientation_is_applied(tmp_path: Path, kind: str, mode: str) -> None:
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:8] = 255
    path = tmp_path / "turned"
    image = Image.fromarray(pixels).convert(mode if kind == "PNG" else "RGB")
    path.write_bytes(saved(image, kind, exif=noted(6), quality=95))
    turned = read_image(path)  # the stored left edge is the true top
    assert turned.shape == (32, 16, 3)
    assert turned[:, 12].min() > 240
    assert turned[:, 3].max() < 15
    assert turned.flags.c_contiguous


def test_camera_orientation_behind_the_pixels_is_applied(tmp_path: Path) -> None:
    pixels = np.eye(3, 5, dtype=bool)
    path = tmp_path / "turned.png"
    file = saved(Image.fromarray(pixels), "PNG", exif=noted(6))
    start, pixel_chunk = file.index(b"eXIf") - 4, file.index(b"IDAT") - 4
    end = file.index(b"IEND") - 4
    path.write_bytes(file[:start] + file[pixel_chunk:end] + file[start:pixel_chunk] + file[end:])
    np.testing.assert_array_equal(read_image(path)[:, :, 0] > 0, np.rot90(pixels, -1))


def test_bmp_under_the_name_of_a_png_is_read(tmp_path: Path) -> None:
    path = tmp_path / "patch.png"  # as mmsegmentation's converter of iSAID writes them
    Image.fromarray(noise(8, 9, 3)).save(path, "BMP")
    assert_same(read_image(path), noise(8, 9, 3))


@pytest.mark.parametrize("ask", [read_image, bytes_of, is_tiff])
def test_missing_file_is_named(tmp_path: Path, ask: type) -> None:
    with pytest.raises(DataError, match=r"absent\.png cannot be read: No such file"):
        ask(tmp_path / "absent.png")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        ask(tmp_path)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_a_png_decodes_to_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(imagecodecs.png_encode(noise(8, 9, channels)))
    made = noise(8, 9, channels)
    monkeypatch.setattr(imagecodecs, "png_decode", lambda _: made)
    assert np.shares_memory(read_image(path), made)
