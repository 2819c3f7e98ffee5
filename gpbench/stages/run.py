"""Running one stage in whatever process: from a request to outcome.json in the stage's folder.

One of the two places that may catch any exception: a plugin can raise anything, and one failed
stage must not take the others down.
"""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import replace
from pathlib import Path

import torch

from gpbench.core.errors import (
    DivergedError,
    GpbenchError,
    OutOfMemoryError,
    StageError,
    StageInterruptedError,
)
from gpbench.core.stage import (
    BACKBONE_FILE,
    FinetuneSpec,
    Outcome,
    StageRequest,
    utc_now,
)
from gpbench.engine.device import environment, pick_device
from gpbench.engine.monitor import Monitor
from gpbench.stages import artefacts
from gpbench.stages.finetune import finetune
from gpbench.stages.inputs import at_hand
from gpbench.stages.place import Place, WorkdirPlace
from gpbench.stages.pretrain import pretrain
from gpbench.stages.reach import DISK_FULL, unwritable, writing
from gpbench.stages.stored import StoredPlace

log = logging.getLogger(__name__)


def run_stage(request: StageRequest, monitor: Monitor) -> Outcome:
    """Run a stage, leave its outcome where the driver reads it, and return it.

    Raises:
        StageInterruptedError: If the stage was told to stop; it left a checkpoint and no outcome.
        OutOfReachError: If it could leave nothing: its folder cannot be written from this node, or
            another process works there.
    """
    place = _place(request, monitor)
    with place.entered():
        outcome = _attempted(request, place)
        place.leave(outcome)
    return outcome


def _place(request: StageRequest, monitor: Monitor) -> Place:
    if request.storage is None:
        return WorkdirPlace(request, monitor)
    return StoredPlace(request, request.storage, monitor)


def _attempted(request: StageRequest, place: Place) -> Outcome:
    begun = time.monotonic()
    outcome = Outcome(
        key=request.spec.key,
        status="ok",
        started_at=utc_now(),
        duration_s=0.0,
    )
    try:
        readable = at_hand(replace(request, folder=str(place.folder)), place.monitor)
        outcome = _ended_well(readable, place.monitor, outcome)
    except StageInterruptedError:
        raise
    except Exception as error:  # noqa: BLE001  a plugin may raise anything; the traceback is kept
        outcome = _ended_badly(place.folder, outcome, error)
    return replace(outcome, duration_s=round(time.monotonic() - begun, 3))


def _ended_well(request: StageRequest, monitor: Monitor, outcome: Outcome) -> Outcome:
    folder = Path(request.folder)
    machine = environment(pick_device(request.execution.device))
    if not isinstance(request.spec, FinetuneSpec):
        left = pretrain(request, monitor)
        return replace(
            outcome,
            history=left.history,
            artefacts=(artefacts.artefact(folder, BACKBONE_FILE),),
            environment={**machine, **left.facts},
        )
    done = finetune(request, monitor)
    names = [artefacts.CONFUSION, artefacts.EXAMPLES]
    if request.keep_weights:
        names.append(artefacts.SEGMENTOR)
    else:
        (folder / artefacts.SEGMENTOR).unlink()
    return replace(
        outcome,
        history=done.history,
        artefacts=tuple(artefacts.artefact(folder, name) for name in names),
        scores=done.scores,
        images=done.images,
        environment=machine,
    )


def _ended_badly(folder: Path, outcome: Outcome, error: Exception) -> Outcome:
    with writing(folder):
        trace = "".join(traceback.format_exception(error))
        (folder / artefacts.LOG).write_text(trace, encoding="utf-8", errors="backslashreplace")
    if isinstance(error, torch.OutOfMemoryError):
        error = OutOfMemoryError(f"the device's memory did not suffice: {error}")
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        error = unwritable(folder, error)
    status = error.status if isinstance(error, StageError) else "invalid"
    said = str(error) if isinstance(error, GpbenchError) else f"{type(error).__name__}: {error}"
    log.info("stage %s failed: %s", outcome.key, said)
    return replace(
        outcome,
        status=status,
        error=said.encode("utf-8", "backslashreplace").decode(),  # a file's name may be no UTF-8
        diverged_at=error.step if isinstance(error, DivergedError) else None,
    )
