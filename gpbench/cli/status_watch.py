"""`gpbench status --watch`: the state of an experiment again and again, until all has ended."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import fields
from typing import TYPE_CHECKING

import typer

from gpbench.cli.output import pipe_width, stdout
from gpbench.cli.status_failures import failure_lines
from gpbench.engine.monitor import Beat
from gpbench.execution.view import beat_words, run_view, stage_label, time_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from gpbench.store import RunningStage, StoreStatus

EVERY_S = 2.0


def watch_status(look: Callable[[], StoreStatus]) -> None:
    """Show what `look` sees until nothing runs and nothing waits: in place, or as lines."""
    console = stdout()
    if console.is_terminal:
        _show_in_place(console, look)
    else:
        for line in changes(look):
            typer.echo(line)


def changes(look: Callable[[], StoreStatus], every_s: float = EVERY_S) -> Iterator[str]:
    """Yield what `look` sees in lines of text, whenever it is another than before."""
    before = None
    for found in _looks(look, every_s):
        lines = _lines(found)
        if lines != before:
            yield "\n".join([f"{dt.datetime.now().astimezone():%H:%M:%S} {lines[0]}", *lines[1:]])
        before = lines


def beat_of(stage: RunningStage) -> Beat | None:
    """Return a stage's last sign of life, without what another gpbench may say besides."""
    if stage.beat is None:
        return None
    known = {field.name for field in fields(Beat)}
    return Beat(**{name: value for name, value in stage.beat.items() if name in known})


def elapsed_words(stage: RunningStage) -> str:
    """Return for how long a stage has been running."""
    since = dt.datetime.fromisoformat(stage.since)
    return time_words(max(0.0, (dt.datetime.now(dt.UTC) - since).total_seconds()))


def _looks(look: Callable[[], StoreStatus], every_s: float) -> Iterator[StoreStatus]:
    while True:
        found = look()
        yield found
        if not found.counts["running"] and not found.counts["pending"]:
            return
        time.sleep(every_s)


def _show_in_place(console: Console, look: Callable[[], StoreStatus]) -> None:
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as live:
        for found in _looks(look, EVERY_S):
            live.update(_view(found, console.width), refresh=True)


def _view(found: StoreStatus, width: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    running = [(each.item, beat_of(each)) for each in found.running]
    return Group(
        Text(f"experiment {found.experiment}", style="bold"),
        run_view(found.counts, None, running),
        *(Text(line, style="red") for line in failure_lines(found.failed, width, every=False)),
    )


def _lines(found: StoreStatus) -> list[str]:
    counts = ", ".join(f"{number} {state}" for state, number in found.counts.items())
    running = (f"  {stage_label(each.item)}: {beat_words(beat_of(each))}" for each in found.running)
    failed = (f"  {line}" for line in failure_lines(found.failed, pipe_width(), every=False))
    return [f"{found.experiment}: {counts}", *running, *failed]
