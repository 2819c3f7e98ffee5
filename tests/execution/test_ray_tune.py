"""Stages on a real Ray of this machine: whatever happens to one, the others are run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ray._common.usage import usage_lib

from gpbench.core.stage import Outcome
from gpbench.execution.executor import Died, Ended, Event, Progressed, Started
from gpbench.execution.ray_cluster import ClusterOptions, Needs
from gpbench.execution.ray_tune import RayTune
from tests.execution.ray_stages import FakeWork, Stage, act, pids

pytestmark = pytest.mark.slow

FAULTY = [
    Stage("parent", "sleep 0.5", kind="pretrain"),
    Stage("child", needs=("parent",)),
    Stage("killed", "killed 1"),
    Stage("after-killed", needs=("killed",)),
    Stage("crashes", "crashes 3"),
    Stage("blocked", needs=("crashes",)),
    Stage("blocked-too", needs=("blocked",)),
    Stage("raises", "raises"),
    Stage("deaf", "deaf 1"),
    Stage("hangs", "hangs 1"),
    Stage("diverges", "end-as diverged"),
    Stage("invalid", "end-as invalid"),
    Stage("beats", "sleep 2.5"),
    Stage("last"),
]


def executor(jobs: int, workers: int = 1) -> RayTune:
    return RayTune(ClusterOptions(jobs=jobs), Needs(1, "cpu", workers), runner=act)


def running(pid: int) -> bool:
    """Return whether a process is there and not merely waiting to be counted by its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def ray_folders(parent: Path) -> list[str]:
    return [path.name for path in parent.iterdir() if path.name.startswith("gpbench-ray")]


@pytest.fixture(scope="module", autouse=True)
def short_folder() -> Iterator[Path]:
    """Let Ray's temporary folders lie where only this module's are; sockets need short paths."""
    folder = Path(tempfile.mkdtemp(prefix="gp-", dir="/tmp"))
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder)


@dataclass
class Inside:
    """What was seen of Ray while stages ran: its files' names, and what it says of usage."""

    files: set[str] = field(default_factory=set)
    usage_is_told: bool = True
    head_says: str = ""

    def look(self, parent: Path) -> None:
        (folder,) = (parent / name for name in ray_folders(parent))
        self.files |= {path.name for path in folder.rglob("*")}
        self.usage_is_told = usage_lib.usage_stats_enabled()
        self.head_says = (folder / "session_latest/logs/dashboard.log").read_text()


@pytest.fixture(scope="module")
def inside() -> Inside:
    return Inside()


@pytest.fixture(scope="module")
def faulty(
    tmp_path_factory: pytest.TempPathFactory, short_folder: Path, inside: Inside
) -> FakeWork:
    """Return the work of a run in which nearly everything that can happen happens."""
    work = FakeWork(FAULTY, tmp_path_factory.mktemp("stages"))
    work.hangs_after_s = 10.0  # a busy machine's healthy stages are not meant
    work.on_event = lambda _name, event: (
        inside.look(short_folder) if isinstance(event, Ended | Died) else None
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "1")
        with executor(jobs=2) as ray_tune:
            ray_tune.run(work)
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "1"  # as the user has it
    return work


def test_every_stage_ends_as_it_must(faulty: FakeWork) -> None:
    failed = {"crashes": "failed", "raises": "failed"}
    blocked = {"blocked": "blocked", "blocked-too": "blocked"}
    done = dict.fromkeys(faulty.stages, "done")
    assert faulty.state == done | failed | blocked


def test_a_child_begins_after_its_parent_ended(faulty: FakeWork) -> None:
    heard = [(name, type(event)) for name, event in faulty.events]
    assert heard.index(("parent", Ended)) < heard.index(("child", Started))


def test_a_killed_process_is_reported_and_its_stage_runs_again(faulty: FakeWork) -> None:
    first, second = pids(faulty, "killed")
    assert first != second
    (reason,) = faulty.reasons("killed")
    assert re.fullmatch(
        rf"its process crashed or was killed, perhaps for lack of memory \(pid {first} on \S+\)",
        reason,
    )


def test_a_crashing_plugin_takes_nothing_else_down(faulty: FakeWork) -> None:
    assert len(pids(faulty, "crashes")) == len(faulty.reasons("crashes")) == 3
    assert pids(faulty, "last")


