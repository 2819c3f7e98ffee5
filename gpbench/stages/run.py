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
    canonical_json,
    utc_now,
)
from gpbench.engine import checkpoint
from gpbench.engine.device import environment, pick_device
from gpbench.engine.monitor import Monitor
from gpbench.stages import artefacts
from gpbench.stages.finetune import finetune
from gpbench.stages.pretrain import pretrain

log = logging.getLogger(__name__)


def run_stage(request: StageRequest, monitor: Monitor) -> Outcome:
    """Run a stage, leave its outcome in its folder, and return it.

    Raises:
        StageInterruptedError: If the stage was told to stop; it left a checkpoint and no outcome.
    """
    folder = Path(request.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (artefacts.OUTCOME, artefacts.LOG):  # of an earlier attempt
        (folder / name).unlink(missing_ok=True)
    artefacts.write_text(folder / artefacts.SPEC, canonical_json(request.spec) + "\n")
    begun = time.monotonic()
    outcome = Outcome(
        key=request.spec.key,
        status="ok",
        started_at=utc_now(),
        duration_s=0.0,
    )
    try:
        outcome = _ended_well(request, monitor, outcome)
    except StageInterruptedError:
        raise
    except Exception as error:  # noqa: BLE001  a plugin may raise anything; the traceback is kept
        outcome = _ended_badly(folder, outcome, error)
    outcome = replace(outcome, duration_s=round(time.monotonic() - begun, 3))
    artefacts.write_text(folder / artefacts.OUTCOME, outcome.to_json() + "\n")
    if outcome.status in ("ok", "diverged"):  # neither is continued
        checkpoint.remove(folder)
    return outcome


def _ended_well(request: StageRequest, monitor: Monitor, outcome: Outcome) -> Outcome:
    folder = Path(request.folder)
    machine = environment(pick_device(request.execution.device))
    if not isinstance(request.spec, FinetuneSpec):
        history = pretrain(request, monitor)
        kept = (artefacts.artefact(folder, BACKBONE_FILE),)
        return replace(outcome, history=history, artefacts=kept, environment=machine)
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
    (folder / artefacts.LOG).write_text("".join(traceback.format_exception(error)))
    if isinstance(error, torch.OutOfMemoryError):
        error = OutOfMemoryError(f"the device's memory did not suffice: {error}")
    status = error.status if isinstance(error, StageError) else "invalid"
    said = str(error) if isinstance(error, GpbenchError) else f"{type(error).__name__}: {error}"
    log.info("stage %s failed: %s", outcome.key, said)
    return replace(
        outcome,
        status=status,
        error=said,
        diverged_at=error.step if isinstance(error, DivergedError) else None,
    )
