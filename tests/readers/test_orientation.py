from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from gpbench.readers.orientation import noted_orientation, upright
from tests.readers.files import SMALLEST_NOTE, noise, noted, saved


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(orientation: int) -> None:
    pixels = noise(3, 5, 3)
    file = saved(Image.fromarray(pixels), "PNG", exif=noted(orientation))
    with Image.open(io.BytesIO(file)) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    np.testing.assert_array_equal(upright(pixels, orientation), expected)
    np.testing.assert_array_equal(upright(pixels[:, :, 0], orientation), expected[:, :, 0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mark", ["<II", ">MM"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_notes_in_both_byte_orders_are_read(orientation: int, mark: str, prefix: bytes) -> None:
    order = mark[0]
    entries = [(0x010F, 2, 4, 0x41414100), (0x0112, 3, 1, orientation)]
    if order == ">":  # a short lies in the first two of the four bytes of a value
        entries[1] = (0x0112, 3, 1, orientation << 16)
    exif = mark[1:].encode() + struct.pack(f"{order}HI", 42, 8)
    exif += struct.pack(f"{order}H", len(entries))
    exif += b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    assert noted_orientation(prefix + exif) == orientation


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"II*\0", b"no note at all", SMALLEST_NOTE[:-10]]
)
def test_what_notes_nothing_is_upright(exif: bytes) -> None:
    assert noted_orientation(exif) == 1


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(value: int) -> None:
    assert noted_orientation(SMALLEST_NOTE) == 6
    assert noted_orientation(SMALLEST_NOTE[:-4] + struct.pack("<HH", value, 0)) == 1


@given(
    st.binary(max_size=80), st.sampled_from([b"", b"II", b"MM", SMALLEST_NOTE, b"MM\0*\0\0\0\x08"])
)
def test_no_note_is_too_broken(rest: bytes, start: bytes) -> None:
    assert 1 <= noted_orientation(start + rest) <= 8
