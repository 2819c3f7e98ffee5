"""A tile store in the making: its folder, and the journal by which a killed run is continued."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from gpbench.data.tile_files import TileFiles
from gpbench.data.tile_index import IMAGES, INDEX, LABELS, TileIndex
from gpbench.data.tile_reading import Stored

JOURNAL = "journal.jsonl"


class Journal:
    """Lines of text, one for each image that is whole in the files; the last on an image counts."""

    def __init__(self, file: Path) -> None:
        before = file.read_bytes() if file.exists() else b""
        self._lines = before.decode(errors="replace").splitlines()
        self._file = file.open("a", encoding="utf-8")
        if not before.endswith(b"\n"):
            self._file.write("\n")  # ends what a killed run began: the next line stands by itself

    def rows(self) -> list[Stored]:
        """Return what was noted before the journal was opened; a damaged line is passed over."""
        rows = {row.origin: row for row in map(_row, self._lines) if row is not None}
        return list(rows.values())

    def note(self, row: Stored) -> None:
        self._file.write(row.to_json() + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


class PartialStore:
    """The folder `.<name>.partial` beside the one that the store is to have.

    In it are a journal and `files`, the folder that becomes the store.
    """

    def __init__(self, folder: Path, n_bands: int) -> None:
        self.path = folder.parent / f".{folder.name}.partial"
        self.files = self.path / "store"
        self._folder, self._n_bands = folder, n_bands

    def journal(self) -> Journal:
        """Return the journal; made, with the folder, where there is none."""
        self.files.mkdir(parents=True, exist_ok=True)
        return Journal(self.path / JOURNAL)

    def resume(self, rows: Sequence[Stored], journal: Journal) -> list[Stored]:
        """Return those of the noted images that are whole, moved together in the files.

        What else lies in the files is dropped: room that an image got which was not finished, and
        images whose bytes are not those that were written. Waits for workers of a killed run. Of
        two images in one place, whose bytes are the same, one is returned.

        Args:
            rows: Noted in the journal, of images that are still to be stored.
            journal: Of this store.
        """
        with TileFiles(self.files) as files, files.exclusively():
            whole = [row for row in _of_one_dtype(rows) if self._is_whole(row, files)]
            return list(self._together(whole, files, journal))

    def finish(self, index: TileIndex) -> None:
        """Put the store in place, at once; a loss of power leaves it whole or not there."""
        (self.files / INDEX).write_text(index.to_json(), encoding="utf-8")
        for path in (*(self.files / name for name in (IMAGES, LABELS, INDEX)), self.files):
            _to_disk(path)
        self.files.rename(self._folder)
        _to_disk(self._folder.parent)
        self.remove()

    def remove(self) -> None:
        """Delete what is there, if anything."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _px_bytes(self, row: Stored) -> int:
        return np.dtype(row.dtype).itemsize * self._n_bands

    def _is_whole(self, row: Stored, files: TileFiles) -> bool:
        image = row.image
        found = files.hashes(image.offset_px, image.n_px, self._px_bytes(row))
        return found == (image.image_sha256, image.label_sha256)

    def _together(
        self, rows: Sequence[Stored], files: TileFiles, journal: Journal
    ) -> Iterator[Stored]:
        """Close the gaps between the images; killed at it, at most one image is read again."""
        end, free, px_bytes = 0, 0, 1
        for row in sorted(rows, key=lambda row: row.image.offset_px):
            image, px_bytes = row.image, self._px_bytes(row)
            if image.offset_px < free:
                continue  # an old line, where the same bytes were written for another image
            free = image.offset_px + image.n_px
            moved = replace(row, image=replace(image, offset_px=end))
            if moved != row:
                files.move_down(image.offset_px, end, image.n_px, px_bytes)
                journal.note(moved)
            yield moved
            end += image.n_px
        files.cut(end, px_bytes)


def _to_disk(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _row(line: str) -> Stored | None:
    try:
        return Stored.from_json(line)
    except (ValueError, KeyError, TypeError):
        return None


def _of_one_dtype(rows: Sequence[Stored]) -> list[Stored]:
    """Return the rows of the commonest dtype: others cannot stay, and overlap in the file."""
    common = Counter(row.dtype for row in rows).most_common(1)
    return [row for row in rows if row.dtype == common[0][0]]
