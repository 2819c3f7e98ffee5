"""A run's stages as a person sees them: words, and the bar and lines of a terminal.

Imports no torch: `gpbench status` shows them too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gpbench.core.plan import PlanItem
from gpbench.core.stage import State
from gpbench.engine.monitor import Beat

STATES: tuple[tuple[State, str, str], ...] = (
    ("done", "done", "green"),
    ("running", "running", "cyan"),
    ("pending", "to do", ""),
    ("failed", "failed", "red"),
    ("blocked", "blocked", "yellow"),
)
"""States in the order in which they are shown, each with its word and style."""

_GAP = 2
"""Blanks between a stage's name and what it said, and before it where that is on the next line."""


def stage_label(item: PlanItem) -> str:
    """Return a stage in words: kind, arm, backbone, dataset, seeds."""
    seeds = [
        f"{name} {value}"
        for name, value in (("pre", item.pretrain_seed), ("fine", item.finetune_seed))
        if value is not None
    ]
    where = item.dataset or f"{item.in_chans} channels"
    fraction = "" if item.label_fraction in (None, 1.0) else f" at {item.label_fraction:g}"
    return f"{item.kind} {item.arm} {item.backbone} {where}{fraction} ({', '.join(seeds)})"


def beat_words(beat: Beat | None) -> str:
    """Return a sign of life in words: what is done, step, loss, speed, memory."""
    if beat is None:
        return "starting"
    words = [f"{beat.activity} {beat.step:,}/{beat.steps:,}"]
    if beat.loss is not None:
        words.append(f"loss {beat.loss:.3f}")
    if beat.images_per_s is not None:
        words.append(f"{beat.images_per_s:,.0f} images/s")
    if beat.memory_bytes is not None:
        words.append(f"{beat.memory_bytes / 1e9:.1f} GB")
    return "  ".join(words)


def time_words(seconds: float) -> str:
    """Return a duration in its two largest units, such as `3 h 20 min`."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def run_view(
    counts: Mapping[State, int],
    left_s: float | None,
    running: Iterable[tuple[PlanItem, Beat | None]],
) -> RenderableType:
    """Return the overall bar, the counts, and each running stage in one line, or more if narrow.

    Args:
        counts: State -> number of stages.
        left_s: About how long the rest takes; None: unknown.
        running: What runs, and its last sign of life.
    """
    total = sum(counts.values())
    over = total - counts["running"] - counts["pending"]
    left = "" if left_s is None or over == total else f", about {time_words(left_s)} left"
    bar = Table.grid(expand=True, padding=(0, 1))
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True)
    bar.add_row(ProgressBar(total=max(1, total), completed=over), f"{over}/{total} stages{left}")
    states = Text("  ").join(
        Text(f"{counts[state]} {word}", style if counts[state] else "dim")
        for state, word, style in STATES
    )
    lines = [
        (Text(stage_label(item)), Text(beat_words(beat), "dim" if beat is None else ""))
        for item, beat in running
    ]
    return Group(bar, states, _Lines(lines))


@dataclass(frozen=True)
class _Lines:
    """Stages and how far they are: side by side where all find room, else one below the other.

    No name is cut: what tells two stages apart stands at its end.
    """

    rows: Sequence[tuple[Text, Text]]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - _GAP
        if sum(max(map(len, column)) for column in zip(*self.rows, strict=True)) <= room:
            lines = Table.grid(expand=True, padding=(0, _GAP))
            lines.add_column(ratio=1)
            lines.add_column()
            for row in self.rows:
                lines.add_row(*row)
            yield lines
            return
        for name, said in self.rows:
            yield name
            yield Padding(said, (0, 0, 0, _GAP))
