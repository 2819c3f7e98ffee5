"""One pre-training on several workers of a Ray cluster, each with a device of its own."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import ray
import torch.distributed as dist
from ray.exceptions import RayActorError, RayError
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2._internal.execution.callback import WorkerGroupCallback

from gpbench.core.errors import StageError, StageInterruptedError
from gpbench.core.stage import Outcome, StageRequest
from gpbench.engine.distributed import Group, WorkerLostError
from gpbench.engine.monitor import Monitor
from gpbench.execution.ray_cluster import (
    OtherVersionsError,
    check_here,
    installed_versions,
)
from gpbench.execution.ray_relay import ASK_S, Left, Line, QuietLine, Relay
from gpbench.execution.signals import ignore_here
from gpbench.stages.inputs import at_hand
from gpbench.stages.pretrain import pretrain
from gpbench.stages.run import run_stage

PATIENCE_S = 24 * 3600
"""How long workers wait for one of them: it may be preparing a dataset.

That one is gone shows at once, and a stage that hangs is the driver's to end.
"""

ROOM_S = 10
"""How long Ray Train waits for the workers' room; a wish to stop is heard in between."""

LEADER_S = 30.0
"""How long the first worker has to leave an outcome before another one's failure ends it."""

END_S = 60.0
"""How long the workers have to end after the relay did: they see it at their next step."""

_ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean the same in a worker
    "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # how soon it is seen that the workers ended
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(ROOM_S),
}


class WorkerDiedError(StageError):
    """A worker of a pre-training ended without a word: nothing is known of the stage itself."""

    status = "preempted"


class _EndedBadlyError(Exception):
    """The stage ended other than well: raised by a worker, so that Ray Train ends them all."""


def run_distributed(
    request: StageRequest,
    monitor: Monitor,
    *,
    resources_per_worker: Mapping[str, float],
    use_gpu: bool,
) -> Outcome:
    """Run a pre-training on `execution.pretrain_workers` workers; return what `run_stage` returns.

    The first worker runs the stage, the others share its batches. The caller need hold nothing of
    the cluster. Neither processes nor files of Ray Train's are left behind. Where the caller's
    process is killed, its workers end too, and `remove_orphans` gives back what they held.

    Raises:
        StageInterruptedError: If the stage was told to stop; it left a checkpoint and no outcome.
        WorkerDiedError: If a worker is gone; the last checkpoint is there.
        OtherVersionsError: If a worker's machine has other versions than this one.
    """
    if not use_gpu:  # a worker may see GPUs that others hold
        request = replace(request, execution=replace(request.execution, device="cpu"))
    os.environ.update(_ENVIRONMENT)
    held = dict(resources_per_worker)
    while (left := _trained(request, monitor, held, use_gpu=use_gpu)) is None:
        if monitor.stop_wanted():
            raise StageInterruptedError("stopped before its workers had room")
    if left.outcome is None:
        raise StageInterruptedError(left.stopped)
    return left.outcome


def _trained(
    request: StageRequest, monitor: Monitor, resources: dict[str, float], *, use_gpu: bool
) -> Left | None:
    """Return what the first worker left; None if others hold what the workers need."""
    world = request.execution.pretrain_workers
    relay: Any = ray.remote(num_cpus=0)(Relay).remote()
    try:
        with tempfile.TemporaryDirectory(prefix="gpbench-train-") as folder:
            trainer = _trainer(request, relay, folder, resources, use_gpu=use_gpu)
            with ThreadPoolExecutor(1) as pool:
                return _accompanied(pool.submit(trainer.fit), relay, monitor, world)
    finally:
        ray.kill(relay)


def _trainer(
    request: StageRequest, relay: Any, folder: str, resources: dict[str, float], *, use_gpu: bool
) -> Any:
    return _Trainer(
        _work,
        train_loop_config={
            "request": request.to_json(),
            "relay": relay,
            "versions": installed_versions(),
        },
        torch_config=TorchConfig(
            backend="cpu:gloo,cuda:nccl" if use_gpu else "gloo",
            timeout_s=PATIENCE_S,
        ),
        scaling_config=ScalingConfig(
            num_workers=request.execution.pretrain_workers,
            use_gpu=use_gpu,
            resources_per_worker=resources,
        ),
        run_config=RunConfig(
            name=request.spec.key[:12],
            storage_path=folder,
            failure_config=FailureConfig(  # starting again is the driver's
                max_failures=0, controller_failure_limit=0, max_preemption_failures=0
            ),
        ),
    )


