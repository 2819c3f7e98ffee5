"""PNG: what libpng and its wrappers do to channels without a word."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gpbench.readers.png import PNG_SIGNATURE, decode_png
from tests.readers.files import KINDS, Pixels, assert_same, noise, noted, saved

ADAM7 = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
"""Row, column, step of rows, step of columns of the seven passes."""


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return len(content).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)


def with_chunk(file: bytes, kind: bytes, content: bytes) -> bytes:
    """Return a file with a chunk before its pixels."""
    start = file.index(b"IDAT") - 4
    return file[:start] + chunk(kind, content) + file[start:]


def interlaced(pixels: Pixels) -> bytes:
    """Return an interlaced file (H, W, 3) of 8 bits, which no library here writes."""
    height, width, _ = pixels.shape
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 1])
    passes = (pixels[y::rows, x::columns] for y, x, rows, columns in ADAM7)
    lines = b"".join(b"\0" + line.tobytes() for part in passes for line in part if line.size)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return PNG_SIGNATURE + content


def decoded(file: bytes) -> Pixels:
    pixels = decode_png(file)
    assert pixels is not None
    return pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 2), (8, 9, 3), (8, 9, 4), (1, 1, 3)])
def test_channels_come_as_stored(shape: tuple[int, ...], dtype: Any) -> None:
    pixels = noise(*shape, dtype=dtype)
    assert_same(decoded(bytes(imagecodecs.png_encode(pixels))), np.atleast_3d(pixels))


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5, 3), (16, 17, 3)])
def test_interlaced_lines_are_put_in_order(shape: tuple[int, int, int]) -> None:
    file = interlaced(noise(*shape))
    with Image.open(io.BytesIO(file)) as opened:
        assert opened.info["interlace"] == 1
        np.testing.assert_array_equal(np.asarray(opened), noise(*shape))
    assert_same(decoded(file), noise(*shape))


@pytest.mark.parametrize("kind", ["palette png", "two-colour png"])
def test_indices_and_bits_are_left_to_pillow(kind: str) -> None:
    assert decode_png(KINDS[kind]()) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_transparent_colour_is_no_channel(dtype: Any) -> None:
    pixels = noise(8, 9, 3, dtype=dtype)
    file = bytes(imagecodecs.png_encode(pixels))
    assert_same(decoded(with_chunk(file, b"tRNS", bytes(6))), pixels)


def test_a_broken_colour_profile_is_not_told_to_the_terminal() -> None:
    file = saved(Image.fromarray(noise(8, 9, 3)), "PNG", icc_profile=b"broken" * 30)
    code = "import sys; from gpbench.readers import png; png.decode_png(sys.stdin.buffer.read())"
    run = subprocess.run([sys.executable, "-c", code], input=file, capture_output=True, check=True)
    assert run.stderr == b""
    assert_same(decoded(file), noise(8, 9, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_noted_orientation_is_applied(dtype: Any) -> None:
    pixels = noise(8, 9, 3, dtype=dtype)
    file = bytes(imagecodecs.png_encode(pixels))
    turned = with_chunk(file, b"eXIf", noted(6).tobytes().removeprefix(b"Exif\0\0"))
    np.testing.assert_array_equal(decoded(turned), np.rot90(pixels, -1))


def test_texts_change_nothing() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Software", "a program")
    file = saved(Image.fromarray(noise(8, 9, 3)), "PNG", pnginfo=texts)
    assert_same(decoded(file), noise(8, 9, 3))


def test_pixels_whose_chunk_lost_its_name_are_missed() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    file = saved(Image.fromarray(pixels), "PNG")
    second = file.index(b"IDAT", file.index(b"IDAT") + 4)
    with pytest.raises(imagecodecs.PngError):
        decode_png(file[:second] + b"iDAT" + file[second + 4 :])
