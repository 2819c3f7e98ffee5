"""The promise of a grid that is killed again and again: the undisturbed scores, each stage once."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.test_run import counts_of
from tests.execution.runs import SMALL, Process, Role, Run, ran_well, states_of, wait_until

GRID = (
    *SMALL,
    *("-s", "scratch,imagenet,generalised", "--pretrain-seeds", "4"),
    *("-d", "demo-isaid,demo-mfnet,demo-potsdam,demo-pst900"),
    *("--set", "pretrain.steps=6", "--set", "pretrain.batch=8"),
    *("--set", "finetune.steps=6", "--set", "finetune.batch=4"),
    *("--set", "execution.checkpoint_seconds=0"),
)
STAGES = 64
KILLS = 4
RAY = ("--executor", "ray", "--max-retries", str(KILLS))
"""However often one stage is hit, it has not failed."""
EVERY_S = (0.5, 5.0)
VICTIMS: tuple[Role, ...] = ("worker", "worker", "driver", "raylet", "gcs_server", "agent", "other")


@pytest.mark.slow
def test_grid_whose_processes_are_killed_at_random_ends_with_the_undisturbed_scores(
    tmp_path: Path,
) -> None:
    seed = random.randrange(2**32)
    print(f"seed of the kills: {seed}")  # noqa: T201  pytest shows it where the test fails
    draws = random.Random(seed)
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    kills = 0
    while kills < KILLS and not _is_done(disturbed):
        with Run(disturbed, (*GRID, *RAY)) as run:
            kills += _killed_at_random(run, draws, KILLS - kills)
            said = run.ended()  # after its last kill by itself, if its driver is still there
            print(f"{kills} kills, exit code {said.code}")  # noqa: T201  as above
            assert not run.left()
    ran_well(disturbed, (*GRID, *RAY))

    ran_well(undisturbed, (*GRID, "--executor", "inline", "-j", "2"))
    assert states_of(disturbed) == {"done": STAGES}
    assert counts_of(disturbed) == counts_of(undisturbed)
    assert _scored_stages(disturbed) == _scored_stages(undisturbed)


def _killed_at_random(run: Run, draws: random.Random, most: int) -> int:
    """Kill processes of a run that has got on by a stage, until it is over; return how many."""
    done = _outcomes(run)
    wait_until(lambda: _outcomes(run) > done or run.over_within(0.0), "a stage that is done")
    kills = 0
    while kills < most and not run.over_within(draws.uniform(*EVERY_S)):
        _victim(run, draws).kill()
        kills += 1
    return kills


def _is_done(workdir: Path) -> bool:
    return (workdir / "gpbench.sqlite").exists() and states_of(workdir) == {"done": STAGES}


def _outcomes(run: Run) -> int:
    """Return how many stages have left an outcome."""
    return len(list(run.workdir.glob("stages/*/outcome.json")))


def _victim(run: Run, draws: random.Random) -> Process:
    """Return a process of a drawn role; the driver where there is none of that role."""
    role = draws.choice(VICTIMS)
    of_role = run.of_role(role)
    victim = draws.choice(of_role) if of_role else Process(run.pid, "driver")
    print(f"killed: {victim}")  # noqa: T201  as above
    return victim


def _scored_stages(workdir: Path) -> list[tuple[str, int]]:
    """Return each scored stage with the number of its scores: one, however often it was begun."""
    query = "select stage_key, count(*) from score group by stage_key order by stage_key"
    with closing(sqlite3.connect(workdir / "gpbench.sqlite")) as database:
        return database.execute(query).fetchall()
