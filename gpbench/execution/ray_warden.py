"""A folder for a run's Ray, and a process that clears it away however the run ends.

Ray's own processes outlive a driver that was killed by up to a minute, and its files for ever.
Standard library only: this file is also run by itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "gpbench-ray-"
LONGEST = 40
"""Bytes of a parent folder's path that leave room for Ray's sockets: theirs have at most 107."""

PATIENCE_S = 10.0


@contextmanager
def watched_folder() -> Iterator[Path]:
    """Make a temporary folder; at the end of this process at the latest, what is in it ends too.

    That is the folder itself and every other process that has a file in it open.
    """
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > LONGEST:
        parent = "/tmp"  # noqa: S108  mkdtemp makes a fresh folder that only its owner may enter
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # not meant for it
    try:
        warden = subprocess.Popen(  # noqa: S603  this interpreter and this file
            [sys.executable, "-I", "-S", __file__, str(folder), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C and a closed terminal are not meant for it
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    try:
        with warden:  # closes its standard input and waits for it
            yield folder
    finally:
        if warden.returncode:  # it was killed
            clear_away(folder, {os.getpid()})


def clear_away(folder: Path, spared: set[int]) -> None:
    """End every process but these that has a file of the folder open, and remove the folder."""
    until = time.monotonic() + PATIENCE_S
    while (pids := _holders(folder) - spared) and time.monotonic() < until:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue  # it ended by itself, or is another user's
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _holders(folder: Path) -> set[int]:
    """Return the processes that have a file of the folder open."""
    holders = set()
    for descriptors in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(folder in each.readlink().parents for each in descriptors.iterdir()):
                holders.add(int(descriptors.parent.name))
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return holders


if __name__ == "__main__":
    sys.stdin.read()  # until the run closes it, or is gone
    clear_away(Path(sys.argv[1]), {os.getpid(), int(sys.argv[2])})
