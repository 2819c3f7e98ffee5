"""The driver's decisions, with a real store and an executor whose stages end as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from gpbench.core.plan import PlanItem
from gpbench.core.recipe import Execution
from gpbench.core.stage import BACKBONE_FILE, Outcome, StageRequest
from gpbench.execution.driver import Again, Driver, Job, Summary, Watcher
from gpbench.execution.executor import Died, Ended, Event
from gpbench.stages import artefacts
from gpbench.store import Store
from tests.store.plans import ended, make_plan, write_counts

Script = Callable[[str, int], Outcome | str | None]
"""Key, attempt -> the outcome, the reason of a death, or None for a stop."""


class Scripted:
    """Meets the Executor protocol; two stages at a time, the oldest ends first."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.running: list[str] = []
        self.started: list[str] = []

    @property
    def free(self) -> int:
        return 2 - len(self.running)

    def start(self, request: StageRequest) -> None:
        self.running.append(request.spec.key)
        self.started.append(request.spec.key)

    def events(self) -> Iterable[Event]:
        if self.running:
            key = self.running.pop(0)
            said = self.script(key, self.started.count(key))
            yield Died(key, said) if isinstance(said, str) else Ended(key, said)

    def stop(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


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
        executor = Scripted(script)
        driver = Driver(self.store, watcher or Watcher(), again or Again())
        return driver.run(self.jobs(), lambda _listen: executor), executor


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
    artefacts.write_text(world.folder_of(finished) / artefacts.OUTCOME, outcome.to_json())
    summary, executor = world.run(world.ends_well)
    assert finished not in executor.started
    assert finished in summary.done


def test_left_outcome_with_a_damaged_file_is_not_believed(world: World) -> None:
    finished = first(world, "finetune")
    outcome = world.ends_well(finished)
    artefacts.write_text(world.folder_of(finished) / artefacts.OUTCOME, outcome.to_json())
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

    executor = Scripted(script)
    driver = Driver(world.store, Watcher(), Again())
    summary = driver.run(world.jobs(), lambda _listen: executor)
    assert (summary.interrupted, summary.failed) == (True, [])
    assert set(world.store.states(list(world.items)).values()) == {"pending"}


def test_stopped_stages_are_pending_again(world: World) -> None:
    class StopAtOnce(Watcher):
        def started(self, job: Job) -> None:  # noqa: ARG002  the base class's signature
            driver.stop()

    executor = Scripted(lambda _key, _attempt: None)
    driver = Driver(world.store, StopAtOnce(), Again())
    summary = driver.run(world.jobs(), lambda _listen: executor)
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
    assert any(f"its parent {bad[:12]} failed" in because for because in heard["blocked"])
