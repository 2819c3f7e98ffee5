"""A pre-training on two workers of a Ray cluster: the numbers of one, and no end left open."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
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
TOKEN = 1
"""Bytes of memory: all that the caller of the workers holds."""


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Return ray with a cluster of two processors."""
    from gpbench.execution.ray_cluster import ClusterOptions, cluster

    with cluster(ClusterOptions(jobs=2), 1):
        import ray

        yield ray


class Stopping(Silent):
    """A monitor that wants a stop from the beginning."""

    def stop_wanted(self) -> bool:
        return True


class Killing(Silent):
    """A monitor that kills a worker at the first beat."""

    def beat(self, beat: Beat) -> None:
        if beat.step and (pids := workers()):
            os.kill(pids[-1], signal.SIGKILL)


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


def caller(ray: Any) -> Any:
    """Return an actor that holds a token alone, as Tune's does, and runs stages."""
    from ray.util.placement_group import placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    class Caller:
        def run(self, text: str, monitor: Silent) -> tuple[Outcome | None, Silent]:
            try:
                return on_two(StageRequest.from_json(text), monitor), monitor
            except StageInterruptedError:
                return None, monitor

    group = placement_group([{"memory": TOKEN}])
    held = PlacementGroupSchedulingStrategy(group, placement_group_capture_child_tasks=True)
    options: Any = ray.remote(Caller).options(num_cpus=0, memory=TOKEN, scheduling_strategy=held)
    return options.remote()


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
    deadline = time.monotonic() + 120
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def train_folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("gpbench-train-*"))


def test_two_workers_stopped_and_resumed_see_one_workers_losses(ray: Any, tmp_path: Path) -> None:
    alone = run_stage(request(folder_of(tmp_path, "alone")), Silent())
    shared = folder_of(tmp_path, "shared")
    asked, before = request(shared, pretrain_workers=2), train_folders()
    actor = caller(ray)

    stopped, _ = ray.get(actor.run.remote(asked.to_json(), Stopping()), timeout=300)
    assert stopped is None
    assert (Path(asked.folder) / checkpoint.NAME).exists()
    assert not (Path(asked.folder) / artefacts.OUTCOME).exists()

    outcome, monitor = ray.get(actor.run.remote(asked.to_json(), Noting()), timeout=300)
    assert outcome.status == "ok", outcome.error
    assert [row.loss for row in outcome.history] == pytest.approx(
        [row.loss for row in alone.history], rel=1e-5
    )
    assert outcome == Outcome.from_json((Path(asked.folder) / artefacts.OUTCOME).read_text())
    assert outcome.environment["pretrain_workers"] == "2"
    assert outcome.environment["micro_batch"] == "4"
    assert monitor.beats[-1].step == STEPS
    ray.kill(actor)
    assert none_left()
    assert train_folders() == before


def folder_of(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def test_stage_that_is_refused_is_an_outcome(ray: Any, tmp_path: Path) -> None:
    asked = request(tmp_path, pretrain_workers=2)
    normalised = replace(asked, spec=replace(asked.spec, backbone="test_resnet"))
    outcome, _ = ray.get(caller(ray).run.remote(normalised.to_json(), Silent()), timeout=300)
    assert outcome.status == "invalid"
    assert "execution.pretrain_workers = 2 is not allowed" in outcome.error


def test_killed_worker_is_named_and_its_stage_can_continue(ray: Any, tmp_path: Path) -> None:
    from gpbench.execution.ray_ddp import WorkerDiedError

    del ray
    asked = request(tmp_path, steps=10**6, pretrain_workers=2, checkpoint_seconds=0.0)
    with pytest.raises(WorkerDiedError, match=r"worker [12] of 2 was killed"):
        on_two(asked, Killing())
    assert (Path(asked.folder) / checkpoint.NAME).exists()
    assert not (Path(asked.folder) / artefacts.OUTCOME).exists()
    assert none_left()


def test_killed_caller_takes_its_workers_with_it(ray: Any, tmp_path: Path) -> None:
    from gpbench.execution.ray_orphans import remove_orphans

    asked = request(tmp_path, steps=10**6, pretrain_workers=2, checkpoint_seconds=0.0)
    actor = caller(ray)
    running = actor.run.remote(asked.to_json(), Silent())
    assert eventually((Path(asked.folder) / checkpoint.NAME).exists)
    assert remove_orphans() == 0  # nobody is dead
    ray.kill(actor)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(running)
    assert none_left()
    assert ray.available_resources().get("CPU", 0) == 0  # what Ray leaves: the reason to have it
    assert eventually(lambda: remove_orphans() == 1)
    assert eventually(lambda: ray.available_resources().get("CPU", 0) == 2)
    assert remove_orphans() == 0
