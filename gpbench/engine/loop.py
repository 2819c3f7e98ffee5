"""The training loop of every stage: order, budget, precision, checkpoints; knows no strategy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from gpbench.api import AfterStep, Draws
from gpbench.core.errors import ContractError, DivergedError, StageInterruptedError
from gpbench.core.recipe import Execution, Optimisation
from gpbench.core.stage import HistoryRow, Numerics
from gpbench.data.draws import HashDraws
from gpbench.data.loader import Loader
from gpbench.engine import checkpoint
from gpbench.engine.device import autocast
from gpbench.engine.monitor import Beat, Monitor
from gpbench.engine.optimiser import build_optimiser, build_schedule

HISTORY_ROWS = 100
"""Rows of the history of a whole training, at most."""


class Trainable(Protocol):
    """What the loop trains: an nn.Module that turns a batch into views and views into a loss."""

    net: nn.Module

    def views(self, batch: Any, draws: Draws) -> Any: ...

    def loss(self, views: Any) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Fetched:
    """A batch on the host, and how a part of it gets onto the device."""

    size: int
    part: Callable[[slice, torch.device], Any]
    """The samples of a slice as the task's batch."""


@dataclass(frozen=True)
class Training:
    """What is trained, on what, how long."""

    task: nn.Module
    """Also meets `Trainable`."""
    backbone: nn.Module
    """The timm model inside the task, for layer-wise rates."""
    fetch: Callable[[int], Fetched]
    """Step -> batch; a pure function, called in loader threads."""
    steps: int
    optim: Optimisation
    numerics: Numerics
    execution: Execution
    device: torch.device
    seed: int
    folder: Path


class Trainer:
    """One training from where its checkpoint left it to its last step."""

    def __init__(self, training: Training, monitor: Monitor) -> None:
        self.training, self.monitor = training, monitor
        self.module = training.task.to(training.device)
        if training.numerics.channels_last:
            self.module = self.module.to(memory_format=torch.channels_last)
        self.task: Any = self.module
        self.optimiser = build_optimiser(self.module, training.backbone, training.optim)
        self.schedule = build_schedule(self.optimiser, training.optim, training.steps)
        self.averaged = _averaged(self.task.net, training.optim)
        self.row_every = math.ceil(training.steps / HISTORY_ROWS)
        self.pending: list[Tensor] = []

    def run(self) -> list[HistoryRow]:
        """Train to the last step and return the history.

        Raises:
            DivergedError: If a loss was NaN or infinite, with the first such step.
            StageInterruptedError: If the monitor wanted a stop; a checkpoint was written.
        """
        training = self.training
        self.progress = checkpoint.restore(
            training.folder, self.module, self.optimiser, self.averaged, training.device
        )
        self.schedule.step_update(self.progress.step)
        self.module.train()
        steps = range(self.progress.step, training.steps)
        loader = Loader(training.fetch, steps, training.execution.loader_workers)
        with loader as batches:
            self._run(steps, iter(batches))
        if steps:
            self._save()  # what follows the training may be interrupted too
        return self.progress.history

    def exported(self) -> nn.Module:
        """Return the network that is handed on: the running average where the recipe has one."""
        net: nn.Module = self.averaged.module if self.averaged is not None else self.task.net
        return net

    def _run(self, steps: range, batches: Iterator[Fetched]) -> None:
        saved_at = beat_at = time.monotonic()
        images = 0
        for step, batch in zip(steps, batches, strict=True):
            self._step(step, batch)
            images += batch.size
            now = time.monotonic()
            if now - beat_at > 0.5 or step + 1 == self.training.steps:
                rate = images / max(now - beat_at, 1e-9)
                self._flush()
                self.monitor.beat(Beat("train", step + 1, self.training.steps, self._last, rate))
                beat_at, images = now, 0
            stop = self.monitor.stop_wanted()
            if stop or now - saved_at > self.training.execution.checkpoint_seconds:
                self._save()
                saved_at = time.monotonic()
            if stop:
                raise StageInterruptedError(f"stopped after step {step + 1}")

    def _step(self, step: int, batch: Fetched) -> None:
        training = self.training
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=training.device)
        for part in _parts(batch.size, training.execution.micro_batch):
            share = (part.stop - part.start) / batch.size
            draws = HashDraws(
                training.seed, step, np.arange(part.start, part.stop), training.device
            )
            views = self.task.views(batch.part(part, training.device), draws)
            with autocast(training.numerics, training.device):
                loss = _loss(self.task.loss(views), training.task) * share
            loss.backward()
            total += loss.detach()
        if training.optim.clip_grad is not None:
            nn.utils.clip_grad_norm_(self.module.parameters(), training.optim.clip_grad)
        self.optimiser.step()
        if isinstance(self.module, AfterStep):
            self.module.after_step(step)
        if self.averaged is not None:
            self.averaged.update(self.task.net)
        self.pending.append(total)
        self.rate = self.optimiser.param_groups[-1]["lr"]
        self.progress.step = step + 1
        self.schedule.step_update(step + 1)
        if (step + 1) % self.row_every == 0 or step + 1 == training.steps:
            self._flush()
            self._row()

    def _flush(self) -> None:
        """Take the losses off the device; the first that is not finite ends the stage."""
        if not self.pending:
            return
        losses = torch.stack(self.pending).double().cpu().tolist()
        first = self.progress.step - len(losses)
        self.pending.clear()
        for offset, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise DivergedError(first + offset, loss)
        self.progress.losses += losses

    def _row(self) -> None:
        losses = self.progress.losses
        row = HistoryRow(self.progress.step, math.fsum(losses) / len(losses), self.rate)
        self.progress.history.append(row)
        self.progress.losses = []

    @property
    def _last(self) -> float | None:
        if self.progress.losses:
            return self.progress.losses[-1]
        return self.progress.history[-1].loss if self.progress.history else None

    def _save(self) -> None:
        self._flush()
        checkpoint.save(
            self.training.folder,
            self.progress,
            self.module,
            self.optimiser,
            self.averaged,
            self.training.device,
        )


def _averaged(net: Any, optim: Optimisation) -> Any:
    if optim.ema_decay is None:
        return None
    return ModelEmaV3(net, decay=optim.ema_decay)


def _parts(size: int, micro_batch: int | None) -> Iterator[slice]:
    width = micro_batch or size
    for start in range(0, size, width):
        yield slice(start, min(start + width, size))


def _loss(losses: dict[str, Tensor], task: object) -> Tensor:
    if "loss" not in losses:
        raise ContractError(type(task).__name__, "loss(views) returns a dict with the key 'loss'")
    return losses["loss"].float()
