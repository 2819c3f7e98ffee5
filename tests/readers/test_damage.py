"""Damaged files: an image or a message that names the file, of every kind and from every reader."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gpbench.core.errors import DataError
from gpbench.readers.damage import damage_named
from gpbench.readers.image import decode_rgb, read_image
from gpbench.readers.label import read_colours, read_label
from tests.readers.files import KINDS

WHERE = "train.tar!n01440764/odd.JPEG"
NO_IMAGES = {
    "text": b"not an image at all",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
    "a page": b"<!DOCTYPE html><html>Sign in to download</html>",
    "a program of PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    "a picture of 16 bits that Pillow cuts": b"P6 1 1 65535\n\1\2\3\4\5\6",
    "a head of TIFF": b"II*\0garbage",
    "a head of PNG": b"\x89PNG\r\n\x1a\n",
    "a head of JPEG": b"\xff\xd8\xff\xe0",
    "a head of JPEG 2000": b"\xff\x4f\xff\x51",
}


@pytest.mark.parametrize(
    "error",
    [
        OSError("image file is truncated"),
        SyntaxError("broken PNG file"),
        ValueError("cannot reshape"),
        EOFError("no more frames"),
        IndexError("index 255 is out of bounds"),
        KeyError(48124),
        ZeroDivisionError("division by zero"),
        AttributeError("'NoneType' object has no attribute 'size'"),
        TypeError("unsupported operand"),
        RuntimeError("png_read_data_fn input stream too small"),
        ImportError("could not import name 'jetraw_decode'"),
        MemoryError(),
        struct.error("unpack requires a buffer of 4 bytes"),
        zlib.error("Error -3 while decompressing data"),
        Image.DecompressionBombError("Image size exceeds limit"),
        tifffile.TiffFileError("not a TIFF file"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_decoders_raise_becomes_a_message(error: Exception) -> None:
    reason = str(error) or type(error).__name__
    with pytest.raises(DataError) as caught, damage_named("a.png"):
        raise error
    assert str(caught.value) == f"a.png cannot be decoded, is it damaged? {reason}"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DataError("b.png is empty", "size")])
def test_other_errors_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, damage_named("a.png"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_truncated_bytes_are_named(kind: str, share: float) -> None:
    whole = KINDS[kind]()
    cut = whole[: int(share * len(whole))]
    with pytest.raises(DataError, match=rf"^{WHERE} cannot be decoded, is it damaged\?") as caught:
        decode_rgb(cut, WHERE, 16)
    assert caught.value.kind == "unreadable"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("read", [read_image, read_label, read_colours])
def test_truncated_file_is_named(tmp_path: Path, kind: str, read: Callable[[Path], object]) -> None:
    path, whole = tmp_path / "cut", KINDS[kind]()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut cannot be decoded, is it damaged\?"):
        read(path)


@pytest.mark.parametrize("content", NO_IMAGES.values(), ids=NO_IMAGES)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(content)
    for read in (read_image, read_label):
        with pytest.raises(DataError, match=r"odd\.png cannot be decoded, is it damaged\?"):
            read(path)
    with pytest.raises(DataError, match=f"^{WHERE} cannot be decoded") as caught:
        decode_rgb(content, WHERE)
    assert " at 0x" not in str(caught.value)


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    path.touch()
    for read in (read_image, read_label):
        with pytest.raises(DataError, match=r"empty\.png cannot be decoded: it is empty"):
            read(path)
    with pytest.raises(DataError, match=f"^{WHERE} cannot be decoded: it is empty"):
        decode_rgb(b"", WHERE)


def is_decoded_or_named(content: bytes) -> None:
    with contextlib.suppress(DataError):
        image = decode_rgb(content, WHERE, 16)
        assert image.shape[2:] == (3,)
        assert image.size


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it finds odd
@pytest.mark.parametrize("kind", KINDS)
@settings(derandomize=True, max_examples=40)
@given(place=st.floats(0, 1), garbage=st.binary(min_size=1, max_size=9))
def test_damaged_bytes_are_an_image_or_a_message(kind: str, place: float, garbage: bytes) -> None:
    content = bytearray(KINDS[kind]())
    start = int(place * (len(content) - len(garbage)))
    content[start : start + len(garbage)] = garbage
    is_decoded_or_named(bytes(content))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
@settings(derandomize=True, max_examples=40)
@given(place=st.integers(0, 199), flipped=st.integers(1, 255), kept=st.floats(0, 1))
def test_damaged_heads_and_cut_ends_are_an_image_or_a_message(
    kind: str, place: int, flipped: int, kept: float
) -> None:
    content = bytearray(KINDS[kind]())
    content[place] ^= flipped
    is_decoded_or_named(bytes(content))
    is_decoded_or_named(bytes(content[: int(kept * len(content))]))


@pytest.mark.filterwarnings("ignore")
@given(st.binary(), st.sampled_from([b"", *NO_IMAGES.values()]))
def test_any_bytes_are_an_image_or_a_message(rest: bytes, head: bytes) -> None:
    is_decoded_or_named(head + rest)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
@settings(derandomize=True, max_examples=25)
@given(place=st.floats(0, 1), flipped=st.integers(1, 255))
def test_damaged_label_file_is_a_label_or_a_message(
    tmp_path_factory: pytest.TempPathFactory, kind: str, place: float, flipped: int
) -> None:
    content = bytearray(KINDS[kind]())
    content[int(place * (len(content) - 1))] ^= flipped
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        assert read_label(path).ndim == 2
    with contextlib.suppress(DataError):
        assert read_image(path).ndim == 3
