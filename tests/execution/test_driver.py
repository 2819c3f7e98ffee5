"""The driver's decisions, with a real store and an executor whose stages end as they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.core.errors import StoreError
from gpbench.core.plan import PlanItem
from gpbench.core.recipe import Execution
from gpbench.core.stage import BACKBONE_FILE, Outcome, StageRequest
from gpbench.engine import checkpoint
from gpbench.engine.monitor import Beat
from gpbench.execution.driver import Again, Driver, Job, Summary, Watcher
from gpbench.execution.executor import Died, Ended, Event, Executor, Progressed, Started, Work
from gpbench.execution.files import StageFiles
from gpbench.stages import artefacts
from gpbench.store import Owner, Store
from tests.store.plans import ended, make_plan, write_counts

Script = Callable[[str, int], Outcome | str | None]
"""Key, attempt -> the outcome, the reason of a death, or None for a stop."""


class Scripted(Executor):
    """Meets the Executor protocol; two stages at a time, the oldest ends first."""

    name = "scripted"

    def __init__(self, script: Script, write: Callable[[Outcome], None]) -> None:
        self.script, self.write = script, write
        self.running: list[str] = []
        self.started: list[str] = []

    def run(self, work: Work) -> None:
        while not work.finished:
            while len(self.running) < 2 and (request := work.next()) is not None:
                self.running.append(request.spec.key)
                self.started.append(request.spec.key)
                work.take(Started(request.spec.key))
            if self.running:
                work.take(self.end(self.running.pop(0)))

    def end(self, key: str) -> Event:
        said = self.script(key, self.started.count(key))
        if isinstance(said, str):
            return Died(key, said)
        if said is None:
            return Ended(key, None)
        self.write(said)
        return Ended.well(said)


class World:
    """A store with the plan of tests/store and what is needed to run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(f"sqlite:///{folder / 'gpbench.sqlite'}")
        self.plan = make_plan()
        self.store.record(self.plan)
        self.items = {item.key: item for item in self.plan.items if item.key is not None}

    def folder_of(self, key: str) -> Path:
        return self.folder / "stages" / key

    def jobs(self) -> list[Job]:
        return [self.job(item) for item in self.items.values()]

    def job(self, item: PlanItem) -> Job:
        assert item.spec is not None
        request = StageRequest(
            item.spec, str(self.folder_of(item.spec.key)), None, {}, "", Execution()
        )
        needs = [self.plan.items[index].key for index in item.needs]
        return Job(request, item, tuple(key for key in needs if key is not None))

    def ends_well(self, key: str, _attempt: int = 1) -> Outcome:
        """Leave a stage's files and return its outcome."""
        folder, trained = self.folder_of(key), self.items[key].kind == "finetune"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BACKBONE_FILE).write_text("weights")
        if trained:
            write_counts(folder)
        kept = (artefacts.artefact(folder, BACKBONE_FILE),)
        return replace(ended(key, scored=trained), artefacts=kept)

    def run(
        self, script: Script, again: Again | None = None, watcher: Watcher | None = None
    ) -> tuple[Summary, Scripted]:
        executor = Scripted(script, self.write)
        driver = self.driver(watcher, again)
        return driver.run(self.jobs(), executor, dict.fromkeys(self.items, 1.0)), executor

    def driver(self, watcher: Watcher | None = None, again: Again | None = None) -> Driver:
        return Driver(self.store, StageFiles(), watcher or Watcher(), again or Again())

    def write(self, outcome: Outcome) -> None:
        """Leave an outcome in its stage's folder, as a worker does."""
        artefacts.write_text(self.folder_of(outcome.key) / artefacts.OUTCOME, outcome.text())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_parents_run_before_children_and_everything_once(world: World) -> None:
    summary, executor = world.run(world.ends_well)
    assert len(summary.done) == len(world.items)
    assert sorted(executor.started) == sorted(world.items)
    for job in world.jobs():
        for parent in job.needs:
            assert executor.started.index(parent) < executor.started.index(job.key)
    again, idle = world.run(world.ends_well)
    assert (len(again.skipped), again.done, idle.started) == (len(world.items), [], [])


def failing(world: World, bad: str, **changes: object) -> Script:
    def script(key: str, attempt: int) -> Outcome:
        outcome = world.ends_well(key, attempt)
        if key != bad:
            return outcome
        (world.folder_of(key) / BACKBONE_FILE).unlink()
        return replace(outcome, artefacts=(), scores=(), images=(), **changes)  # type: ignore[arg-type]  # fields by name

    return script


def first(world: World, kind: str) -> str:
    return next(key for key, item in world.items.items() if item.kind == kind)


