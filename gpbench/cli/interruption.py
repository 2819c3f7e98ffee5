"""What Ctrl-C and SIGTERM do to a run, before its first stage and while stages run."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from gpbench.cli.output import stderr
from gpbench.execution.signals import only_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from gpbench.execution.driver import Driver
    from gpbench.execution.signals import Handler

INTERRUPTED = 130
"""Exit code."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_NOTHING_BEGUN = "stopped before any stage began"


@contextmanager
def before_stages() -> Iterator[None]:
    """Let the first Ctrl-C end what precedes the stages, and say so; the second ends the process.

    The handler itself says it: a library that is just imported may keep the exception to itself.
    """
    came = False

    def handle(_signum: int, _frame: object) -> None:
        nonlocal came
        came = True
        for number in SIGNALS:
            signal.signal(number, _end_now)
        typer.echo(_NOTHING_BEGUN, err=True)
        raise KeyboardInterrupt

    try:
        with _handled_by(handle):
            yield
            if came:
                raise KeyboardInterrupt  # noqa: TRY301  again: a library kept it to itself
    except KeyboardInterrupt:
        say_how_to_continue(stderr(), forced=True)
        raise  # ends with 130


@contextmanager
def interruptible(driver: Driver, console: Console) -> Iterator[None]:
    """Let the first Ctrl-C checkpoint and stop, and the second one end everything at once.

    After the second, and after one that comes before any stage, the run reports nothing more: how
    to continue is said here.
    """

    def handle(_signum: int, _frame: object) -> None:
        if driver.stop_wanted:
            raise KeyboardInterrupt
        driver.stop()
        if not driver.begun:  # Ray takes seconds to start
            console.print(_NOTHING_BEGUN)
            raise KeyboardInterrupt
        console.print("stopping: running stages write a checkpoint; Ctrl-C again ends at once")

    try:
        with _handled_by(handle):
            yield
    except KeyboardInterrupt:
        say_how_to_continue(console, forced=not driver.begun)
        raise  # ends with 130


def say_how_to_continue(console: Console, *, forced: bool = False) -> None:
    """Print the command line that continues a run.

    Args:
        console: Where it is printed.
        forced: Leave `--force` in it: no stage was begun anew yet.
    """
    words = [word for word in sys.argv[1:] if forced or word != "--force"]
    again = shlex.join(["gpbench", *words])
    console.print(f"Continue with: {again}", markup=False, soft_wrap=True)


@contextmanager
def _handled_by(handle: Handler) -> Iterator[None]:
    here = only_here(handle)
    previous = {number: signal.signal(number, here) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end_now(_signum: int, _frame: object) -> None:
    os._exit(INTERRUPTED)