def test_what_a_runner_raises_is_told_in_one_line(faulty: FakeWork) -> None:
    assert faulty.reasons("raises") == ["ValueError: too purple"] * 3


@pytest.mark.parametrize("name", ["hangs", "deaf"])
def test_a_hanging_process_is_ended(faulty: FakeWork, name: str) -> None:
    first, second = pids(faulty, name)
    assert first != second
    assert not running(first)
    assert faulty.reasons(name)[0].startswith("its process was ended")


def test_a_process_is_used_again_unless_its_stage_failed(faulty: FakeWork) -> None:
    (spent,) = pids(faulty, "invalid")
    attempts = {name: iter(pids(faulty, name)) for name in faulty.stages}
    ended = False
    before: list[int] = []
    after: list[int] = []
    for name, event in faulty.events:
        if isinstance(event, Started):
            (after if ended else before).append(next(attempts[name]))
        ended = ended or (name == "invalid" and isinstance(event, Ended))
    assert spent in before
    assert spent not in after
    assert len(set(before + after)) < len(before + after)


def test_a_running_stage_is_heard_of_as_it_gets_on(faulty: FakeWork) -> None:
    steps = [
        event.beat.step
        for name, event in faulty.events
        if name == "beats" and isinstance(event, Progressed)
    ]
    assert steps
    assert steps == sorted(set(steps))


def test_every_attempt_is_started_once_and_ends_once(faulty: FakeWork) -> None:
    for name in faulty.stages:
        kinds = [type(event) for who, event in faulty.events if who == name]
        assert [kind for kind in kinds if kind is not Progressed] == [
            kind
            for pair in zip(
                [Started] * len(pids(faulty, name)),
                [kind for kind in kinds if kind in (Ended, Died)],
                strict=True,
            )
            for kind in pair
        ]


def test_neither_processes_nor_folders_are_left(faulty: FakeWork, short_folder: Path) -> None:
    everyone = [pid for name in faulty.stages for pid in pids(faulty, name)]
    assert not [pid for pid in everyone if running(pid)]
    assert ray_folders(short_folder) == []
    assert "TUNE_DISABLE_SIGINT_HANDLER" not in os.environ


@pytest.mark.usefixtures("faulty")
def test_ray_tells_nobody_that_it_is_used(inside: Inside) -> None:
    assert not inside.usage_is_told
    assert "Usage reporting is disabled." in inside.head_says
    assert "usage_stats.json" not in inside.files


@pytest.mark.usefixtures("faulty")
def test_tune_logs_no_results_of_its_own(inside: Inside) -> None:
    assert "error.pkl" in inside.files  # what is looked at is where Tune writes
    assert not {"progress.csv", "result.json"} & inside.files
    assert not [name for name in inside.files if name.startswith("events.out.tfevents")]


def test_a_stop_lets_running_stages_stop_and_waiting_ones_never_begin(tmp_path: Path) -> None:
    work = FakeWork([Stage("runs", "sleep 60"), *(Stage(f"w{i}") for i in range(9))], tmp_path)

    def stop(name: str, event: Event) -> None:
        work.stop_wanted = work.stop_wanted or (name == "runs" and isinstance(event, Progressed))

    work.on_event = stop
    with executor(jobs=1) as ray_tune:
        ray_tune.run(work)
    assert work.state["runs"] == "stopped"
    assert set(work.state.values()) == {"stopped", "waiting"}
    assert work.said(Started) == ["runs"]
    assert len(list(tmp_path.glob("*/pid-*"))) == 1


def test_a_distributed_pretraining_and_single_stages_share_the_processors(tmp_path: Path) -> None:
    stages = [
        Stage("one", "sleep 1"),
        Stage("both", "workers 2 1", kind="pretrain"),
        Stage("two", "sleep 0.5"),
        Stage("again", "workers 2 0.5", needs=("two",), kind="pretrain"),
        Stage("three", needs=("again",)),
    ]
    work = FakeWork(stages, tmp_path)
    with executor(jobs=2, workers=2) as ray_tune:
        ray_tune.run(work)
    assert set(work.state.values()) == {"done"}
    assert work.said(Died) == []