def test_failure_blocks_its_descendants_and_nothing_else(world: World) -> None:
    bad = first(world, "pretrain")
    summary, _ = world.run(failing(world, bad, status="invalid", error="no"))
    assert summary.failed == [bad]
    assert len(summary.blocked) == 2  # the second phase and the fine-tuning behind it
    assert len(summary.done) == len(world.items) - 3
    again, executor = world.run(world.ends_well)
    assert (executor.started, again.failed) == ([], [bad])


def test_retry_failed_runs_a_failed_stage_and_what_it_blocked(world: World) -> None:
    bad = first(world, "pretrain")
    world.run(failing(world, bad, status="oom", error="no"))
    summary, executor = world.run(world.ends_well, Again(failed=True))
    assert executor.started[0] == bad
    assert len(summary.done) == 3
    assert not summary.failed


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_retry_failed_leaves_a_diverged_stage_alone_and_force_does_not(
    world: World, kind: str
) -> None:
    bad = first(world, kind)
    world.run(failing(world, bad, status="diverged", error="nan", diverged_at=3))
    summary, executor = world.run(world.ends_well, Again(failed=True))
    assert (executor.started, summary.failed) == ([], [bad])
    forced, _ = world.run(world.ends_well, Again(all=True))
    assert len(forced.done) == len(world.items)


@pytest.mark.parametrize("deaths", [2, 3])
def test_stage_whose_process_dies_is_started_again_so_often(world: World, deaths: int) -> None:
    bad = first(world, "finetune")

    def script(key: str, attempt: int) -> Outcome | str:
        return "gone" if key == bad and attempt <= deaths else world.ends_well(key)

    summary, executor = world.run(script, Again(retries=2))
    done = deaths <= 2
    assert executor.started.count(bad) == 3
    assert (bad in summary.done, bad in summary.failed) == (done, not done)
    failed = world.store.status().failed
    assert [each.error for each in failed] == (
        [] if done else ["gone; --retry-failed continues from its last checkpoint"]
    )


def test_outcome_that_no_driver_committed_is_taken_in_without_running(world: World) -> None:
    finished = first(world, "pretrain")
    outcome = world.ends_well(finished)
    world.write(outcome)
    summary, executor = world.run(world.ends_well)
    assert finished not in executor.started
    assert finished in summary.done


def test_left_outcome_with_a_damaged_file_is_not_believed(world: World) -> None:
    finished = first(world, "finetune")
    outcome = world.ends_well(finished)
    world.write(outcome)
    (world.folder_of(finished) / outcome.artefacts[0].path).write_text("half")
    _, executor = world.run(world.ends_well)
    assert finished in executor.started


def test_lost_weights_of_a_whole_chain_are_made_again_for_a_child(world: World) -> None:
    tuned = first(world, "finetune")
    world.run(failing(world, tuned, status="oom", error="no"))
    chain = [key for key, item in world.items.items() if item.kind == "pretrain"][:2]
    for key in chain:
        (world.folder_of(key) / BACKBONE_FILE).unlink()
    _, executor = world.run(world.ends_well, Again(failed=True))
    assert executor.started == [*chain, tuned]


def test_stage_whose_process_dies_while_the_run_is_stopped_has_not_failed(world: World) -> None:
    def script(_key: str, _attempt: int) -> str:
        driver.stop()
        return "gone"

    executor = Scripted(script, world.write)
    driver = world.driver()
    summary = driver.run(world.jobs(), executor, dict.fromkeys(world.items, 1.0))
    assert (summary.interrupted, summary.failed) == (True, [])
    assert set(world.store.states(list(world.items)).values()) == {"pending"}


def test_stopped_stages_are_pending_again(world: World) -> None:
    class StopAtOnce(Watcher):
        def started(self, job: Job) -> None:  # noqa: ARG002  the base class's signature
            driver.stop()

    executor = Scripted(lambda _key, _attempt: None, world.write)
    driver = world.driver(StopAtOnce())
    summary = driver.run(world.jobs(), executor, dict.fromkeys(world.items, 1.0))
    assert summary.interrupted
    assert len(executor.started) == 1
    assert set(world.store.states(list(world.items)).values()) == {"pending"}


def test_watcher_hears_of_every_stage(world: World) -> None:
    heard: Mapping[str, list[str]] = {"ended": [], "blocked": []}

    class Noting(Watcher):
        def ended(self, job: Job, outcome: Outcome) -> None:  # noqa: ARG002  the base's signature
            heard["ended"].append(job.key)

        def blocked(self, job: Job, because: str) -> None:
            heard["blocked"].append(because)
            assert job.key

    bad = first(world, "pretrain")
    world.run(failing(world, bad, status="invalid", error="no"), watcher=Noting())
    assert len(heard["ended"]) == len(world.items) - 2
    assert all(because == f"what it needs failed: {bad[:12]}" for because in heard["blocked"])


