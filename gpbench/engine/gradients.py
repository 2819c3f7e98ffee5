"""The gradient of one batch: in parts as small as the device's memory asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpbench.core.errors import ContractError, OutOfMemoryError
from gpbench.data.draws import HashDraws
from gpbench.engine.device import autocast, generators, set_generators
from gpbench.engine.training import Fetched, Training


class Gradients:
    """Forward and backward passes of a training.

    `micro_batch` is how many samples go through the network at once; None: as many as there are.
    Where memory does not suffice and the batch may be cut, it is halved for good.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.task: Any = training.task
        self.parameters = list(training.task.parameters())
        self.micro_batch = training.execution.micro_batch

    def of_batch(self, step: int, batch: Fetched) -> Tensor:
        """Leave the whole batch's gradient in the parameters; return this process's loss, ().

        Raises:
            OutOfMemoryError: If not even one sample fits the device, or the batch may not be cut.
        """
        before = generators(self.training.device)
        while True:
            try:
                with self.training.group.together():
                    loss = self._accumulated(step, batch)
                self.training.group.average_gradients(self.parameters)
            except torch.OutOfMemoryError as error:
                self._halve(batch.size, error)
            else:
                return loss
            # not in the handler: the error's frames hold the tensors that are to be freed
            torch.cuda.empty_cache()
            set_generators(before, self.training.device)

    def _accumulated(self, step: int, batch: Fetched) -> Tensor:
        training = self.training
        training.task.zero_grad(set_to_none=True)
        total = torch.zeros((), device=training.device)
        for part in _parts(batch.size, self.micro_batch):
            share = (part.stop - part.start) / batch.size
            samples = np.arange(batch.first + part.start, batch.first + part.stop)
            draws = HashDraws(training.seed, step, samples, training.device)
            views = self.task.views(batch.part(part, training.device), draws)
            with autocast(training.numerics, training.device):
                loss = _loss(self.task.loss(views), training.task) * share
            loss.backward()
            total += loss.detach()
        return total

    def _halve(self, size: int, error: torch.OutOfMemoryError) -> None:
        width = min(self.micro_batch or size, size)
        if width == 1 or not self.training.may_cut:
            raise OutOfMemoryError(
                f"the device's memory did not suffice for {width} sample(s) at once: {error}"
            ) from error
        self.micro_batch = width // 2


def _parts(size: int, micro_batch: int | None) -> Iterator[slice]:
    width = micro_batch or size
    for start in range(0, size, width):
        yield slice(start, min(start + width, size))


def _loss(losses: dict[str, Tensor], task: object) -> Tensor:
    if "loss" not in losses:
        raise ContractError(type(task).__name__, "loss(views) returns a dict with the key 'loss'")
    return losses["loss"].float()
