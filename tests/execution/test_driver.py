"""The driver's decisions, with a real store and an executor whose stages end as they are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gpbench.core.errors import StoreError
from gpbench.core.stage import Outcome
from gpbench.engine.monitor import Beat
from gpbench.execution.driver import Again, Driver, Job, Watcher
from gpbench.execution.executor import Died, Ended, Event, Executor, Progressed, Started, Work
from gpbench.execution.files import StageFiles
from gpbench.stages import artefacts
from gpbench.store import Owner
from tests.execution.worlds import Scripted, World, failing, first


def test_parents_run_before_children_and_everything_once(world: World) -> None:
    summary, executor = world.run(world.ends_well)
    assert len(summary.done) == len(world.items)
    assert sorted(executor.started) == sorted(world.items)
    for job in world.jobs():
        for parent in job.needs:
            assert executor.started.index(parent) < executor.started.index(job.key)
    again, idle = world.run(world.ends_well)
    assert (len(again.skipped), again.done, idle.started) == (len(world.items), [], [])


def test_failure_blocks_its_descendants_and_nothing_else(world: World) -> None:
    bad = first(world, "pretrain")
    summary, _ = world.run(failing(world, bad, status="invalid", error="no"))
    assert summary.failed == [bad]
    assert len(summary.blocked) == 2  # the second phase and the fine-tuning behind it
    assert len(summary.done) == len(world.items) - 3
    again, executor = world.run(world.ends_well)
    assert (executor.started, again.failed) == ([], [bad])


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


def clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_hanging_stage_is_named_until_it_dies_and_is_a_timeout(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("gpbench.execution.driver.time.monotonic", lambda: now)
    monkeypatch.setattr("gpbench.execution.driver.utc_now", lambda: clock(now))
    took: list[tuple[str, float]] = []

    class Noting(Watcher):
        def ended(self, job: Job, outcome: Outcome) -> None:  # noqa: ARG002  the base class's
            took.append((outcome.started_at, outcome.duration_s))

    driver = Driver(world.store, StageFiles(), Noting(), Again(), timeout_s=10.0)
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
    assert failed.error == (
        "it did not get on for 10 s, the limit of --timeout, in which a process must start, too: "
        "a higher one with --retry-failed continues it"
    )
    assert took == [(clock(1100.0), 24.0)]  # from when it had begun, not to run after its end


def test_stage_is_running_once_it_has_begun_and_not_while_it_waits_for_room(world: World) -> None:
    seen: list[set[str]] = []

    class Ahead(Executor):
        name = "ahead"

        def run(self, work: Work) -> None:
            requests = [work.next(), work.next()]
            keys = [request.spec.key for request in requests if request is not None]
            assert len(keys) == 2
            for key in keys:
                seen.append({each.key for each in world.store.status().running})
                work.take(Started(key))
            driver.stop()
            seen.append({each.key for each in world.store.status().running})
            for key in keys:
                work.take(Ended(key, None))
            assert seen == [set(), {keys[0]}, set(keys)]

    driver = world.driver()
    driver.run(world.jobs(), Ahead(), dict.fromkeys(world.items, 1.0))
    assert world.store.status().counts["pending"] == len(world.items)


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


def test_executor_that_breaks_leaves_no_stage_running(world: World) -> None:
    class Broken(Executor):
        name = "broken"

        def run(self, work: Work) -> None:
            request = work.next()
            assert request is not None
            work.take(Started(request.spec.key))
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
