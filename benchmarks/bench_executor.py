"""Stages that do nothing, with claims and SQLite commits, against plain Tune function trainables.

Of ours a whole run of the executor is timed, start and end of its cluster included; of the
functions only `Tuner.fit`, on a cluster that is already there.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor as Pool
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import plain_tune
from benchmarks.report import PARTS
from gpbench.cli.session import Place, jobs_of
from gpbench.core.plan import Plan
from gpbench.core.stage import BACKBONE_FILE, Outcome, StageRequest
from gpbench.engine.monitor import Monitor, Silent
from gpbench.execution.driver import Again, Driver, Job, Watcher
from gpbench.execution.executor import Ended, Executor, Started, Work
from gpbench.execution.files import StageFiles
from gpbench.execution.ray_cluster import ClusterOptions, Needs
from gpbench.execution.ray_tune import RayTune
from gpbench.stages import artefacts
from gpbench.store import Store
from tests.store.plans import ended, make_plan, write_counts

AT_ONCE, STAGES, FUNCTIONS, ROUNDS = 2, 2000, 200, 3
MOST_S, LEAST_RATIO, MOST_S_TO_FIRST_STAGE = 0.05, 20, 10
NOTHING = f"one stage of many that do nothing, {AT_ONCE} at once"
FIRST_STAGE = "from the start of `gpbench run` to its first stage, data prepared"
EXPERIMENT = (
    "--strategies", "scratch", "--backbones", "test_convnext3", "--datasets", "demo-potsdam",
    "--sources", "demo", "--recipe", "demo",
)  # fmt: skip


def do_nothing(request: StageRequest, _monitor: Monitor) -> Outcome:
    """Leave the files of a stage that trains nothing."""
    folder, trained = Path(request.folder), request.spec.kind == "finetune"
    folder.mkdir(parents=True)
    if trained:
        write_counts(folder)
    else:
        artefacts.write_text(folder / BACKBONE_FILE, "weights")
    name = artefacts.CONFUSION if trained else BACKBONE_FILE
    left = (artefacts.artefact(folder, name),)
    outcome = replace(ended(request.spec.key, scored=trained), artefacts=left)
    artefacts.write_text(folder / artefacts.OUTCOME, outcome.text())
    return outcome


class Here:
    """The cheapest executor there can be: what is left is the driver's, the store's, the files'."""

    name = "here"

    def run(self, work: Work) -> None:
        while (request := work.next()) is not None:
            work.take(Started(request.spec.key))
            work.take(Ended.well(do_nothing(request, Silent())))
            work.tick()


def ray_tune() -> RayTune:
    return RayTune(ClusterOptions(jobs=AT_ONCE), Needs(cpus=1, device="cpu"), do_nothing)


class FirstStage(Watcher):
    """Notes when the first stage starts."""

    def __init__(self) -> None:
        self.at: float | None = None

    def started(self, job: Job) -> None:  # noqa: ARG002  any
        self.at = self.at or time.perf_counter()


class Run:
    """Runs a plan in a fresh working directory and remembers when first stages started."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.to_first_stage_s: list[float] = []

    def fresh(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def __call__(self, executor: Executor) -> None:
        place = Place(self.folder, f"sqlite:///{self.folder / 'gpbench.sqlite'}")
        with Store.open(place.db) as store:
            store.record(self.plan)
            jobs = jobs_of(self.plan, place, keep_weights=True)
            watcher = FirstStage()
            driver = Driver(store, StageFiles(), watcher, Again())
            start = time.perf_counter()
            summary = driver.run(jobs, executor, dict.fromkeys([job.key for job in jobs], 1.0))
        assert len(summary.done) == len(jobs)
        assert watcher.at is not None
        self.to_first_stage_s.append(watcher.at - start)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Yield the run of a plan: per seed a chain of two pre-trainings, and two fine-tunings."""
    folder = tmp_path_factory.mktemp("grid")
    yield Run(make_plan(seeds=range(STAGES // 4)), folder / "work")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def functions_s() -> list[float]:
    """Seconds per plain function trainable, one for each round."""
    return []


@pytest.fixture
def tune_process() -> Iterator[Pool]:
    """Yield a process with a cluster of Tune's own."""
    with ProcessPoolExecutor(
        1, get_context("spawn"), initializer=plain_tune.start, initargs=(AT_ONCE,)
    ) as pool:
        yield pool


@pytest.mark.benchmark(group=NOTHING)
@pytest.mark.parametrize("trials", [FUNCTIONS])
def bench_plain_tune_functions(
    benchmark: BenchmarkFixture,
    tune_process: Pool,
    tmp_path: Path,
    functions_s: list[float],
    trials: int,
) -> None:
    tune_process.submit(plain_tune.fit, AT_ONCE, str(tmp_path)).result()  # imports, first workers

    def fit() -> None:
        start = time.perf_counter()
        assert tune_process.submit(plain_tune.fit, trials, str(tmp_path)).result() == trials
        functions_s.append((time.perf_counter() - start) / trials)

    benchmark.pedantic(fit, rounds=ROUNDS)  # type: ignore[no-untyped-call]  # the library has no types
    benchmark.extra_info[PARTS] = trials


@pytest.mark.benchmark(group=NOTHING)
@pytest.mark.parametrize("stages", [STAGES])
def bench_driver_and_store_alone(benchmark: BenchmarkFixture, grid: Run, stages: int) -> None:
    benchmark.pedantic(grid, (Here(),), setup=grid.fresh, rounds=ROUNDS)  # type: ignore[no-untyped-call]  # the library has no types
    benchmark.extra_info[PARTS] = stages


@pytest.mark.benchmark(group=NOTHING)
@pytest.mark.parametrize("stages", [STAGES])
def bench_executor_ray(
    benchmark: BenchmarkFixture, grid: Run, functions_s: list[float], stages: int
) -> None:
    grid.to_first_stage_s.clear()
    benchmark.pedantic(grid, (ray_tune(),), setup=grid.fresh, rounds=ROUNDS)  # type: ignore[no-untyped-call]  # the library has no types
    benchmark.extra_info[PARTS] = stages
