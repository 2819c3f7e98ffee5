"""Killed and interrupted runs: the same command again ends with the undisturbed bits."""

from __future__ import annotations

import multiprocessing
import os
import random
import shlex
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from gpbench.cli.interruption import before_stages, interruptible
from gpbench.cli.output import stderr
from tests.cli.conftest import TINY, Said
from tests.cli.test_run import counts_of
from tests.execution.ray_stages import sleeps
from tests.execution.runs import LONG_S, Process, Run, ran_well, states_of, wait_until
from tests.execution.worlds import World
from tests.plugins import install

ARGUMENTS = (
    *TINY[1:],
    *("-s", "scratch,imagenet", "-d", "demo-isaid", "--pretrain-seeds", "2", "-j", "2"),
    *("--set", "pretrain.steps=40", "--set", "finetune.steps=25"),
    *("--set", "execution.checkpoint_seconds=0.2"),
)
KILLS = 4

SLOW_TO_LOAD = """import time
from pathlib import Path

Path("{reached}").touch()
for _ in range(6000):
    try:
        time.sleep(0.1)
    except {swallowed}:
        pass
"""


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


@pytest.fixture
def slow_to_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return what installs a strategy whose import waits, and gives the file that says it does."""

    def make(swallowed: str) -> Path:
        reached = tmp_path / "reached"
        text = SLOW_TO_LOAD.format(reached=str(reached), swallowed=swallowed)
        install(tmp_path / "plugins", monkeypatch, "strategies", {"slow": text})
        return reached

    return make


def planning(tmp_path: Path) -> Run:
    """Return a run that comes to import the strategy `slow`."""
    arguments = (*TINY[1:], *("-s", "slow", "-d", "demo-isaid", "--force"))
    return Run(tmp_path / "work", arguments, {"PYTHONPATH": str(tmp_path / "plugins")})


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_before_any_stage_ends_the_run_and_says_how_to_go_on(
    number: int, slow_to_load: Callable[[str], Path], tmp_path: Path
) -> None:
    reached = slow_to_load("ValueError")
    with planning(tmp_path) as run:
        wait_until(reached.exists, "the import of the strategy")
        os.kill(run.pid, number)
        said = run.ended()
    command = shlex.join(["gpbench", "run", *run.arguments, "--workdir", str(run.workdir)])
    assert said == Said(130, "", f"stopped before any stage began\nContinue with: {command}\n")


@pytest.mark.slow
def test_second_ctrl_c_ends_a_run_that_kept_the_first_to_itself(
    slow_to_load: Callable[[str], Path], tmp_path: Path
) -> None:
    reached = slow_to_load("BaseException")
    with planning(tmp_path) as run:
        wait_until(reached.exists, "the import of the strategy")
        run.interrupt()
        wait_until(lambda: "stopped before any stage began" in run.err, "the answer to Ctrl-C")
        run.interrupt()
        assert run.ended() == Said(130, "", "stopped before any stage began\n")


def test_ctrl_c_that_a_library_keeps_to_itself_ends_the_run_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt), before_stages(), suppress(BaseException):
        signal.raise_signal(signal.SIGINT)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "stopped before any stage began"
    assert said[1].startswith("Continue with: gpbench")


@pytest.mark.parametrize("when", ["before", "during"])
def test_sigterm_to_a_forked_child_ends_it_and_is_not_the_runs(
    when: str, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    during = interruptible(world.driver(), stderr())
    handled: AbstractContextManager[None] = before_stages() if when == "before" else during
    forked = multiprocessing.get_context("fork")
    up = forked.Event()
    child = forked.Process(target=sleeps, args=(up,))
    with handled:
        child.start()
        assert up.wait(LONG_S)  # Python forgets signals that a child gets while it is forked
        child.terminate()
        child.join(LONG_S)
        code = child.exitcode
        child.kill()
    assert code == -signal.SIGTERM
    assert capfd.readouterr() == ("", "")


def _workers(run: Run) -> list[Process]:
    """Return the worker processes of a run once there are two."""
    wait_until(lambda: len(run.of_role("worker")) >= 2, "two workers")
    return run.of_role("worker")
