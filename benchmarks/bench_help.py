"""`gpbench --help` against the bare import of its command-line library: what a user waits for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

GROUP = "a fresh interpreter"


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.benchmark(group=GROUP)
def bench_import_typer(benchmark: BenchmarkFixture) -> None:
    benchmark(run, "-c", "import typer")


@pytest.mark.benchmark(group=GROUP)
def bench_gpbench_help(benchmark: BenchmarkFixture) -> None:
    benchmark(run, "-m", "gpbench.cli.main", "--help")


@pytest.mark.benchmark(group=GROUP)
def bench_gpbench_strategies_list(benchmark: BenchmarkFixture) -> None:
    benchmark(run, "-m", "gpbench.cli.main", "strategies", "list")