class _Trainer(TorchTrainer):  # type: ignore[misc]  # ray is untyped
    """Ray Train's trainer whose workers leave SIGTERM to the driver.

    And without its detached actor that gives back what a dead run held. That asks the first
    dashboard that it finds on the machine, which may be another cluster's; `remove_orphans` does
    its work.
    """

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()
        return [
            _DriversSignal(),
            *(each for each in callbacks if type(each).__name__ != "PlacementGroupCleanerCallback"),
        ]


class _DriversSignal(WorkerGroupCallback):  # type: ignore[misc]  # ray is untyped
    """Lets SIGTERM end no worker: batch systems send it to every process of a job."""

    def after_worker_group_start(self, worker_group: Any) -> None:
        worker_group.execute(ignore_here, signal.SIGTERM)  # in their main threads


def _accompanied(training: Future[Any], relay: Any, monitor: Monitor, world: int) -> Left | None:
    """Hand beats and the wish to stop over until the workers ended; return what they left.

    None if they could not begin, for others hold what they need.
    """
    left = Left()
    lost: Exception | None = None
    try:
        while not training.done():
            left = _exchange(relay, monitor)
            wait([training], timeout=ASK_S)
        left = _exchange(relay, monitor)
    except RayError as error:
        lost = error
    failure = _failure(training) or lost  # the workers know better why the relay is gone
    if left != Left():
        return left
    if _lacks_room(failure):
        return None
    _check_versions(failure)
    raise WorkerDiedError(_reason(failure, world)) from failure


def _failure(training: Future[Any]) -> Exception | None:
    """Return what a training failed with, None if it ended well or not within its time."""
    try:
        training.result(timeout=END_S)
    except TimeoutError:
        return None
    except (TrainingFailedError, RayError) as error:
        failure: Exception = error  # ray is untyped
        return failure
    return None


def _lacks_room(failure: Exception | None) -> bool:
    cause = getattr(failure, "controller_failure", None)
    return type(cause).__name__ == "WorkerGroupStartupTimeoutError"  # no public name


def _exchange(relay: Any, monitor: Monitor) -> Left:
    beats, left = ray.get(relay.exchange.remote(monitor.stop_wanted()))
    for beat in beats:
        monitor.beat(beat)
    result: Left = left
    return result


def _check_versions(error: Exception | None) -> None:
    """Raise again what a worker said whose machine has other versions."""
    for failure in getattr(error, "worker_failures", {}).values():
        kind, said = _raised(failure)
        if kind.endswith(OtherVersionsError.__name__):
            raise OtherVersionsError(said) from error


def _raised(failure: Exception) -> tuple[str, str]:
    """Return the name and the words of what a worker raised: the last line of a traceback."""
    kind, _, said = str(failure).strip().rpartition("\n")[2].partition(": ")
    return kind, said


def _reason(error: Exception | None, world: int) -> str:
    """Return in words which worker is gone, and why."""
    told = ""
    for rank, failure in sorted(getattr(error, "worker_failures", {}).items()):
        where = f"worker {rank + 1} of {world}"
        if isinstance(getattr(failure, "health_check_failure", None), RayActorError):
            return f"{where} was killed or crashed, or its machine is lost"
        kind, said = _raised(failure)
        if not told and not kind.endswith((WorkerLostError.__name__, _EndedBadlyError.__name__)):
            told = f"{where}: {kind}: {said}" if said else f"{where}: {kind}"
    return told or f"its workers ended: {str(error).partition(chr(10))[0]}"


def _work(config: dict[str, Any]) -> None:
    """Run the stage, or share its batches, as one of the workers."""
    # Ray's threads inherit that it is blocked; what a stage starts must be ended by it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    check_here(config["versions"])
    request, relay = StageRequest.from_json(config["request"]), config["relay"]
    if Group.current().leads:
        left = _led(request, Line(relay))
        ray.get(relay.leave.remote(left))
        if left.outcome is None or left.outcome.status != "ok":
            raise _EndedBadlyError  # not all see that the group is left: a GPU's wait does not
    else:
        _followed(request, QuietLine(relay))
    dist.destroy_process_group()  # who still waits for this worker sees that it left


def _led(request: StageRequest, monitor: Monitor) -> Left:
    try:
        return Left(outcome=run_stage(request, monitor))
    except WorkerLostError:
        raise
    except StageInterruptedError as error:
        return Left(stopped=str(error))


def _followed(request: StageRequest, monitor: Monitor) -> None:
    try:
        pretrain(at_hand(request, monitor), monitor)
    except StageInterruptedError:
        pass  # the first worker is, too, or is gone
    except Exception:
        time.sleep(LEADER_S)  # where the first worker hears of it, it says it better
        raise