def test_more_workers_than_jobs_find_room_and_no_more_stages_run_at_once(tmp_path: Path) -> None:
    stages = [Stage("both", "workers 2 0.5", kind="pretrain"), *(Stage(f"s{i}") for i in range(4))]
    work = FakeWork(stages, tmp_path)
    with executor(jobs=1, workers=2) as ray_tune:
        ray_tune.run(work)
    assert set(work.state.values()) == {"done"}
    told = [type(event) for _, event in work.events if not isinstance(event, Progressed)]
    assert told == [Started, Ended] * len(stages)


def test_what_the_driver_raises_ends_the_run(tmp_path: Path) -> None:
    work = FakeWork([Stage("a")], tmp_path)

    def full(_name: str, _event: Event) -> None:
        raise OSError("no space left for the database")

    work.on_event = full
    with (
        pytest.raises(OSError, match="no space left for the database"),
        executor(jobs=1) as ray_tune,
    ):
        ray_tune.run(work)


def test_a_stage_ignores_sigterm_and_what_it_starts_does_not(tmp_path: Path) -> None:
    work = FakeWork([Stage("a", "ends-others fork"), Stage("b", "ends-others spawn")], tmp_path)
    with executor(jobs=1) as ray_tune:
        ray_tune.run(work)
    assert work.said(Died) == []
    statuses = [
        Outcome.from_json((tmp_path / name / "outcome.json").read_text()).status for name in "ab"
    ]
    assert statuses == ["ok", "ok"]


DRIVER = """
import sys
from pathlib import Path
from gpbench.execution.ray_cluster import ClusterOptions, Needs
from gpbench.execution.ray_tune import RayTune
from tests.execution.ray_stages import FakeWork, Stage, act

folder, *actions = sys.argv[1:]
work = FakeWork([Stage(f"s{i}", action) for i, action in enumerate(actions)], Path(folder))
work.hangs_after_s = 3.0
with RayTune(ClusterOptions(jobs=2), Needs(1, "cpu"), runner=act) as executor:
    executor.run(work)
"""


def driver(folder: Path, *actions: str) -> subprocess.Popen[str]:
    """Start a process that runs stages of these actions in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(folder), *actions],
        env={**os.environ, "TMPDIR": tempfile.gettempdir(), "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def family(pid: int) -> list[int]:
    """Return the processes below a process, and those below them."""
    below: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            below += [int(path.parent.name), *family(int(path.parent.name))]
    return below


def test_nothing_of_ray_reaches_the_terminal(tmp_path: Path) -> None:
    process = driver(tmp_path, "killed 1", "raises", "hangs 1", "nothing", "crashes 3")
    out, err = process.communicate(timeout=150)
    assert (process.returncode, out, err) == (0, "", "")


def test_no_process_outlives_its_driver(tmp_path: Path) -> None:
    process = driver(tmp_path, "sleep 600", "deaf 9")
    try:
        assert eventually(lambda: len(list(tmp_path.glob("*/pid-*"))) == 2, 90)
        everyone = family(process.pid)
        stages = [int(path.read_text()) for path in tmp_path.glob("*/pid-*")]
        assert set(stages) <= set(everyone)
        process.kill()
        process.communicate(timeout=30)
        assert eventually(lambda: not any(map(running, everyone)))
        assert eventually(lambda: ray_folders(Path(tempfile.gettempdir())) == [])
    finally:
        process.kill()


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_the_end_of_ray_itself_is_told_at_once(tmp_path: Path, name: str) -> None:
    process = driver(tmp_path, "sleep 600")
    try:
        assert eventually(lambda: bool(list(tmp_path.glob("*/pid-*"))), 90)
        everyone = family(process.pid)
        (vital,) = [pid for pid in everyone if comm(pid) == name]
        os.kill(vital, signal.SIGKILL)
        out, err = process.communicate(timeout=45)
        said = f"Ray's {name} ended with code -9: the same command continues"
        assert (process.returncode, out, err.splitlines()[-1].partition(": ")[2]) == (1, "", said)
        assert not any(map(running, everyone))
    finally:
        process.kill()


def comm(pid: int) -> str:
    """Return a process's short name."""
    return Path(f"/proc/{pid}/comm").read_text().strip()
