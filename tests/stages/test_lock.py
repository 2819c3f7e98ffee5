"""A lock between processes: waited for, and free the moment its process dies."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from gpbench.core.errors import StageInterruptedError
from gpbench.engine.monitor import Beat
from gpbench.stages.inputs import waiting
from gpbench.stages.lock import locked
from gpbench.stages.reach import OutOfReachError
from tests.stages.nodes import Watch

HOLDER = """
import sys
from pathlib import Path
from typing import IO
from gpbench.stages.lock import locked
with locked(Path(sys.argv[1]), print):
    print("held", flush=True)
    sys.stdin.read()
"""


def never(_waited_s: float) -> None:
    pytest.fail("it waits though nobody holds the lock")


def test_lock_is_free_again_after_it_was_held(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "lock", never):
            pass


def test_dead_process_holds_nothing_and_a_living_one_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said = pytest.raises(OutOfReachError, match=f"another process works in {tmp_path}")
        with said, locked(file, lambda _waited_s: None, wait_s=0.0):
            pytest.fail("two processes hold it")
        waits: list[float] = []

        def kill(waited_s: float) -> None:
            waits.append(waited_s)
            holder.kill()

        with locked(file, kill):
            assert waits


def test_lock_whose_holder_removed_it_is_nobodys(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with locked(file, never):
        file.unlink()
        with locked(file, never, wait_s=0.0):
            assert file.exists()


def test_waiting_shows_signs_of_life_and_heeds_a_stop(tmp_path: Path) -> None:
    watch = Watch()

    def tell(waited_s: float) -> None:
        if len(watch.beats) == 2:
            watch.stop.set()
        waiting(watch)(waited_s)

    file = tmp_path / "lock"
    with locked(file, never), pytest.raises(StageInterruptedError), locked(file, tell):
        pytest.fail("it is held")
    assert watch.beats == [Beat("wait", 0, 0)] * 3


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = pytest.raises(OutOfReachError, match=f"{tmp_path}/file cannot be written on node")
    with said, locked(tmp_path / "file" / "lock", never):
        pass


def test_lock_that_was_removed_while_it_was_asked_for_is_asked_for_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lock"
    waits: list[float] = []

    def late(lock: IO[str], how: int) -> None:
        if not waits:
            file.unlink()  # by who held it until now
        flock(lock, how)

    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", late)
    with locked(file, waits.append):
        assert len(waits) == 1
        assert file.exists()


def test_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    said = pytest.raises(OutOfReachError, match=f"{tmp_path} is on a file system without locks")
    with said, locked(tmp_path / "lock", never):
        pass
