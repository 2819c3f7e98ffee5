"""A signal that is one process's to answer: batch systems send it to every process of a job."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

Handler = Callable[[int, FrameType | None], None]


def only_here(handle: Handler) -> Handler:
    """Return a handler that is this process's alone: one forked from it ends by the signal."""
    here = os.getpid()

    def handle_here(number: int, frame: FrameType | None) -> None:
        if os.getpid() == here:
            handle(number, frame)
        else:  # a forked child has this handler too
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    return handle_here


def ignore_here(number: int) -> None:
    """Ignore a signal in this process, but not in those that it starts; in the main thread only.

    A signal that is blocked or set to `SIG_IGN` is so in every child too, and a
    `multiprocessing.Pool` of a plugin, which ends its workers by SIGTERM, would wait for ever.
    """
    signal.signal(number, only_here(lambda _number, _frame: None))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
