"""A pre-training on two workers of a Ray cluster: the numbers of one, and no end left open."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from gpbench.core.errors import StageInterruptedError
from gpbench.core.recipe import Execution, Optimisation, PretrainRecipe
from gpbench.core.stage import Outcome, StageRequest
from gpbench.engine import checkpoint
from gpbench.engine.monitor import Beat, Silent
from gpbench.stages import artefacts
from gpbench.stages.run import run_stage
from tests.stages.test_pretrain import SPEC

pytestmark = [
    pytest.mark.slow,
    # Ray Data, which Ray Train imports, sets its own deprecated fields
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data"),
]
STEPS = 4
PATIENCE_S = 300
TOKEN = 1
"""Bytes of memory: all that the caller of the workers holds."""


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Return ray with a cluster of two processors."""
    from gpbench.execution.ray_cluster import ClusterOptions, Needs, cluster

    with cluster(ClusterOptions(jobs=2), Needs(1)):
        import ray

        yield ray


@pytest.fixture(scope="module")
def caller(ray: Any) -> Any:
    """Return an actor that holds a token alone, as Tune's does, and runs stages."""
    from ray.util.placement_group import placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    class Caller:
        def __init__(self) -> None:
            placement_group([{"memory": TOKEN}])  # stays when the actor is killed

        def run(self, text: str, monitor: Silent) -> tuple[Outcome | None, Silent]:
            try:
                return on_two(StageRequest.from_json(text), monitor), monitor
            except StageInterruptedError:
                return None, monitor

    group = placement_group([{"memory": TOKEN}])
    held = PlacementGroupSchedulingStrategy(group, placement_group_capture_child_tasks=True)
    options: Any = ray.remote(Caller).options(num_cpus=0, memory=TOKEN, scheduling_strategy=held)
    return options.remote()


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """End what hangs: who waits for the processes that train wakes when they are gone."""

    def end(*_: object) -> None:
        for pid in _training_processes():
            os.kill(pid, signal.SIGKILL)
        raise TimeoutError(f"a test took longer than {PATIENCE_S} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def taken(ray: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return what holds one of the two processors; Ray Train waits a second for it."""
    from ray.util.placement_group import placement_group, remove_placement_group

    from gpbench.execution import ray_ddp

    name = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
    assert name in ray_ddp._ENVIRONMENT
    monkeypatch.setitem(ray_ddp._ENVIRONMENT, name, "1")
    group = placement_group([{"CPU": 1}])
    ray.get(group.ready(), timeout=PATIENCE_S)
    yield group
    remove_placement_group(group)


class Stopping(Silent):
    """A monitor that wants a stop from the beginning."""

    def stop_wanted(self) -> bool:
        return True


class Bounded(Silent):
    """A monitor of a stage without an end: it stops it in time."""

    def __init__(self) -> None:
        self.deadline = time.monotonic() + PATIENCE_S / 2

    def stop_wanted(self) -> bool:
        return time.monotonic() > self.deadline


class Killing(Bounded):
    """A monitor that kills a worker at the first beat."""

    def beat(self, beat: Beat) -> None:
        if beat.step and (pids := workers()):
            os.kill(pids[-1], signal.SIGKILL)


class Terminating(Bounded):
    """A monitor that sends SIGTERM to all of Ray at the first step, and stops some steps later."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[int] = []
        self.told_at = self.step = 0

    def beat(self, beat: Beat) -> None:
        self.step = beat.step
        if beat.step and not self.told:
            self.told, self.told_at = workers(), beat.step
            for pid in _below(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)

    def stop_wanted(self) -> bool:
        return bool(self.told and self.step > self.told_at + 20) or super().stop_wanted()


class Noting(Silent):
    def __init__(self) -> None:
        self.beats = list[Beat]()

    def beat(self, beat: Beat) -> None:
        self.beats.append(beat)


def request(folder: Path, steps: int = STEPS, **execution: Any) -> StageRequest:
    recipe = PretrainRecipe(batch=8, crop_px=32, steps=steps, optim=Optimisation(warmup_steps=0))
    settings = Execution(device="cpu", loader_workers=0, **execution)
    stage = folder / "stages" / "0"
    return StageRequest(replace(SPEC, recipe=recipe), str(stage), None, {}, str(folder), settings)


def on_two(asked: StageRequest, monitor: Silent) -> Outcome:
    from gpbench.execution.ray_ddp import run_distributed

    return run_distributed(asked, monitor, resources_per_worker={"CPU": 1}, use_gpu=False)


def workers() -> list[int]:
    """Return the processes of our cluster that train."""
    return [pid for pid in _below(os.getpid()) if b"RayTrainWorker" in _read(pid, "cmdline")]


def _below(pid: int) -> list[int]:
    children = [
        int(text)
        for task in Path(f"/proc/{pid}/task").glob("*")
        for text in _read(pid, f"task/{task.name}/children").split()
    ]
    return children + [below for child in children for below in _below(child)]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def none_left() -> bool:
    return eventually(lambda: not _training_processes())


def _training_processes() -> list[int]:
    names = (b"RayTrainWorker", b"TrainController", b"PlacementGroupCleaner", b"ray::Relay")
    return [
        pid for pid in _below(os.getpid()) if any(name in _read(pid, "cmdline") for name in names)
    ]


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S / 3
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def train_folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("gpbench-train-*"))


def test_two_workers_stopped_and_resumed_see_one_workers_losses(
    ray: Any, caller: Any, tmp_path: Path
) -> None:
    alone = run_stage(request(folder_of(tmp_path, "alone")), Silent())
    shared = folder_of(tmp_path, "shared")
    asked, before = request(shared, pretrain_workers=2), train_folders()

    stopped, _ = ray.get(caller.run.remote(asked.to_json(), Stopping()), timeout=PATIENCE_S)
    assert stopped is None
    assert (Path(asked.folder) / checkpoint.NAME).exists()
    assert not (Path(asked.folder) / artefacts.OUTCOME).exists()

    run = caller.run.remote(asked.to_json(), Noting())
    outcome, monitor = ray.get(run, timeout=PATIENCE_S)
    assert outcome.status == "ok", outcome.error
    assert [row.loss for row in outcome.history] == pytest.approx(
        [row.loss for row in alone.history], rel=1e-5
    )
    assert outcome == Outcome.from_json((Path(asked.folder) / artefacts.OUTCOME).read_text())
    assert outcome.environment["pretrain_workers"] == "2"
    assert outcome.environment["micro_batch"] == "4"
    assert monitor.beats[-1].step == STEPS
    assert none_left()
    assert train_folders() == before


def folder_of(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def test_stage_waits_for_room_and_that_it_is_refused_is_an_outcome(
    taken: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ray.util.placement_group import remove_placement_group

    from gpbench.execution import ray_ddp

    tries, trained = list[Any](), ray_ddp._trained

    def noted(*arguments: Any, **settings: Any) -> Any:
        tries.append(trained(*arguments, **settings))
        remove_placement_group(taken)
        return tries[-1]

    monkeypatch.setattr(ray_ddp, "_trained", noted)
    asked = request(tmp_path, pretrain_workers=2)
    outcome = on_two(replace(asked, spec=replace(asked.spec, backbone="test_resnet")), Bounded())
    assert tries[0] is None
    assert outcome.status == "invalid"
    assert "execution.pretrain_workers = 2 is not allowed" in str(outcome.error)
    assert none_left()


@pytest.mark.usefixtures("taken")
def test_stop_is_heard_while_others_hold_the_room(tmp_path: Path) -> None:
    with pytest.raises(StageInterruptedError, match="stopped before its workers had room"):
        on_two(request(tmp_path, pretrain_workers=2), Stopping())
    assert none_left()


@pytest.mark.usefixtures("ray")
def test_killed_worker_is_named_and_its_stage_can_continue(tmp_path: Path) -> None:
    from gpbench.execution.ray_ddp import WorkerDiedError

    asked = request(tmp_path, steps=10**6, pretrain_workers=2, checkpoint_seconds=0.0)
    with pytest.raises(WorkerDiedError, match=r"worker [12] of 2 was killed"):
        on_two(asked, Killing())
    assert (Path(asked.folder) / checkpoint.NAME).exists()
    assert not (Path(asked.folder) / artefacts.OUTCOME).exists()
    assert none_left()


@pytest.mark.usefixtures("ray")
def test_sigterm_to_the_cluster_is_the_drivers_to_answer(tmp_path: Path) -> None:
    asked = request(tmp_path, steps=10**6, pretrain_workers=2)
    monitor = Terminating()
    with pytest.raises(StageInterruptedError):
        on_two(asked, monitor)
    assert len(monitor.told) == 2
    assert monitor.step > monitor.told_at + 20
    assert (Path(asked.folder) / checkpoint.NAME).exists()
    assert none_left()


def test_killed_caller_takes_its_workers_with_it(ray: Any, caller: Any, tmp_path: Path) -> None:
    from gpbench.execution.ray_orphans import remove_orphans

    asked = request(tmp_path, steps=10**6, pretrain_workers=2, checkpoint_seconds=0.0)
    running = caller.run.remote(asked.to_json(), Bounded())
    assert eventually((Path(asked.folder) / checkpoint.NAME).exists)
    assert remove_orphans() == 0  # nobody is dead
    ray.kill(caller)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(running, timeout=PATIENCE_S)
    assert none_left()
    assert eventually(lambda: remove_orphans() > 0)  # the caller's own, and mostly its workers'
    assert eventually(
        lambda: remove_orphans() >= 0 and ray.available_resources().get("CPU", 0) == 2
    )
    assert remove_orphans() == 0


# --- what needs no cluster ---


class Future(concurrent.futures.Future[Any]):
    """A training that failed."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.set_exception(failure)


class Gone:
    """The handle of a relay that died."""

    @property
    def exchange(self) -> Any:
        return self

    def remote(self, *_: object) -> Any:
        from ray.exceptions import RayActorError

        raise RayActorError


def test_workers_failure_is_told_where_the_relay_is_gone() -> None:
    from ray.train import WorkerGroupError

    from gpbench.execution import ray_ddp

    failed = Future(WorkerGroupError("", {1: RuntimeError("...\nValueError: too little")}))
    with pytest.raises(ray_ddp.WorkerDiedError, match=r"^worker 2 of 2: ValueError: too little$"):
        ray_ddp._accompanied(failed, Gone(), Silent(), 2)


def test_relay_that_is_gone_is_told_where_the_workers_do_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gpbench.execution import ray_ddp

    monkeypatch.setattr(ray_ddp, "END_S", 0.01)
    with pytest.raises(ray_ddp.WorkerDiedError, match=r"^its workers ended: "):
        ray_ddp._accompanied(concurrent.futures.Future(), Gone(), Silent(), 2)


def test_worker_with_other_versions_is_refused(tmp_path: Path) -> None:
    from ray.train import WorkerGroupError

    from gpbench.execution import ray_ddp
    from gpbench.execution.ray_cluster import OtherVersionsError, installed_versions

    asked = request(tmp_path, pretrain_workers=2)
    config = ray_ddp._trainer(asked, None, str(tmp_path), {"CPU": 1}, use_gpu=False)
    told = config.train_loop_config
    assert told["versions"] == installed_versions()
    told["versions"] = {**told["versions"], "torch": "0.1"}
    with pytest.raises(OtherVersionsError) as caught:
        ray_ddp._work(told)
    raised = "".join(traceback.format_exception(caught.value))
    failed = Future(WorkerGroupError("", {0: RuntimeError("lost"), 1: RuntimeError(raised)}))
    with pytest.raises(OtherVersionsError) as refused:
        ray_ddp._accompanied(failed, Gone(), Silent(), 2)
    assert str(refused.value) == str(caught.value)
    assert str(refused.value).endswith(f"has torch {version('torch')} instead of 0.1")


def test_failure_of_another_worker_is_the_firsts_to_tell_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpbench.execution import ray_ddp

    waited = list[float]()

    def failing(*_: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(ray_ddp, "pretrain", failing)
    monkeypatch.setattr(time, "sleep", waited.append)
    with pytest.raises(ArithmeticError):
        ray_ddp._followed(request(tmp_path), Silent())
    assert waited == [ray_ddp.LEADER_S]


def test_what_a_worker_starts_can_be_ended(tmp_path: Path) -> None:
    from gpbench.execution import ray_ddp
    from gpbench.execution.ray_cluster import OtherVersionsError

    asked = request(tmp_path, pretrain_workers=2)
    told = ray_ddp._trainer(asked, None, str(tmp_path), {"CPU": 1}, use_gpu=False).train_loop_config
    told["versions"] = {**told["versions"], "torch": "0.1"}  # it begins, and no more
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with pytest.raises(OtherVersionsError):
            ray_ddp._work(told)
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
