"""A real store with a plan, and an executor whose stages end as they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gpbench.core.plan import PlanItem
from gpbench.core.recipe import Execution
from gpbench.core.stage import BACKBONE_FILE, Outcome, StageRequest
from gpbench.execution.driver import Again, Driver, Job, Summary, Watcher
from gpbench.execution.executor import Died, Ended, Event, Executor, Started, Work
from gpbench.execution.files import StageFiles
from gpbench.stages import artefacts
from gpbench.store import Store
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
