"""What a killed run noted and stored is used again; what it did not finish leaves no trace."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gpbench.data.band_statistics import image_moments
from gpbench.data.tile_files import TileFiles
from gpbench.data.tile_index import StoredImage, TileIndex
from gpbench.data.tile_journal import JOURNAL, Journal, PartialStore
from gpbench.data.tile_reading import Stored
from tests.data.held import content


@pytest.fixture
def partial(tmp_path: Path) -> PartialStore:
    partial = PartialStore(tmp_path / "s", n_bands=3)
    partial.journal().__exit__()
    return partial


def put(
    partial: PartialStore, origin: str, seed: int, side_px: int = 4, dtype: type = np.uint8
) -> Stored:
    """Store an image without noting it."""
    image, label = content(seed, side_px, side_px, dtype)
    with TileFiles(partial.files) as files:
        offset_px, *hashes = files.put(image, label)
    row = StoredImage(
        0, "train", origin, "scene", (), side_px, side_px, offset_px, (1, 2, 3), *hashes
    )
    return Stored(row, origin, image.dtype.str, None)


def resumed(partial: PartialStore) -> list[Stored]:
    with partial.journal() as journal:
        return partial.resume(journal.rows(), journal)


def note(partial: PartialStore, *rows: Stored) -> None:
    with partial.journal() as journal:
        for row in rows:
            journal.note(row)


def stored_bytes(partial: PartialStore) -> tuple[bytes, bytes]:
    images, labels = (partial.files / name for name in ("images.bin", "labels.bin"))
    return images.read_bytes(), labels.read_bytes()


def joined(*contents: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> tuple[bytes, bytes]:
    images, labels = zip(*contents, strict=True)
    return b"".join(i.tobytes() for i in images), b"".join(x.tobytes() for x in labels)


def test_images_that_were_noted_come_back(partial: PartialStore) -> None:
    rows = [put(partial, "a", 1), put(partial, "b", 2, 5)]
    note(partial, *rows)
    assert resumed(partial) == rows


def test_room_that_was_given_and_not_used_is_closed(partial: PartialStore) -> None:
    put(partial, "lost", 9, 3)
    a = put(partial, "a", 1)
    put(partial, "lost too", 9, 2)
    b = put(partial, "b", 2, 5)
    put(partial, "lost at the end", 9, 7)
    note(partial, b, a)
    found = resumed(partial)
    assert [(row.origin, row.image.offset_px) for row in found] == [("a", 0), ("b", 16)]
    assert stored_bytes(partial) == joined(content(1, 4, 4), content(2, 5, 5))
    assert resumed(partial) == found  # the journal knows of it


def test_nothing_noted_leaves_empty_files(partial: PartialStore) -> None:
    put(partial, "lost", 9)
    assert resumed(partial) == []
    assert stored_bytes(partial) == (b"", b"")


@pytest.mark.parametrize("name", ["images.bin", "labels.bin"])
def test_an_image_with_a_damaged_byte_is_given_up(partial: PartialStore, name: str) -> None:
    note(partial, put(partial, "a", 1), put(partial, "b", 2))
    file = partial.files / name
    damaged = bytearray(file.read_bytes())
    damaged[3] ^= 1
    file.write_bytes(damaged)
    assert [row.origin for row in resumed(partial)] == ["b"]
    assert stored_bytes(partial) == joined(content(2, 4, 4))


def test_files_that_are_gone_give_up_all_images(partial: PartialStore) -> None:
    note(partial, put(partial, "a", 1))
    (partial.files / "images.bin").unlink()
    assert resumed(partial) == []


@pytest.mark.parametrize(
    "torn", [b'{"image": {"hei', b"\xff\xfe", b"[]", b"null", b"{}", b"\0" * 9]
)
def test_a_damaged_last_line_costs_one_image_and_not_the_next(
    partial: PartialStore, torn: bytes
) -> None:
    rows = [put(partial, "a", 1), put(partial, "b", 2)]
    note(partial, rows[0])
    with (partial.path / JOURNAL).open("ab") as file:
        file.write(torn)
    note(partial, rows[1])
    assert resumed(partial) == rows


def test_a_whole_last_line_without_its_end_counts(partial: PartialStore) -> None:
    row = put(partial, "a", 1)
    (partial.path / JOURNAL).write_text(row.to_json())
    assert resumed(partial) == [row]


def test_of_two_lines_on_an_image_the_last_counts(partial: PartialStore) -> None:
    first, again = put(partial, "a", 1), put(partial, "a", 1)
    note(partial, first, again)
    with partial.journal() as journal:
        assert journal.rows() == [again]


def test_images_of_another_dtype_than_most_are_given_up(partial: PartialStore) -> None:
    odd = put(partial, "odd", 7, 4, np.uint16)
    with TileFiles(partial.files) as files:
        files.cut(64, 3)  # as long as four images of bytes would be
    note(partial, odd, put(partial, "a", 1), put(partial, "b", 2))
    assert [row.origin for row in resumed(partial)] == ["a", "b"]
    assert stored_bytes(partial) == joined(content(1, 4, 4), content(2, 4, 4))


def test_killed_while_images_were_moved_together_the_rest_is_still_found(
    partial: PartialStore,
) -> None:
    class KilledError(Exception):
        pass

    class Killed(Journal):
        def note(self, row: Stored) -> None:
            if row.origin == "b":
                raise KilledError
            super().note(row)

    put(partial, "lost", 9, 2)
    note(partial, put(partial, "a", 1), put(partial, "b", 2), put(partial, "c", 3))
    with Killed(partial.path / JOURNAL) as journal, pytest.raises(KilledError):
        partial.resume(journal.rows(), journal)
    assert [row.origin for row in resumed(partial)] == ["a", "c"]
    assert stored_bytes(partial) == joined(content(1, 4, 4), content(3, 4, 4))


def test_of_two_lines_on_one_place_one_counts_and_what_lies_behind_stays(
    partial: PartialStore,
) -> None:
    a = put(partial, "a", 1)
    c = put(partial, "c", 3)
    note(partial, a, replace(a, origin="b"), c)
    found = resumed(partial)
    assert [(row.origin, row.image.offset_px) for row in found] == [("a", 0), ("c", 16)]
    assert stored_bytes(partial) == joined(content(1, 4, 4), content(3, 4, 4))


def test_a_line_that_points_into_another_image_does_not_count(partial: PartialStore) -> None:
    image, label = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    with TileFiles(partial.files) as files:
        files.put(image, label)
        _, *hashes = files.put(image, label)
    part = StoredImage(0, "train", "p", "s", (), 4, 4, 8, (16,), *hashes)
    first = Stored(replace(part, offset_px=0), "first", "|u1", None)
    last = put(partial, "last", 3)
    note(partial, first, Stored(part, "between", "|u1", None), last)
    assert [row.origin for row in resumed(partial)] == ["first", "last"]
    assert stored_bytes(partial) == joined((image, label), content(3, 4, 4))


def test_all_is_on_the_disk_before_the_store_is_in_place(
    partial: PartialStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(partial, "a", 1)
    index = TileIndex(("red",), ("road",), "|u1", (0.0,), (0.0,), ())
    synced: list[tuple[Path, bool]] = []

    def fsync(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        synced.append((path.relative_to(tmp_path), (tmp_path / "s").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    partial.finish(index)
    files = Path(".s.partial/store")
    before = [files / name for name in ("images.bin", "labels.bin", "index.json")] + [files]
    assert synced == [*((path, False) for path in before), (Path(), True)]


def test_moments_come_back_with_the_row(partial: PartialStore) -> None:
    for dtype in (np.uint8, np.float32):
        moments = image_moments(content(1, dtype=dtype)[0])
        row = replace(put(partial, "a", 1, dtype=dtype), moments=moments)
        assert Stored.from_json(row.to_json()) == row
