"""One process at a time: a lock that the system lets go when its process dies."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gpbench.stages.reach import OutOfReachError, node_name, writing

POLL_S = 0.1

_UNSUPPORTED = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP})


@contextmanager
def locked(
    file: Path, waiting: Callable[[float], None], *, wait_s: float | None = None
) -> Iterator[None]:
    """Hold the lock that `file` stands for; other processes that ask for it wait.

    The holder may remove the file.

    Args:
        file: Made where it is not there.
        waiting: Called again and again with the seconds waited while another process holds it; may
            raise.
        wait_s: How long to wait; None: until it is free.

    Raises:
        OutOfReachError: If it is not free by then, or cannot be had at all.
    """
    begun = time.monotonic()
    while (lock := _taken(file)) is None:
        waited_s = time.monotonic() - begun
        if wait_s is not None and waited_s >= wait_s:
            raise OutOfReachError(
                f"another process works in {file.parent}, as node {node_name()} saw for "
                f"{wait_s:g} s: is an earlier run still alive?"
            )
        waiting(waited_s)
        time.sleep(POLL_S)
    with lock:
        yield


def _taken(file: Path) -> IO[str] | None:
    """Return the open file, which holds the lock until it is closed; None: another holds it."""
    with writing(file.parent):
        lock = file.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), file.stat()):
                return lock
        except (BlockingIOError, FileNotFoundError):
            pass  # held, or removed by who held it when it was opened
        except OSError as error:
            lock.close()
            if error.errno not in _UNSUPPORTED:
                raise
            raise OutOfReachError(
                f"{file.parent} is on a file system without locks (flock), as node {node_name()} "
                "sees it: mount it with them, or give --storage"
            ) from error
        lock.close()
        return None
