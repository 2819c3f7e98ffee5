"""Runs through Ray as real processes: killed, interrupted and misused, they end with the same bits.

Stages are held where a test wants them by strategies of its own, so that nothing hangs on timing.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Said
from tests.cli.test_run import counts_of
from tests.execution.runs import SMALL, Process, Run, Whom, opened, ran_well, states_of, wait_until
from tests.plugins import install

pytestmark = pytest.mark.slow

INLINE = ("--executor", "inline", "-j", "2")
RAY = ("--executor", "ray")
JSON = ("--format", "json")

GRID = (
    *SMALL,
    *("-d", "demo-isaid", "--pretrain-seeds", "2"),
    *("--set", "pretrain.steps=40", "--set", "finetune.steps=25"),
    *("--set", "execution.checkpoint_seconds=0"),
)
"""Two pre-trainings and two fine-tunings of an arm that pre-trains."""

HELD, NOTES = "GPBENCH_TEST_HELD", "GPBENCH_TEST_NOTES"
HELD_AT, STEPS = 10, 40

PATIENT = f'''"""Pre-training as `imagenet`'s that waits for as long as a file is there."""
import os
import time
from pathlib import Path

from gpbench.api import Phase
from gpbench.parts.classification import Classification
from gpbench_strategies.imagenet import ImageNet


def note(text):
    with Path(os.environ["{NOTES}"]).open("a") as notes:
        notes.write(f"{{text}} {{os.getpid()}}\\n")


class Waiting(Classification):
    views_made = 0

    def views(self, batch, draws):
        self.views_made += 1
        if self.views_made == {HELD_AT}:
            note("held")
            while Path(os.environ["{HELD}"]).exists():
                time.sleep(0.05)
        if self.views_made == {STEPS}:
            note("from its start")
        return super().views(batch, draws)


class Patient(ImageNet):
    def phases(self, params):
        return [Phase("supervised", source="labelled", task=Waiting)]


PLUGIN = Patient()
'''

MISBEHAVING = '''"""Pre-training as `imagenet`'s with a fault."""
import ctypes
import os
import time
from pathlib import Path

import numpy as np

from gpbench.api import Phase
from gpbench.parts.classification import Classification
from gpbench_strategies.imagenet import ImageNet

KEPT = []


def hangs():
    while True:
        time.sleep(1.0)


def grips():
    sum(range(10**13))  # in C: no other thread of the process runs meanwhile


def raises():
    raise RuntimeError("the plugin's own fault")


def crashes():
    ctypes.string_at(0)


def fills():
    import ray
    from ray.exceptions import OutOfDiskError

    try:
        for _ in range(1000):
            KEPT.append(ray.put(np.zeros(8 * 2**20, dtype=np.uint8)))
    except OutOfDiskError:
        note("full")


def diverges():
    pass


def note(text):
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(f"{text} {os.getpid()}\\n")


class Faulty(Classification):
    views_made = 0

    def views(self, batch, draws):
        self.views_made += 1
        if self.views_made == 2:
            note("FAULT")
            FAULT()
        return super().views(batch, draws)

    def loss(self, views):
        loss = super().loss(views)["loss"]
        diverged = "FAULT" == "diverges" and self.views_made == 2
        return {"loss": loss * float("nan") if diverged else loss}


class Misbehaving(ImageNet):
    def phases(self, params):
        return [Phase("supervised", source="labelled", task=Faulty)]