def test_a_stage_that_died_keeps_its_checkpoint_under_force(world: World) -> None:
    tuned = first(world, "finetune")

    def script(key: str, attempt: int) -> Outcome | str:
        if key == tuned and attempt == 1:
            world.folder_of(key).mkdir(parents=True, exist_ok=True)
            (world.folder_of(key) / checkpoint.NAME).write_text("half-way")
            return "gone"
        return world.ends_well(key)

    world.run(world.ends_well)
    (world.folder_of(tuned) / checkpoint.NAME).write_text("of the run before")
    seen: list[str] = []

    class Looking(Watcher):
        def started(self, job: Job) -> None:
            path = world.folder_of(job.key) / checkpoint.NAME
            if job.key == tuned:
                seen.append(path.read_text() if path.exists() else "none")

    world.run(script, Again(all=True), Looking())
    assert seen == ["none", "half-way"]


def test_stage_that_died_after_it_had_finished_is_not_run_again(world: World) -> None:
    tuned = first(world, "finetune")

    def script(key: str, _attempt: int) -> Outcome | str:
        outcome = world.ends_well(key)
        if key == tuned:
            world.write(outcome)
            return "killed before it could tell"
        return outcome

    summary, executor = world.run(script)
    assert executor.started.count(tuned) == 1
    assert tuned in summary.done


def test_outcome_that_cannot_be_seen_or_is_another_is_not_committed(world: World) -> None:
    bad = first(world, "finetune")

    class Elsewhere(Scripted):
        def end(self, key: str) -> Event:
            event = super().end(key)
            if key == bad:  # what was reported is not what lies here
                (world.folder_of(key) / artefacts.OUTCOME).write_text("{}")
            return event

    driver = world.driver()
    executor = Elsewhere(world.ends_well, world.write)
    summary = driver.run(world.jobs(), executor, dict.fromkeys(world.items, 1.0))
    assert summary.failed == [bad]
    assert str(world.folder_of(bad)) in str(world.store.status().failed[0].error)


