"""Killed and interrupted runs: the same command again ends with the undisturbed bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpbench.store import Store
from tests.cli.conftest import TINY
from tests.cli.test_run import counts_of

ARGUMENTS = (
    *TINY,
    *("-s", "scratch,imagenet", "-d", "demo-isaid", "--pretrain-seeds", "2", "-j", "2"),
    *("--set", "pretrain.steps=40", "--set", "finetune.steps=25"),
    *("--set", "execution.checkpoint_seconds=0.2"),
)
KILLS = 4


def started(workdir: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gpbench.cli.main", *ARGUMENTS, "--workdir", str(workdir)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def ended_well(workdir: Path) -> None:
    process = started(workdir)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    workdir = tmp_path_factory.mktemp("undisturbed")
    begun = time.monotonic()
    ended_well(workdir)
    return counts_of(workdir), time.monotonic() - begun


@pytest.mark.slow
def test_sigkill_at_random_moments_ends_with_the_same_bits(
    undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    counts, duration_s = undisturbed
    seed = random.randrange(2**32)
    print(f"seed of the kills: {seed}")  # noqa: T201  pytest shows it where the test fails
    moments = random.Random(seed)
    for _ in range(KILLS):
        process = started(tmp_path)
        try:
            process.communicate(timeout=moments.uniform(0.1, 1.0) * duration_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    ended_well(tmp_path)
    assert counts_of(tmp_path) == counts
    with Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}", read_only=True) as store:
        assert store.status().counts["done"] == 6
        assert store.status().counts["running"] == 0


@pytest.mark.slow
def test_killed_driver_takes_its_workers_with_it(tmp_path: Path) -> None:
    process = started(tmp_path)
    workers = _children_once(process.pid, 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 60
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in workers if _alive(pid)]


@pytest.mark.slow
def test_killed_worker_is_replaced_and_its_stage_continues(
    undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    counts, _ = undisturbed
    process = started(tmp_path)
    worker = _children_once(process.pid, 2)[0]
    os.kill(worker, signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert counts_of(tmp_path) == counts


@pytest.mark.slow
def test_ctrl_c_checkpoints_says_how_to_continue_and_loses_nothing(
    undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    counts, _ = undisturbed
    process = started(tmp_path)
    _children_once(process.pid, 2)
    time.sleep(2.0)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does: the whole group
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Continue with: gpbench run" in err
    ended_well(tmp_path)
    assert counts_of(tmp_path) == counts


def _children_once(pid: int, number: int) -> list[int]:
    """Return the worker processes of a driver once there are as many as asked for."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        workers = [int(text) for text in path.read_text().split() if _is_worker(int(text))]
        if len(workers) >= number:
            return workers
        time.sleep(0.1)
    raise AssertionError(f"process {pid} never had {number} workers")


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