PLUGIN = Misbehaving()
'''
FAILING = {
    "hangs": "timeout",
    "grips": "timeout",
    "raises": "invalid",
    "crashes": "preempted",
    "diverges": "diverged",
}
"""Faults that end a stage, and how it ended then."""
FAULTS_WITHOUT_RAY = tuple(FAILING)
FAULTS = (*FAILING, "fills")


class Patience:
    """The strategy `patient`: its pre-trainings wait at a step until they are let go."""

    def __init__(self, folder: Path) -> None:
        self._held, self._notes = folder / "held", folder / "notes"
        self._held.touch()
        self._notes.touch()
        self.environment = {
            "PYTHONPATH": str(folder),
            HELD: str(self._held),
            NOTES: str(self._notes),
        }

    @property
    def holding(self) -> list[int]:
        """Return the processes that came to wait, in that order."""
        return [int(pid) for pid in re.findall(r"held (\d+)", self._notes.read_text())]

    @property
    def from_start(self) -> int:
        """Return how many trainings took no checkpoint up."""
        return self._notes.read_text().count("from its start")

    def wait_for(self, number: int) -> None:
        wait_until(lambda: len(self.holding) >= number, f"{number} stages that wait")

    def let_go(self) -> None:
        self._held.unlink()


@pytest.fixture
def patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patience:
    folder = tmp_path / "plugins"
    install(folder, monkeypatch, "strategies", {"patient": PATIENT})
    return Patience(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """Return a working directory whose `scratch` and `imagenet` ran without Ray."""
    workdir = tmp_path_factory.mktemp("undisturbed")
    return workdir, ran_well(workdir, (*GRID, "-s", "scratch,imagenet", *INLINE, *JSON))


def weights_of(workdir: Path) -> dict[str, str]:
    """Return the hash of every weights file, by stage and name."""
    return {
        str(path.relative_to(workdir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in workdir.glob("stages/*/*.safetensors")
    }


def by_seed(workdir: Path, arm: str) -> dict[int | None, bytes]:
    """Return the counts of an arm's fine-tunings, by the seed of their pre-training."""
    counts = counts_of(workdir)
    with opened(workdir) as store:
        (name,) = store.experiments()
        return {
            result.pretrain_seed: counts[result.key]
            for result in store.results(name)
            if result.arm == arm and result.key is not None
        }


def failed_of(workdir: Path) -> dict[str, tuple[str, str]]:
    """Return arm -> status and error of the pre-trainings that failed."""
    query = (
        "select item.arm, stage.status, stage.error from stage "
        "join item on item.stage_key = stage.key where stage.state = 'failed'"
    )
    with closing(sqlite3.connect(workdir / "gpbench.sqlite")) as database:
        return {arm: (status, error) for arm, status, error in database.execute(query)}


def shapes(err: str) -> set[str]:
    """Return the kinds of lines that were printed: numbers do not matter."""
    return {re.sub(r"\d[\d.:]*", "#", line).strip() for line in err.splitlines()}


def test_grid_through_ray_equals_inline_to_the_bit_and_ray_is_not_heard(
    undisturbed: tuple[Path, Said], tmp_path: Path
) -> None:
    inline, said_inline = undisturbed
    elsewhere = {"RAY_ADDRESS": "127.0.0.1:9"}  # only --address names a cluster to join
    with Run(tmp_path, (*GRID, "-s", "scratch,imagenet", *RAY, *JSON), elsewhere) as run:
        driver, said = run.pid, run.ended()
        assert said.code == 0, said.err
        assert not run.left()
    assert said.document["executor"] == "ray"
    assert said.document["results"] == said_inline.document["results"]
    assert counts_of(tmp_path) == counts_of(inline)
    assert weights_of(tmp_path) == weights_of(inline)
    with opened(tmp_path) as store:
        keys = list(counts_of(tmp_path))
        pids = {facts["worker_pid"] for facts in store.environments(keys).values()}
    assert pids
    assert str(driver) not in pids
    assert shapes(said.err) - shapes(said_inline.err) == {"starting Ray"}


def test_killed_driver_takes_all_with_it_and_a_killed_worker_costs_nothing_done(
    undisturbed: tuple[Path, Said], patience: Patience, tmp_path: Path
) -> None:
    workdir, arguments = tmp_path / "work", (*GRID, "-s", "patient", *RAY)
    with Run(workdir, arguments, patience.environment) as run:
        patience.wait_for(2)
        Process(run.pid, "driver").kill()
        assert not run.left()
    with Run(workdir, arguments, patience.environment) as run:
        patience.wait_for(4)
        next(each for each in run.processes() if each.pid in patience.holding).kill()
        patience.wait_for(5)
        patience.let_go()
        said = run.ended()
        assert said.code == 0, said.err
        assert not run.left()
    assert by_seed(workdir, "patient") == by_seed(undisturbed[0], "imagenet")
    assert patience.from_start == 0
    assert states_of(workdir) == {"done": 4}


def interrupted(run: Run, patience: Patience) -> None:
    """Press Ctrl-C when two stages wait, and see that it was heard."""
    patience.wait_for(2)
    run.interrupt()
    wait_until(lambda: "stopping" in run.err, "the answer to Ctrl-C")


def check_continues(said: Said, run: Run, patience: Patience, undisturbed: Path) -> None:
    """Check that what a run said when it was interrupted continues it, to the undisturbed bits."""
    assert said.code == 130, said.err
    assert "Traceback" not in said.err
    assert not run.left()
    (continued,) = re.findall(r"Continue with: gpbench run (.*)", said.err)
    arguments = shlex.split(continued)
    assert arguments == [*run.arguments, "--workdir", str(run.workdir)]
    ran_well(run.workdir, arguments[:-2], run.environment)
    assert by_seed(run.workdir, "patient") == by_seed(undisturbed, "imagenet")
    assert patience.from_start == 0


def test_ctrl_c_checkpoints_and_what_it_prints_continues(
    undisturbed: tuple[Path, Said], patience: Patience, tmp_path: Path
) -> None:
    with Run(tmp_path / "work", (*GRID, "-s", "patient", *RAY), patience.environment) as run:
        interrupted(run, patience)
        patience.let_go()
        said = run.ended()
        assert states_of(run.workdir) == {"pending": 4}
        check_continues(said, run, patience, undisturbed[0])


def test_second_ctrl_c_ends_at_once_and_loses_nothing_written(
    undisturbed: tuple[Path, Said], patience: Patience, tmp_path: Path
) -> None:
    with Run(tmp_path / "work", (*GRID, "-s", "patient", *RAY), patience.environment) as run:
        interrupted(run, patience)
        run.interrupt()
        said = run.ended()
        assert "running" not in states_of(run.workdir)
        patience.let_go()
        check_continues(said, run, patience, undisturbed[0])


@pytest.mark.parametrize("whom", ["group", "all"])
def test_sigterm_to_more_than_the_driver_is_the_drivers_to_answer(
    whom: Whom, undisturbed: tuple[Path, Said], patience: Patience, tmp_path: Path
) -> None:
    with Run(tmp_path / "work", (*GRID, "-s", "patient", *RAY), patience.environment) as run:
        patience.wait_for(2)
        run.terminate(whom)
        wait_until(lambda: "stopping" in run.err, "the answer to SIGTERM")
        patience.let_go()
        said = run.ended()
        assert [line.split()[0] for line in said.err.splitlines()] == [
            "starting",
            "stopping:",
            "Interrupted:",
            "Continue",
        ]
        assert patience.from_start == 0
        check_continues(said, run, patience, undisturbed[0])


def test_sigterm_while_ray_starts_is_answered_too(tmp_path: Path) -> None:
    with Run(tmp_path, (*GRID, "-s", "imagenet", *RAY)) as run:
        wait_until(lambda: "starting Ray" in run.err, "the start of Ray")
        run.terminate("group")
        said = run.ended()
        assert said.code == 130, said.err
        assert not run.left()
    starting, stopped, continued = said.err.splitlines()
    assert (starting, stopped) == ("starting Ray", "stopped before any stage began")
    assert continued.startswith("Continue with: gpbench run")


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the environment of a run with one strategy per fault."""
    folder = tmp_path / "plugins"
    modules = {
        fault: MISBEHAVING.replace("FAULT", fault).replace('"NOTES"', f'"{NOTES}"')
        for fault in FAULTS
    }
    install(folder, monkeypatch, "strategies", modules)
    return {
        "PYTHONPATH": str(folder),
        NOTES: str(tmp_path / "notes"),
        "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": str(100 * 2**20),
        "RAY_local_fs_capacity_threshold": "0",  # else Ray goes on with files on the disk
    }


@pytest.mark.parametrize(
    ("executor", "faults"), [(RAY, FAULTS), (INLINE, FAULTS_WITHOUT_RAY)], ids=["ray", "processes"]
)
def test_misbehaving_strategies_take_nothing_else_down(
    executor: tuple[str, ...], faults: tuple[str, ...], faulty: dict[str, str], tmp_path: Path
) -> None:
    workdir, notes = tmp_path / "work", tmp_path / "notes"
    arms = ("scratch", "imagenet", *faults)
    arguments = (
        *SMALL,
        *("-s", ",".join(arms), "-d", "demo-isaid", "--pretrain-seeds", "1"),
        *("--set", "pretrain.steps=10", "--set", "finetune.steps=5"),
        *("--timeout", "40", "--max-retries", "1"),
    )
    with Run(workdir, (*arguments, *executor, *JSON), faulty) as run:
        said = run.ended()
        assert not run.left()
    assert said.code == 3, said.err
    results = {result["strategy"] for result in said.document["results"]}
    well = {"scratch", "imagenet", *faults} - FAILING.keys()
    assert results == well
    assert states_of(workdir) == {
        "done": 2 * len(well) - 1,  # `scratch` has no pre-training
        "failed": len(FAILING),
        "blocked": len(FAILING),
    }
    failed = failed_of(workdir)
    assert {arm: status for arm, (status, _) in failed.items()} == FAILING
    assert "the plugin's own fault" in failed["raises"][1]
    assert said.err.count("it did not get on for 40 s, the limit of --timeout") == 1  # of two
    assert all(int(seconds) >= 40 for seconds in re.findall(r"TIMEOUT .*\((\d+)\.", said.err))
    assert "Traceback" not in said.err
    tried = notes.read_text()
    assert {fault: len(re.findall(rf"{fault} \d+", tried)) for fault in faults} == {
        **dict.fromkeys(faults, 1),
        "crashes": 2,
    }
    assert ("full" in tried) == ("fills" in faults)
