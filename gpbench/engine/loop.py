"""The training loop of every stage: order, budget, precision, checkpoints; knows no strategy."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from gpbench.api import AfterStep
from gpbench.core.errors import DivergedError, StageInterruptedError
from gpbench.core.recipe import Optimisation
from gpbench.core.stage import HistoryRow
from gpbench.data.loader import Loader
from gpbench.engine import checkpoint
from gpbench.engine.device import generators, memory_bytes
from gpbench.engine.gradients import Gradients
from gpbench.engine.monitor import Beat, Monitor
from gpbench.engine.optimiser import build_optimiser, build_schedule
from gpbench.engine.training import Fetched, Trainable, Training

__all__ = ["Fetched", "Trainable", "Trainer", "Training"]

HISTORY_ROWS = 100
"""Rows of the history of a whole training, at most."""


class Trainer:
    """One training from where its checkpoint left it to its last step."""

    def __init__(self, training: Training, monitor: Monitor) -> None:
        self.training, self.monitor, self.group = training, monitor, training.group
        self.group.share(training.task)
        self.module = training.task.to(training.device)
        if training.numerics.channels_last:
            self.module = self.module.to(memory_format=torch.channels_last)
        self.task: Any = self.module
        optimiser = build_optimiser(self.module, training.backbone, training.optim)
        self.schedule = build_schedule(optimiser, training.optim, training.steps)
        self.averaged = _averaged(self.task.net, training.optim)
        self.state = checkpoint.Trained(self.module, optimiser, self.averaged, training.device)
        self.gradients = Gradients(training)
        self.row_every = math.ceil(training.steps / HISTORY_ROWS)
        self.pending: list[Tensor] = []

    def run(self) -> list[HistoryRow]:
        """Train to the last step and return the history.

        Raises:
            DivergedError: If a loss was NaN or infinite, with the first such step.
            OutOfMemoryError: If the device's memory did not suffice, whatever was tried.
            StageInterruptedError: If the monitor wanted a stop; a checkpoint was written.
        """
        training = self.training
        if training.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(training.device)
        self._restore()
        self.schedule.step_update(self.progress.step)
        self.module.train()
        steps = range(self.progress.step, training.steps)
        loader = Loader(training.fetch, steps, training.execution.loader_workers)
        with loader as batches:
            self._run(steps, iter(batches))
        if steps:
            self._save()  # what follows the training may be interrupted too
        return self.progress.history

    @property
    def micro_batch(self) -> int | None:
        """Samples per forward pass as it came to be; None: all that a process has of a batch."""
        return self.gradients.micro_batch

    def exported(self) -> nn.Module:
        """Return the network that is handed on: the running average where the recipe has one."""
        net: nn.Module = self.averaged.module if self.averaged is not None else self.task.net
        return net

    def _run(self, steps: range, batches: Iterator[Fetched]) -> None:
        saved_at = beat_at = time.monotonic()
        images = 0
        for step in steps:
            with self.group.together():
                batch = next(batches)
            self._step(step, batch)
            images += batch.size * self.group.world
            now = time.monotonic()
            beat, save, stop = self.group.decided(
                now - beat_at > 0.5 or step + 1 == self.training.steps,
                now - saved_at > self.training.execution.checkpoint_seconds,
                self.monitor.stop_wanted(),
            )
            if beat:
                self._beat(images / max(now - beat_at, 1e-9))
                beat_at, images = now, 0
            if stop or save:
                self._save()
                saved_at = time.monotonic()
            if stop:
                raise StageInterruptedError(f"stopped after step {step + 1}")

    def _beat(self, images_per_s: float) -> None:
        self._flush()
        if not self.group.leads:
            return
        steps, memory = self.training.steps, memory_bytes(self.training.device)
        self.monitor.beat(
            Beat("train", self.progress.step, steps, self._last, images_per_s, memory)
        )

    def _step(self, step: int, batch: Fetched) -> None:
        training, optimiser = self.training, self.state.optimiser
        loss = self.gradients.of_batch(step, batch)
        with self.group.together():
            if training.optim.clip_grad is not None:
                nn.utils.clip_grad_norm_(self.module.parameters(), training.optim.clip_grad)
            optimiser.step()
            if isinstance(self.module, AfterStep):
                self.module.after_step(step)
            if self.averaged is not None:
                self.averaged.update(self.task.net)
        self.pending.append(loss)
        self.rate = optimiser.param_groups[-1]["lr"]
        self.progress.step = step + 1
        self.schedule.step_update(step + 1)
        if (step + 1) % self.row_every == 0 or step + 1 == training.steps:
            self._flush()
            self._row()

    def _flush(self) -> None:
        """Take the losses off the device; the first that is not finite ends the stage."""
        if not self.pending:
            return
        with self.group.together():
            on_host = torch.stack(self.pending).double().cpu()
        losses = self.group.mean(on_host).tolist()
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

    def _restore(self) -> None:
        """Continue from the first process's checkpoint, in parts no larger than it trained on."""
        folder, group = self.training.folder, self.group
        content = group.broadcast(checkpoint.read(folder) if group.leads else None)
        self.progress = checkpoint.restore(content, self.state, group.rank)
        widths = [self.progress.micro_batch, self.gradients.micro_batch]
        self.gradients.micro_batch = min((x for x in widths if x is not None), default=None)

    def _save(self) -> None:
        self._flush()
        states = self.group.gather(generators(self.training.device))
        if self.group.leads:
            self.progress.micro_batch = self.gradients.micro_batch
            checkpoint.save(self.training.folder, self.progress, self.state, states)
            self.monitor.saved(self.training.folder)


def _averaged(net: Any, optim: Optimisation) -> Any:
    if optim.ema_decay is None:
        return None
    return ModelEmaV3(net, decay=optim.ema_decay)