def test_hanging_stage_is_named_until_it_dies_and_is_a_timeout(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("gpbench.execution.driver.time.monotonic", lambda: now)
    driver = Driver(world.store, StageFiles(), Watcher(), Again(), timeout_s=10.0)
    heard: list[tuple[float, list[str]]] = []

    class Hanging(Executor):
        name = "hanging"

        def run(self, work: Work) -> None:
            nonlocal now
            request = work.next()
            assert request is not None
            key = request.spec.key
            now += 100  # it waits for its resources: no limit
            heard.append((now, work.tick()))
            work.take(Started(key))
            for step in (1, 2, 2, 2):  # gets on once more, then repeats itself
                now += 6
                heard.append((now, work.tick()))
                work.take(Progressed(key, Beat("train", step, 9)))
            heard.append((now, work.tick()))
            assert key in work.tick()
            work.take(Died(key, "killed"))
            work.take(Progressed(key, Beat("train", 3, 9)))  # late: nobody minds
            driver.stop()

    driver.run(world.jobs(), Hanging(), dict.fromkeys(world.items, 1.0))
    assert [bool(keys) for _, keys in heard] == [False, False, False, False, True, True]
    (failed,) = world.store.status().failed
    assert "did not get on for 10 s" in str(failed.error)


def test_retry_failed_runs_a_timed_out_stage_again(world: World) -> None:
    bad = first(world, "finetune")
    world.run(failing(world, bad, status="timeout", error="it did not get on"))
    summary, executor = world.run(world.ends_well, Again(failed=True))
    assert executor.started == [bad]
    assert summary.done == [bad]


def test_a_run_waits_for_a_stage_that_another_run_has(world: World) -> None:
    theirs = first(world, "pretrain")
    other = Owner.current()
    world.store.claim(theirs, other)
    waits: list[str] = []

    class Waiting(Watcher):
        def waiting(self, job: Job) -> None:
            waits.append(job.key)
            if len(waits) == 1:
                outcome = world.ends_well(theirs)
                world.write(outcome)
                world.store.commit(outcome, world.folder_of(theirs))

    summary, executor = world.run(world.ends_well, watcher=Waiting())
    assert waits == [theirs]
    assert theirs in summary.skipped
    assert theirs not in executor.started
    assert len(summary.done) == len(world.items) - 1


def test_long_stages_start_first(world: World) -> None:
    tunes = [key for key, item in world.items.items() if item.kind == "finetune"]
    ready = [key for key in tunes if not world.job(world.items[key]).needs]
    seconds = dict.fromkeys(world.items, 1.0) | {ready[-1]: 50.0}
    executor = Scripted(world.ends_well, world.write)
    world.driver().run(world.jobs(), executor, seconds)
    assert executor.started[0] == ready[-1]


def test_stage_whose_machine_could_not_reach_something_is_tried_again(world: World) -> None:
    bad = first(world, "finetune")

    def script(key: str, attempt: int) -> Outcome:
        outcome = world.ends_well(key)
        if key != bad or attempt > 1:
            return outcome
        return replace(outcome, status="preempted", error="/far cannot be read", artefacts=(),
                       scores=(), images=())  # fmt: skip

    summary, executor = world.run(script)
    assert executor.started.count(bad) == 2
    assert bad in summary.done


def test_stage_that_finished_as_it_was_killed_for_hanging_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("gpbench.execution.driver.time.monotonic", lambda: now)
    driver = Driver(world.store, StageFiles(), Watcher(), Again(), timeout_s=10.0)

    class Hanging(Executor):
        name = "hanging"

        def run(self, work: Work) -> None:
            nonlocal now
            request = work.next()
            assert request is not None
            work.take(Started(request.spec.key))
            now += 11
            assert work.tick() == [request.spec.key]
            world.write(world.ends_well(request.spec.key))
            work.take(Died(request.spec.key, "killed"))
            driver.stop()

    summary = driver.run(world.jobs(), Hanging(), dict.fromkeys(world.items, 1.0))
    assert (len(summary.done), summary.failed) == (1, [])


def test_diverged_outcome_that_no_driver_committed_is_not_trained_again(world: World) -> None:
    bad = first(world, "finetune")
    world.ends_well(bad)
    world.write(
        replace(
            world.ends_well(bad),
            status="diverged",
            diverged_at=3,
            error="nan",
            artefacts=(),
            scores=(),
            images=(),
        )
    )
    summary, executor = world.run(world.ends_well, Again(failed=True))
    assert bad not in executor.started
    assert summary.failed == [bad]


def test_lost_weights_are_not_made_again_for_a_child_that_will_not_run(world: World) -> None:
    tuned = next(key for key, item in world.items.items() if item.kind == "finetune" and item.needs)
    world.run(failing(world, tuned, status="diverged", error="nan", diverged_at=3))
    for key, item in world.items.items():
        if item.kind == "pretrain":
            (world.folder_of(key) / BACKBONE_FILE).unlink()
    _, executor = world.run(world.ends_well)
    assert executor.started == []


def test_failure_that_comes_after_another_run_s_result_does_not_count(world: World) -> None:
    lost = first(world, "pretrain")

    def script(key: str, _attempt: int) -> Outcome:
        outcome = world.ends_well(key)
        if key != lost:
            return outcome
        world.store.commit(outcome, world.folder_of(key))  # by a run that thought us gone
        return replace(outcome, status="oom", error="no", artefacts=())

    summary, _ = world.run(script)
    assert (summary.failed, summary.blocked) == ([], [])
    assert lost in summary.skipped
    assert len(summary.done) == len(world.items) - 1


def test_stage_that_stops_without_being_told_to_is_run_again(world: World) -> None:
    odd = first(world, "finetune")
    summary, executor = world.run(
        lambda key, attempt: None if key == odd and attempt == 1 else world.ends_well(key)
    )
    assert executor.started.count(odd) == 2
    assert odd in summary.done
    summary, _ = world.run(
        lambda key, _attempt: None if key == odd else world.ends_well(key), Again(all=True)
    )
    assert summary.failed == [odd]


def test_executor_that_breaks_leaves_no_stage_running(world: World) -> None:
    class Broken(Executor):
        name = "broken"

        def run(self, work: Work) -> None:
            assert work.next() is not None
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.driver().run(world.jobs(), Broken(), dict.fromkeys(world.items, 1.0))
    assert world.store.status().counts["running"] == 0


def test_busy_database_does_not_end_a_run_until_the_lease_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("gpbench.execution.driver.time.monotonic", lambda: now)
    driver = world.driver()

    def refuse(*_: object) -> None:
        raise StoreError("the database is locked")

    class Working(Executor):
        name = "working"

        def run(self, work: Work) -> None:
            nonlocal now
            assert work.next() is not None
            monkeypatch.setattr(world.store, "heartbeat", refuse)
            now += 50
            assert work.tick() == []
            now += 20
            with pytest.raises(StoreError, match="locked"):
                work.tick()
            driver.stop()

    driver.run(world.jobs(), Working(), dict.fromkeys(world.items, 1.0))
