"""A signal that is the driver's to answer: batch systems send it to every process of a job."""

from __future__ import annotations

import os
import signal
from types import FrameType


def ignore_here(number: int) -> None:
    """Ignore a signal in this process, but not in those that it starts; in the main thread only.

    A signal that is blocked or set to `SIG_IGN` is so in every child too, and a
    `multiprocessing.Pool` of a plugin, which ends its workers by SIGTERM, would wait for ever.
    """
    here = os.getpid()

    def handle(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != here:  # a forked child has this handler too
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    signal.signal(number, handle)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
