"""What a person sees of a run: a live view on a terminal, plain lines elsewhere. On stderr."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from gpbench.core.plan import PlanItem
from gpbench.core.stage import Outcome, StageSpec, State
from gpbench.engine.monitor import Beat
from gpbench.execution.driver import Job, Watcher
from gpbench.execution.executor import Progressed
from gpbench.execution.time_left import TimeLeft
from gpbench.execution.view import run_view, stage_label
from gpbench.planning.durations import Pace

Headline = Callable[[Outcome, PlanItem], str]
"""A finished stage -> what is said of its result, such as "mIoU 43.2"."""

_CLAUSE_END = re.compile(r"[,;.]?\s*\n|[,;.]\s|\.$")


def watcher(
    console: Console,
    headline: Headline,
    past: Sequence[tuple[StageSpec, float]] = (),
    *,
    verbose: bool = False,
) -> PlainWatcher | LiveWatcher:
    """Return a live view where a person watches a terminal, else plain lines.

    Args:
        console: Where it is shown.
        headline: What is said of a result.
        past: Stages that were done before, and the seconds that they took.
        verbose: Say of each stage that it starts, where lines are plain.
    """
    if console.is_terminal and not os.environ.get("CI"):
        return LiveWatcher(console, headline, past)
    return PlainWatcher(console, headline, verbose=verbose)


class PlainWatcher(Watcher):
    """A line per stage that ended."""

    def __init__(self, console: Console, headline: Headline, *, verbose: bool = False) -> None:
        self.console, self.headline, self.verbose = console, headline, verbose
        self.total = 0
        self.counts: dict[State, int] = {"done": 0, "failed": 0, "blocked": 0}
        self.waited_for: set[str] = set()
        self.failed_by: dict[str, str] = {}
        """Error -> the stage of which it was said first."""

    def begun(self, jobs: Sequence[Job]) -> None:
        self.total = len(jobs)

    def skipped(self, job: Job) -> None:  # noqa: ARG002  the base class's signature
        self.counts["done"] += 1

    def started(self, job: Job) -> None:
        if self.verbose:
            self.say(f"started {stage_label(job.item)}")

    def ended(self, job: Job, outcome: Outcome) -> None:
        ok = outcome.status == "ok"
        self.counts["done" if ok else "failed"] += 1
        said = self.headline(outcome, job.item) if ok else self._why(job, str(outcome.error))
        word = "done" if ok else outcome.status.upper()
        self.say(f"{word} {stage_label(job.item)}: {said} ({outcome.duration_s:.1f} s)")

    def died(self, job: Job, reason: str, *, again: bool) -> None:
        then = "it is started again" if again else "the same command continues it"
        self.say(f"died {stage_label(job.item)}: {reason}; {then}")

    def failed_before(self, job: Job) -> None:
        self.counts["failed"] += 1
        self.say(
            f"failed before: {stage_label(job.item)}; --retry-failed runs it again "
            "unless it diverged"
        )

    def waiting(self, job: Job) -> None:
        if job.key not in self.waited_for:
            self.waited_for.add(job.key)
            self.say(f"waiting for another run: {stage_label(job.item)}")

    def blocked(self, job: Job, because: str) -> None:
        self.counts["blocked"] += 1
        self.say(f"blocked {stage_label(job.item)}: {because}")

    def say(self, text: str) -> None:
        """Print one line."""
        over = sum(self.counts.values())
        self.console.print(Text(f"[{over}/{self.total}] {text}"), soft_wrap=True)

    def _why(self, job: Job, error: str) -> str:
        """Return an error, or its first clause and the stage of which all of it was said."""
        if error in self.failed_by:
            return f"{_CLAUSE_END.split(error, maxsplit=1)[0]}, as {self.failed_by[error]} above"
        self.failed_by[error] = stage_label(job.item)
        return error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


@dataclass
class _Shown:
    """A running stage."""

    job: Job
    since: float
    """By the monotonic clock."""
    beat: Beat | None = None


class LiveWatcher(PlainWatcher):
    """The same lines, and below them the overall bar and what runs now."""

    def __init__(
        self, console: Console, headline: Headline, past: Sequence[tuple[StageSpec, float]] = ()
    ) -> None:
        super().__init__(console, headline)
        self.running: dict[str, _Shown] = {}
        self.time_left = TimeLeft(Pace(past))
        self.live = Live(console=console, get_renderable=self.view, refresh_per_second=4)

    def begun(self, jobs: Sequence[Job]) -> None:
        super().begun(jobs)
        self.time_left.add(job.request.spec for job in jobs)

    def skipped(self, job: Job) -> None:
        super().skipped(job)
        self._over(job)

    def started(self, job: Job) -> None:
        super().started(job)
        self.running[job.key] = _Shown(job, time.monotonic())

    def progressed(self, job: Job, event: Progressed) -> None:
        if job.key in self.running:
            self.running[job.key].beat = event.beat

    def ended(self, job: Job, outcome: Outcome) -> None:
        self._over(job)
        if outcome.status == "ok":
            self.time_left.pace.add(job.request.spec, outcome.duration_s)
        super().ended(job, outcome)

    def stopped(self, job: Job) -> None:
        self.running.pop(job.key, None)

    def died(self, job: Job, reason: str, *, again: bool) -> None:
        self.running.pop(job.key, None)
        super().died(job, reason, again=again)

    def failed_before(self, job: Job) -> None:
        self._over(job)
        super().failed_before(job)

    def blocked(self, job: Job, because: str) -> None:
        self._over(job)
        super().blocked(job, because)

    def view(self) -> RenderableType:
        """Return what is shown at the bottom of the terminal now."""
        shown = list(self.running.values())
        pending = self.total - sum(self.counts.values()) - len(shown)
        counts: dict[State, int] = {**self.counts, "running": len(shown), "pending": pending}
        now = time.monotonic()
        left = self.time_left.seconds([(each.job.request.spec, now - each.since) for each in shown])
        return run_view(counts, left, [(each.job.item, each.beat) for each in shown])

    def _over(self, job: Job) -> None:
        self.running.pop(job.key, None)
        self.time_left.drop(job.request.spec)

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.live.stop()
