"""Killed and interrupted runs: the same command again ends with the undisturbed bits."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.cli.conftest import TINY
from tests.cli.test_run import counts_of
from tests.execution.runs import Process, Run, ran_well, states_of, wait_until

ARGUMENTS = (
    *TINY[1:],
    *("-s", "scratch,imagenet", "-d", "demo-isaid", "--pretrain-seeds", "2", "-j", "2"),
    *("--set", "pretrain.steps=40", "--set", "finetune.steps=25"),
    *("--set", "execution.checkpoint_seconds=0.2"),
)
KILLS = 4


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    workdir = tmp_path_factory.mktemp("undisturbed")
    begun = time.monotonic()
    ran_well(workdir, ARGUMENTS)
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
        with Run(tmp_path, ARGUMENTS) as run:
            run.over_within(moments.uniform(0.1, 1.0) * duration_s)
    ran_well(tmp_path, ARGUMENTS)
    assert counts_of(tmp_path) == counts
    assert states_of(tmp_path) == {"done": 6}


@pytest.mark.slow
def test_killed_driver_takes_its_workers_with_it(tmp_path: Path) -> None:
    with Run(tmp_path, ARGUMENTS) as run:
        _workers(run)
        Process(run.pid, "driver").kill()
        assert not run.left()


@pytest.mark.slow
def test_killed_worker_is_replaced_and_its_stage_continues(
    undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    counts, _ = undisturbed
    with Run(tmp_path, ARGUMENTS) as run:
        _workers(run)[0].kill()
        said = run.ended()
        assert said.code == 0, said.err
    assert counts_of(tmp_path) == counts


@pytest.mark.slow
def test_ctrl_c_checkpoints_says_how_to_continue_and_loses_nothing(
    undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    counts, _ = undisturbed
    with Run(tmp_path, ARGUMENTS) as run:
        wait_until(lambda: any(tmp_path.glob("stages/*/checkpoint.pt")), "a checkpoint")
        run.interrupt()
        said = run.ended()
        assert said.code == 130, said.err
        assert "Continue with: gpbench run" in said.err
        assert not run.left()
    ran_well(tmp_path, ARGUMENTS)
    assert counts_of(tmp_path) == counts


def _workers(run: Run) -> list[Process]:
    """Return the worker processes of a run once there are two."""
    wait_until(lambda: len(run.of_role("worker")) >= 2, "two workers")
    return run.of_role("worker")
