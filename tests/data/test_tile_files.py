"""Several processes write into the same two files, and nobody's pixels touch another's."""

import hashlib
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gpbench.data import tile_files
from gpbench.data.tile_files import TileFiles
from tests.data.held import content


def sha256(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()


def test_two_writers_share_the_files(tmp_path: Path) -> None:
    (first, a), (second, b) = content(1, 5, 7, np.uint16), content(2, 3, 9, np.uint16)
    with TileFiles(tmp_path) as one, TileFiles(tmp_path) as other:
        assert one.put(first, a) == (0, sha256(first), sha256(a))
        assert other.put(second, b) == (35, sha256(second), sha256(b))
    images, labels = (tmp_path / name for name in ("images.bin", "labels.bin"))
    assert images.read_bytes() == first.tobytes() + second.tobytes()
    assert labels.read_bytes() == a.tobytes() + b.tobytes()


def test_many_writers_at_once_each_get_room_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offsets: dict[int, int] = {}
    length = os.fstat

    def length_after_a_while(file: int) -> os.stat_result:
        found = length(file)
        time.sleep(0.001)  # for another writer to come in between, were it not kept out
        return found

    monkeypatch.setattr(os, "fstat", length_after_a_while)

    def write(seed: int) -> None:
        with TileFiles(tmp_path) as files:
            for i in range(seed, 160, 8):
                offsets[i] = files.put(*content(i, 4, 1 + i % 5))[0]

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with TileFiles(tmp_path) as files:
        for i, offset_px in offsets.items():
            image, label = content(i, 4, 1 + i % 5)
            assert files.hashes(offset_px, label.size, 3) == (sha256(image), sha256(label))
    n_px = sum(4 * (1 + i % 5) for i in range(160))
    assert (tmp_path / "labels.bin").stat().st_size == n_px
    assert (tmp_path / "images.bin").stat().st_size == 3 * n_px


def test_an_image_that_is_no_block_in_memory_is_written_as_it_reads(tmp_path: Path) -> None:
    image, label = content(1, 6, 8)
    with TileFiles(tmp_path) as files:
        files.put(image[::2, ::-1], label[::2, ::-1])
    assert (tmp_path / "images.bin").read_bytes() == image[::2, ::-1].tobytes()
    assert (tmp_path / "labels.bin").read_bytes() == label[::2, ::-1].tobytes()


def test_a_system_that_writes_a_few_bytes_at_a_time_is_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: write(file, data[:7], at))
    image, label = content(1)
    with TileFiles(tmp_path) as files:
        files.put(image, label)
    assert (tmp_path / "images.bin").read_bytes() == image.tobytes()


def test_what_was_written_is_given_out_of_memory_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advised: list[int] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda *arguments: advised.append(arguments[-1]))
    monkeypatch.setattr(tile_files, "KEPT_BYTES", 1000)
    with TileFiles(tmp_path) as files:
        for i in range(5):
            files.put(*content(i, 10, 10))  # 400 bytes
    assert advised == [os.POSIX_FADV_DONTNEED] * 2  # both files, once


@pytest.mark.parametrize("chunk_bytes", [7, 1 << 22])
def test_an_image_moves_onto_a_place_that_overlaps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(tile_files, "CHUNK_BYTES", chunk_bytes)
    image, label = content(1, 6, 9)
    with TileFiles(tmp_path) as files:
        files.put(*content(2, 1, 5))
        files.put(image, label)
        files.move_down(5, 2, 54, 3)
        assert files.hashes(2, 54, 3) == (sha256(image), sha256(label))
        files.cut(56, 3)
    assert (tmp_path / "images.bin").read_bytes()[6:] == image.tobytes()
    assert (tmp_path / "labels.bin").read_bytes()[2:] == label.tobytes()


def test_what_lies_beyond_the_end_has_another_checksum(tmp_path: Path) -> None:
    image, label = content(1)
    with TileFiles(tmp_path) as files:
        files.put(image, label)
        assert files.hashes(1, label.size, 3) != (sha256(image), sha256(label))
        assert files.hashes(10**6, label.size, 3) != (sha256(image), sha256(label))


def test_exclusively_waits_for_another_writer_to_close(tmp_path: Path) -> None:
    entered = threading.Event()

    def enter() -> None:
        with TileFiles(tmp_path) as files, files.exclusively():
            entered.set()

    waiting = threading.Thread(target=enter)
    with TileFiles(tmp_path):
        waiting.start()
        assert not entered.wait(timeout=0.2)
    assert entered.wait(timeout=10)
    waiting.join()
