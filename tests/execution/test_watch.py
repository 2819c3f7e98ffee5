from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from gpbench.core.plan import PlanItem
from gpbench.core.recipe import Execution
from gpbench.core.stage import Outcome, StageRequest
from gpbench.engine.monitor import Beat
from gpbench.execution.driver import Job
from gpbench.execution.executor import Progressed
from gpbench.execution.view import stage_label
from gpbench.execution.watch import LiveWatcher, PlainWatcher, watcher
from tests.execution.test_view import rendered
from tests.store.plans import ended, make_plan


def job(item: PlanItem) -> Job:
    assert item.spec is not None
    return Job(StageRequest(item.spec, "", None, {}, "", Execution()), item, ())


JOBS = [job(item) for item in make_plan().items]
DONE, FAILED, BLOCKED, RUNNING = JOBS[:4]


def headline(_outcome: Outcome, _item: PlanItem) -> str:
    return "mIoU 43.21"


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=150, force_terminal=terminal, color_system=None)


def said(watching: PlainWatcher) -> list[str]:
    file = watching.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


def happen(watching: PlainWatcher) -> None:
    """Tell of one stage that went well, one that diverged, its child, and one that runs."""
    watching.begun(JOBS)
    watching.skipped(JOBS[4])
    watching.started(DONE)
    watching.ended(DONE, ended(DONE.key))
    watching.started(FAILED)
    watching.ended(FAILED, ended(FAILED.key, "diverged", error="nan at step 7"))
    watching.blocked(BLOCKED, "its parent failed")
    watching.started(RUNNING)
    watching.progressed(RUNNING, Progressed(RUNNING.key, Beat("train", 3, 10)))


def test_plain_lines_say_what_ended_and_how() -> None:
    watching = PlainWatcher(console(), headline)
    happen(watching)
    watching.died(RUNNING, "its process was ended by SIGKILL", again=True)
    watching.died(RUNNING, "its process was ended by SIGKILL", again=False)
    watching.failed_before(JOBS[5])
    watching.waiting(JOBS[6])
    watching.waiting(JOBS[6])
    name = [stage_label(each.item) for each in JOBS]
    assert said(watching) == [
        f"[2/8] done {name[0]}: mIoU 43.21 (12.5 s)",
        f"[3/8] DIVERGED {name[1]}: nan at step 7 (12.5 s)",
        f"[4/8] blocked {name[2]}: its parent failed",
        f"[4/8] died {name[3]}: its process was ended by SIGKILL; it is started again",
        f"[4/8] died {name[3]}: its process was ended by SIGKILL; the same command continues it",
        f"[5/8] failed before: {name[5]}; --retry-failed runs it again unless it diverged",
        f"[5/8] waiting for another run: {name[6]}",
    ]


def test_error_that_several_stages_share_is_said_in_full_once() -> None:
    watching = PlainWatcher(console(), headline)
    watching.begun(JOBS)
    slow = "it took 3.5 s, the limit: a higher one helps"
    for number, error in enumerate([slow, slow, "too large", slow]):
        watching.ended(JOBS[number], ended(JOBS[number].key, "timeout", error=error))
    name = [stage_label(each.item) for each in JOBS]
    assert said(watching) == [
        f"[1/8] TIMEOUT {name[0]}: {slow} (12.5 s)",
        f"[2/8] TIMEOUT {name[1]}: it took 3.5 s, as {name[0]} above (12.5 s)",
        f"[3/8] TIMEOUT {name[2]}: too large (12.5 s)",
        f"[4/8] TIMEOUT {name[3]}: it took 3.5 s, as {name[0]} above (12.5 s)",
    ]


def test_verbose_lines_say_what_starts_too() -> None:
    watching = PlainWatcher(console(), headline, verbose=True)
    happen(watching)
    assert f"[4/8] started {stage_label(RUNNING.item)}" in said(watching)


def test_live_view_counts_every_stage_once() -> None:
    watching = LiveWatcher(console(terminal=True), headline)
    happen(watching)
    bar, counts, line = rendered(watching.view())
    assert bar.endswith("4/8 stages")
    assert counts == "2 done  1 running  3 to do  1 failed  1 blocked"
    assert line.startswith(stage_label(RUNNING.item))
    assert line.endswith("train 3/10")
    watching.died(RUNNING, "gone", again=True)
    watching.failed_before(JOBS[5])
    bar, counts = rendered(watching.view())
    assert bar.endswith("5/8 stages")
    assert counts == "2 done  0 running  3 to do  2 failed  1 blocked"


def test_beat_of_a_stage_that_is_over_brings_no_line_back() -> None:
    watching = LiveWatcher(console(terminal=True), headline)
    happen(watching)
    watching.ended(RUNNING, ended(RUNNING.key))
    watching.progressed(RUNNING, Progressed(RUNNING.key, Beat("train", 4, 10)))
    assert len(rendered(watching.view())) == 2


def test_live_view_says_how_long_it_takes_as_soon_as_it_can() -> None:
    watching = LiveWatcher(console(terminal=True), headline)
    watching.begun(JOBS)
    watching.ended(DONE, replace(ended(DONE.key), duration_s=60.0))  # a pre-training
    assert rendered(watching.view())[0].endswith("1/8 stages")
    watching.ended(RUNNING, replace(ended(RUNNING.key), duration_s=240.0))  # a fine-tuning
    # the second phase is timed by its images: 3 pre-trainings of 60 s, 3 fine-tunings of 240 s
    assert rendered(watching.view())[0].endswith("2/8 stages, about 15 min left")


def test_what_ran_before_tells_how_long_it_takes_from_the_start() -> None:
    past = [(each.request.spec, 75.0) for each in JOBS]
    watching = LiveWatcher(console(terminal=True), headline, past)
    watching.begun(JOBS)
    for each in JOBS[:4]:
        watching.skipped(each)
    assert rendered(watching.view())[0].endswith("4/8 stages, about 5 min left")


def test_live_view_is_drawn_and_cleared_up() -> None:
    with LiveWatcher(console(terminal=True), headline) as watching:
        happen(watching)
    text = "\n".join(said(watching))
    assert "1 running" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is back


def test_terminal_gets_the_live_view_and_all_else_plain_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert isinstance(watcher(console(terminal=True), headline), LiveWatcher)
    assert not isinstance(watcher(console(), headline), LiveWatcher)
    monkeypatch.setenv("CI", "1")
    assert not isinstance(watcher(console(terminal=True), headline), LiveWatcher)
