"""`gpbench compare`: its bootstrap against scipy's, and the whole command on many stored results.

scipy's function resamples the same statistic, written for whole arrays and on the same sums by
image, with the batch that suits it best; matrix products have one thread.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, run
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import stats
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # the library has no types

from benchmarks.made_store import ARMS, DATASETS, LARGE, SMALL, Size, fill
from gpbench.stats.bootstrap import (
    DRAWS,
    ClusterSums,
    cluster_sums,
    paired_bootstrap,
    resample,
)

IMAGES, CLASSES, BATCH, ROUNDS = 1_000, 16, 50, 5
LEAST_RATIO = 8
ALPHA = 0.05
MOST_S = {SMALL: 2, LARGE: 10}
WATCHED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
"""Runs a command from a small process: the peak of a child begins with the size of its parent."""
COMPARE = (sys.executable, "-m", "gpbench.cli.main", "compare", "--db")


@dataclass(frozen=True)
class Stored:
    """A database, and how much it holds."""

    size: Size
    path: Path


def two_arms() -> list[ClusterSums]:
    """Return the sums of two models that are right on 80 and on 78 % of the pixels."""
    rng = np.random.default_rng(0)
    true = rng.integers(100, 5_000, (IMAGES, CLASSES))
    found = []
    for right in (0.80, 0.78):
        chances = np.full((CLASSES, CLASSES), (1 - right) / (CLASSES - 1))
        np.fill_diagonal(chances, right)
        found.append(cluster_sums([rng.multinomial(true, chances)], [1]))
    return found


def ours(arms: list[ClusterSums]) -> float:
    """Return the standard error of the difference."""
    a, b = resample(arms, np.random.default_rng(1))
    return paired_bootstrap(a, b, ALPHA).se


def scipys(arms: list[ClusterSums]) -> float:
    """Return the same of `scipy.stats.bootstrap` over the numbers of the images."""
    a, b = arms
    sums = np.concatenate([a.part[:, 0], a.whole[:, 0], b.part[:, 0], b.whole[:, 0]], axis=1)

    def statistic(images: NDArray[np.int64], axis: int = -1) -> Any:
        drawn = sums[images].sum(axis=axis - 1)
        part, whole, other, others = np.split(drawn, 4, axis=-1)
        return 100 * (part / whole - other / others).mean(axis=-1)

    found = stats.bootstrap(
        (np.arange(IMAGES),),
        statistic,
        n_resamples=DRAWS,
        batch=BATCH,
        vectorized=True,
        method="percentile",
        rng=1,
    )
    return float(found.standard_error)


@pytest.mark.parametrize("name", ["gpbench", "scipy.stats.bootstrap"])
def bench_bootstrap(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark.group = f"{DRAWS:,} paired bootstrap replicates, {IMAGES} images x {CLASSES} classes"
    arms = two_arms()
    with threadpool_limits(1):
        found = benchmark.pedantic(  # type: ignore[no-untyped-call]  # the library has no types
            ours if name == "gpbench" else scipys, (arms,), rounds=ROUNDS, warmup_rounds=1
        )
    assert found == pytest.approx(0.0124, rel=0.03)


def bench_bootstrap_is_so_many_times_faster(benchmark: BenchmarkFixture) -> None:
    """Both in turn, and in one run."""
    benchmark.group = "fastest of so many rounds: scipy.stats.bootstrap over gpbench"
    arms, best = two_arms(), {ours: np.inf, scipys: np.inf}

    def both() -> None:
        for function, least in best.items():
            began = time.perf_counter()
            function(arms)
            best[function] = min(least, time.perf_counter() - began)

    with threadpool_limits(1):
        benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]  # the library has no types
    ratio = float(best[scipys] / best[ours])
    benchmark.extra_info["times faster"] = ratio
    assert ratio >= LEAST_RATIO


@pytest.fixture(scope="module", params=[SMALL, LARGE], ids=lambda size: f"{size.results:,}")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Return an experiment of so many results; 100,000 take a minute to make, and 0.6 GB."""
    size: Size = request.param
    path = tmp_path_factory.mktemp("stored") / "gpbench.sqlite"
    fill(path, size)
    return Stored(size, path)


def bench_compare(benchmark: BenchmarkFixture, database: Stored) -> None:
    """The command as a person types it, from the start of Python to the last line.

    What it may take is CPU time: on a machine with nothing else to do, that is all there is.
    """
    size = database.size
    benchmark.group = f"gpbench compare on stored results, {ARMS} arms x {DATASETS} datasets"
    peaks_mb: list[float] = []
    cpu_s: list[float] = []

    def command() -> None:
        told = run(
            (sys.executable, "-c", WATCHED, *COMPARE, f"sqlite:///{database.path}"),
            check=True,
            stdout=PIPE,
            text=True,
        ).stdout.split()
        cpu_s.append(float(told[0]))
        peaks_mb.append(float(told[1]) / 1e3)

    benchmark.pedantic(command, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]  # the library has no types
    benchmark.extra_info[f"MB for {size.results:,} results"] = max(peaks_mb)
    benchmark.extra_info[f"least CPU seconds for {size.results:,} results"] = min(cpu_s)
    assert min(cpu_s) <= MOST_S[size]
