"""One pre-training on several workers of a Ray cluster, each with a device of its own."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
import torch.distributed as dist
from ray.exceptions import RayActorError, RayError
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchConfig, TorchTrainer

from gpbench.core.errors import GpbenchError, StageError, StageInterruptedError
from gpbench.core.stage import Outcome, StageRequest
from gpbench.engine.distributed import Group
from gpbench.engine.monitor import Beat, Monitor, Silent
from gpbench.stages.inputs import at_hand
from gpbench.stages.pretrain import pretrained
from gpbench.stages.run import run_stage

ASK_S = 0.5
"""How often the workers are heard of, and how soon they see that they are to stop."""

_ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean the same in a worker
    "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # how soon it is seen that the workers ended
    "RAY_TRAIN_METRICS_ENABLED": "0",
}


class WorkerDiedError(StageError):
    """A worker of a pre-training ended without a word: nothing is known of the stage itself."""

    status = "preempted"


def run_distributed(
    request: StageRequest,
    monitor: Monitor,
    *,
    resources_per_worker: Mapping[str, float],
    use_gpu: bool,
) -> Outcome:
    """Run a pre-training on `execution.pretrain_workers` workers; return what `run_stage` returns.

    The first worker runs the stage, the others share its batches. The caller need hold nothing of
    the cluster. Neither processes nor files of Ray Train's are left behind.

    Raises:
        StageInterruptedError: If the stage was told to stop; it left a checkpoint and no outcome.
        WorkerDiedError: If a worker is gone; the last checkpoint is there.
    """
    if not use_gpu:  # a worker may see GPUs that others hold
        request = replace(request, execution=replace(request.execution, device="cpu"))
    os.environ.update(_ENVIRONMENT)
    relay: Any = ray.remote(num_cpus=0)(_Relay).remote()
    try:
        with tempfile.TemporaryDirectory(prefix="gpbench-train-") as folder:
            trainer = _trainer(request, relay, folder, dict(resources_per_worker), use_gpu=use_gpu)
            with ThreadPoolExecutor(1) as pool:
                left = _accompanied(pool.submit(trainer.fit), relay, monitor)
    finally:
        ray.kill(relay)
    if left.outcome is None:
        raise StageInterruptedError(left.stopped)
    return Outcome.from_json(left.outcome)


def _trainer(
    request: StageRequest, relay: Any, folder: str, resources: dict[str, float], *, use_gpu: bool
) -> Any:
    return TorchTrainer(
        _work,
        train_loop_config={"request": request.to_json(), "relay": relay},
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if use_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=request.execution.pretrain_workers,
            use_gpu=use_gpu,
            resources_per_worker=resources,
        ),
        run_config=RunConfig(
            name=request.spec.key[:12],
            storage_path=folder,
            failure_config=FailureConfig(max_failures=0),  # starting again is the driver's
        ),
    )


@dataclass
class _Left:
    """What the first worker left: an outcome, or where it was stopped; neither if it died."""

    outcome: str | None = None
    stopped: str | None = None


def _accompanied(training: Future[Any], relay: Any, monitor: Monitor) -> _Left:
    """Hand beats and the wish to stop over until the workers ended; return what they left."""
    failure: Exception | None = None
    try:
        while not training.done():
            _exchange(relay, monitor)
            wait([training], timeout=ASK_S)
        _exchange(relay, monitor)
        left: _Left = ray.get(relay.left.remote())
        training.result()
    except (TrainingFailedError, RayError) as error:
        failure = error
    if left.outcome is None and left.stopped is None:
        raise WorkerDiedError(_reason(failure)) from failure
    return left


def _exchange(relay: Any, monitor: Monitor) -> None:
    for beat in ray.get(relay.exchange.remote(monitor.stop_wanted())):
        monitor.beat(Beat(**json.loads(beat)))
