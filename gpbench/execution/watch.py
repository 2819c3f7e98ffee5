"""What a person sees of a run: a live view on a terminal, plain lines elsewhere. On stderr."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gpbench.core.plan import PlanItem
from gpbench.core.stage import Outcome
from gpbench.execution.driver import Job, Watcher
from gpbench.execution.executor import Progressed

Headline = Callable[[Outcome, PlanItem], str]
"""A finished stage -> what is said of its result, such as "mIoU 43.2"."""


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


def watcher(console: Console, headline: Headline) -> PlainWatcher | LiveWatcher:
    """Return a live view where a person watches a terminal, else plain lines."""
    if console.is_terminal and not os.environ.get("CI"):
        return LiveWatcher(console, headline)
    return PlainWatcher(console, headline)


class PlainWatcher(Watcher):
    """A line per stage that ended, and one for all that were done before."""

    def __init__(self, console: Console, headline: Headline) -> None:
        self.console, self.headline = console, headline
        self.total = self.ended_count = self.skipped_count = 0
        self.waited_for: set[str] = set()

    def begun(self, jobs: Sequence[Job]) -> None:
        self.total = len(jobs)

    def skipped(self, job: Job) -> None:  # noqa: ARG002  the base class's signature
        self.skipped_count += 1
        self.ended_count += 1

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.ended_count += 1
        said = self.headline(outcome, job.item) if outcome.status == "ok" else str(outcome.error)
        self._line(job, "done" if outcome.status == "ok" else outcome.status.upper(), said, outcome)

    def failed_before(self, job: Job) -> None:
        self.ended_count += 1
        self.say(
            f"failed before: {stage_label(job.item)}; --retry-failed runs it again "
            "unless it diverged"
        )

    def waiting(self, job: Job) -> None:
        if job.key not in self.waited_for:
            self.waited_for.add(job.key)
            self.say(f"waiting for another run: {stage_label(job.item)}")

    def blocked(self, job: Job, because: str) -> None:
        self.ended_count += 1
        self.say(f"blocked {stage_label(job.item)}: {because}")

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(Text(f"[{self.ended_count}/{self.total}] {text}"), soft_wrap=True)

    def _line(self, job: Job, word: str, said: str, outcome: Outcome) -> None:
        self.say(f"{word} {stage_label(job.item)}: {said} ({outcome.duration_s:.1f} s)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class LiveWatcher(PlainWatcher):
    """An overall bar with the time left and a line per running stage, below the finished stages."""

    def __init__(self, console: Console, headline: Headline) -> None:
        super().__init__(console, headline)
        self.running: dict[str, tuple[Job, Progressed | None]] = {}
        self.failed_count = 0
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("stages, left"),
            TimeRemainingColumn(),
            console=console,
            expand=True,
        )
        self.task = self.bar.add_task("running")
        self.live = Live(console=console, get_renderable=self.view, refresh_per_second=4)

    def begun(self, jobs: Sequence[Job]) -> None:
        super().begun(jobs)
        self.bar.update(self.task, total=len(jobs))

    def skipped(self, job: Job) -> None:
        super().skipped(job)
        # stages done before tell nothing of the speed: they leave the bar
        self.bar.update(self.task, total=self.total - self.skipped_count)

    def started(self, job: Job) -> None:
        self.running[job.key] = (job, None)

    def progressed(self, job: Job, event: Progressed) -> None:
        self.running[job.key] = (job, event)

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.running.pop(job.key, None)
        self.failed_count += outcome.status != "ok"
        super().ended(job, outcome)
        self.bar.advance(self.task)

    def failed_before(self, job: Job) -> None:
        super().failed_before(job)
        self.failed_count += 1
        self.bar.advance(self.task)

    def blocked(self, job: Job, because: str) -> None:
        super().blocked(job, because)
        self.failed_count += 1
        self.bar.advance(self.task)

    def view(self) -> Group:
        """Return what is shown at the bottom of the terminal now."""
        lines = Table.grid(padding=(0, 2))
        for job, event in list(self.running.values()):
            lines.add_row(Text(stage_label(job.item), no_wrap=True), _beat(event))
        if self.skipped_count:
            lines.add_row(Text(f"{self.skipped_count} were done before", style="dim"), "")
        if self.failed_count:
            lines.add_row(Text(f"{self.failed_count} failed or blocked", style="red"), "")
        return Group(self.bar, lines)

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.live.stop()


def _beat(event: Progressed | None) -> Text:
    if event is None:
        return Text("starting", style="dim")
    beat = event.beat
    loss = f"  loss {beat.loss:.3f}" if beat.loss is not None else ""
    rate = f"  {beat.images_per_s:,.0f} images/s" if beat.images_per_s is not None else ""
    return Text(f"{beat.activity} {beat.step:,}/{beat.steps:,}{loss}{rate}")
