"""The process that runs stages for Ray Tune, one after the other."""

from __future__ import annotations

import gc
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ray import tune

from gpbench.core.errors import GpbenchError, StageInterruptedError
from gpbench.core.stage import CONCLUSIVE, Outcome, StageRequest
from gpbench.engine.monitor import Beat, Monitor
from gpbench.execution.executor import Ended, Runner
from gpbench.execution.ray_cluster import OtherVersionsError, check_here
from gpbench.execution.signals import ignore_here

REQUEST, KIND, DONE, BEAT, ENDED = "request", "kind", "done", "beat", "ended"
"""Fields of a trial's configuration and of what is reported of it."""

REPORT_S = 1.0
"""How often a running stage is heard of, and how soon the process sees that it is to stop."""


@dataclass(frozen=True)
class Terms:
    """What all workers of a run are told."""

    versions: Mapping[str, str]
    """The driver's."""
    gpus: float
    """Of a stage."""
    worker: Mapping[str, float] | None
    """What each worker of a distributed pre-training holds; None: pre-trainings are not."""
    runner: Runner | None
    """None: gpbench's own."""


class ProcessSpentError(Exception):
    """A stage ended in a way after which its process is not to be used again.

    What failed may have left it broken: after some CUDA errors every further call fails.
    """

    def __init__(self, sha256: str | None, reason: str) -> None:
        self.sha256, self.reason = sha256, reason
        super().__init__(sha256, reason)  # travels by pickle


@dataclass
class _Attempt:
    """One stage in this process: the thread's monitor, and what the actor reads of it."""

    request: StageRequest
    begun: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome | None = None
    error: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _beat: Beat | None = None

    def beat(self, beat: Beat) -> None:
        self._beat = beat

    def stop_wanted(self) -> bool:
        return self._stop.is_set()

    def saved(self, folder: Path) -> None:
        pass

    def stop(self) -> None:
        self._stop.set()

    def news(self) -> dict[str, Any] | None:
        """Return the last beat, once."""
        beat, self._beat = self._beat, None
        return asdict(beat) if beat else None


class StageWorker(tune.Trainable):  # type: ignore[misc]  # ray is untyped
    """Runs stages in a thread of its own, so that it can be talked to meanwhile."""

    def setup(self, config: dict[str, Any], terms: Terms) -> None:
        ignore_here(signal.SIGTERM)
        self._terms = terms
        self._attempts: queue.SimpleQueue[_Attempt] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()
        self.reset_config(config)
        gc.freeze()  # Ray's own objects: collecting between stages would look at them every time

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        request = StageRequest.from_json(new_config[REQUEST])
        if not self._terms.gpus:  # it may see GPUs that others hold
            request = replace(request, execution=replace(request.execution, device="cpu"))
        self._attempt = _Attempt(request)
        return True

    def stop_stage(self) -> None:
        """Let the stage checkpoint and stop, or not begin."""
        self._attempt.stop()

    def step(self) -> dict[str, Any]:
        attempt = self._attempt
        if not attempt.begun:
            check_here(self._terms.versions)
            if attempt.stop_wanted():
                return {DONE: True, ENDED: None}
            attempt.begun = True
            self._attempts.put(attempt)
        if not attempt.over.wait(REPORT_S):
            return {DONE: False, BEAT: attempt.news()}
        return {DONE: True, ENDED: _ended(attempt)}

    def _serve(self) -> None:
        """Run the stages that come; always in one thread: torch's settings are a thread's own."""
        while True:
            attempt = self._attempts.get()
            try:
                attempt.outcome = self._run(attempt.request, attempt)
            except BaseException as error:  # noqa: BLE001  reported; the actor itself goes on
                attempt.error = error
            _tidy()
            attempt.over.set()

    def _run(self, request: StageRequest, monitor: Monitor) -> Outcome:
        if self._terms.runner is not None:
            return self._terms.runner(request, monitor)
        if self._terms.worker is not None and request.spec.kind == "pretrain":
            from gpbench.execution.ray_ddp import run_distributed  # noqa: PLC0415  as below

            held = self._terms.worker
            return run_distributed(
                request, monitor, resources_per_worker=held, use_gpu="GPU" in held
            )
        from gpbench.stages.run import run_stage  # noqa: PLC0415  slow to load

        return run_stage(request, monitor)


def _ended(attempt: _Attempt) -> str | None:
    """Return the hash of a stage's outcome, None where it was stopped."""
    error, outcome = attempt.error, attempt.outcome
    if isinstance(error, StageInterruptedError):
        return None
    if isinstance(error, OtherVersionsError):  # the machine of one of its own workers
        raise error
    if outcome is None:
        said = str(error) if isinstance(error, GpbenchError) else f"{type(error).__name__}: {error}"
        raise ProcessSpentError(None, said)
    sha256 = Ended.well(outcome).sha256
    if outcome.status not in CONCLUSIVE:
        raise ProcessSpentError(sha256, "")
    return sha256


def _tidy() -> None:
    """Give back what a stage left in memory, for the next one and for others on the GPU."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
