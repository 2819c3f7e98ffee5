"""Stages that do nothing, with claims and SQLite commits, against plain Tune function trainables.

Of the executors a whole run is timed, start and end of the cluster included; of the functions only
`Tuner.fit`, on a cluster that is already there.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor as Pool
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

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

AT_ONCE, STAGES, FUNCTIONS, ROUNDS = 2, 2000, 100, 3
MOST_S, LEAST_RATIO, MOST_S_TO_FIRST_STAGE = 0.05, 20, 10
NOTHING = f"one of many stages that do nothing, {AT_ONCE} at once"
FIRST_STAGE = "from the start of gpbench run to its first stage, data prepared"
GPBENCH = (sys.executable, "-m", "gpbench.cli.main")
DATASET = "demo-potsdam"
EXPERIMENT = (
    "--strategy", "scratch", "--backbone", "test_convnext3", "--datasets", DATASET,
    "--source", "demo", "--recipe", "demo",
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


class Here(Executor):
    """The cheapest executor there can be: what is left is the driver's, the store's, the files'."""

    name = "here"

    def run(self, work: Work) -> None:
        while (request := work.next()) is not None:
            work.take(Started(request.spec.key))
            work.take(Ended.well(do_nothing(request, Silent())))
            work.tick()


class FirstStage(Watcher):
    """Notes when the first stage starts."""

    at_s: float | None = None

    def started(self, job: Job) -> None:  # noqa: ARG002  whichever it is
        if self.at_s is None:
            self.at_s = time.perf_counter()


class Grid:
    """Runs a plan in a fresh working directory, round by round."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.seconds: list[float] = []
        """Per stage, of each round."""
        self.to_first_stage_s: list[float] = []

    def planned(self) -> tuple[tuple[Store, list[Job]], dict[str, object]]:
        """Return a database in which the plan stands and its jobs, as arguments of `run`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        place = Place(self.folder, f"sqlite:///{self.folder / 'gpbench.sqlite'}")
        store = Store.open(place.db)
        store.record(self.plan)
        return (store, jobs_of(self.plan, place, keep_weights=True)), {}

    def run(self, made: Callable[[], Executor], store: Store, jobs: list[Job]) -> None:
        watcher, start = FirstStage(), time.perf_counter()
        driver = Driver(store, StageFiles(), watcher, Again())
        with made() as executor:
            summary = driver.run(jobs, executor, {job.key: 1.0 for job in jobs})
        assert len(summary.done) == len(jobs)
        assert watcher.at_s is not None
        self.seconds.append((time.perf_counter() - start) / len(jobs))
        self.to_first_stage_s.append(watcher.at_s - start)

    def measure(self, benchmark: BenchmarkFixture, made: Callable[[], Executor]) -> None:
        self.seconds.clear()
        self.to_first_stage_s.clear()
        benchmark.pedantic(  # type: ignore[no-untyped-call]  # the library has no types
            partial(self.run, made),
            setup=self.planned,
            teardown=lambda store, _jobs: store.close(),
            rounds=ROUNDS,
        )
        benchmark.extra_info[PARTS] = STAGES


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    """Return a plan's runs: per seed a chain of two pre-trainings, and two fine-tunings."""
    plan = make_plan(seeds=range(STAGES // 4))
    return Grid(plan, tmp_path_factory.mktemp("grid") / "work")


@pytest.fixture(scope="module")
def function_s() -> list[float]:
    """Seconds per plain function trainable, of each round."""
    return []


@pytest.fixture
def tune_process() -> Iterator[Pool]:
    """Yield a process with a cluster of Ray's own defaults."""
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
    function_s: list[float],
    trials: int,
) -> None:
    tune_process.submit(plain_tune.fit, AT_ONCE, str(tmp_path)).result()  # imports, first workers

    def fit() -> None:
        start = time.perf_counter()
        assert tune_process.submit(plain_tune.fit, trials, str(tmp_path)).result() == trials
        function_s.append((time.perf_counter() - start) / trials)

    benchmark.pedantic(fit, rounds=ROUNDS)  # type: ignore[no-untyped-call]  # the library has no types
    benchmark.extra_info[PARTS] = trials


@pytest.mark.benchmark(group=NOTHING)
@pytest.mark.parametrize("stages", [STAGES])
def bench_driver_and_store_alone(benchmark: BenchmarkFixture, grid: Grid, stages: int) -> None:
    assert stages == len(grid.plan.items)
    grid.measure(benchmark, Here)


@pytest.mark.benchmark(group=NOTHING)
@pytest.mark.parametrize("stages", [STAGES])
def bench_executor_ray(
    benchmark: BenchmarkFixture, grid: Grid, function_s: list[float], stages: int
) -> None:
    assert stages == len(grid.plan.items)
    grid.measure(
        benchmark,
        lambda: RayTune(ClusterOptions(jobs=AT_ONCE), Needs(1, "cpu"), runner=do_nothing),
    )
    to_first_stage_s = median(grid.to_first_stage_s)
    benchmark.extra_info["executor ray, seconds from its start to its first stage"] = (
        to_first_stage_s
    )
    assert median(grid.seconds) <= MOST_S
    assert to_first_stage_s <= MOST_S_TO_FIRST_STAGE
    if function_s:  # not where only this benchmark was asked for
        assert median(function_s) / median(grid.seconds) >= LEAST_RATIO


class CommandLine:
    """Runs `gpbench run` in a fresh working directory and sees when its first stage starts."""

    def __init__(self, data: Path, workdir: Path) -> None:
        self.data, self.workdir = data, workdir
        self.process: subprocess.Popen[bytes] | None = None

    def fresh(self) -> None:
        shutil.rmtree(self.workdir, ignore_errors=True)
        shutil.copytree(self.data, self.workdir)

    def to_first_stage(self, executor: str) -> None:
        flags = ("--workdir", str(self.workdir), "--executor", executor)
        self.process = subprocess.Popen(
            [*GPBENCH, "run", *EXPERIMENT, *flags], stdout=subprocess.DEVNULL
        )
        while not any(self.workdir.glob("stages/*/spec.json")):
            assert self.process.poll() is None, "it ended before its first stage"
            time.sleep(0.01)

    def end(self, executor: str) -> None:  # noqa: ARG002  teardown has the arguments of the target
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=120)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working directory that holds a prepared dataset and nothing else."""
    workdir = tmp_path_factory.mktemp("prepared")
    subprocess.run(
        [*GPBENCH, "datasets", "prepare", DATASET, "--workdir", str(workdir)],
        check=True,
        capture_output=True,
    )
    return workdir


@pytest.mark.benchmark(group=FIRST_STAGE)
@pytest.mark.parametrize("executor", ["inline", "ray"])
def bench_first_stage(
    benchmark: BenchmarkFixture, prepared: Path, tmp_path: Path, executor: str
) -> None:
    command = CommandLine(prepared, tmp_path / "work")
    benchmark.pedantic(  # type: ignore[no-untyped-call]  # the library has no types
        command.to_first_stage,
        (executor,),
        setup=command.fresh,
        teardown=command.end,
        rounds=5,
    )
