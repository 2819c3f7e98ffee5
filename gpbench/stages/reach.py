"""What a node cannot read or write, in words: the node's failure, never the stage's own."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpbench.core.errors import StageError

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class OutOfReachError(StageError):
    """This node cannot read or write what a stage needs; elsewhere, or later, it may do."""

    status = "preempted"


def node_name() -> str:
    """Return what this machine is called."""
    return socket.gethostname()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise OutOfReachError where the system refuses what is done in `folder`."""
    try:
        yield
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> OutOfReachError:
    """Return the error of a folder that the system refuses to write."""
    reason = error.strerror or str(error)
    return OutOfReachError(f"{folder} cannot be written on node {node_name()}: {reason}")
