"""What the training loop is given: a task, batches, and how long and how to train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gpbench.api import Draws
from gpbench.core.recipe import Execution, Optimisation
from gpbench.core.stage import Numerics
from gpbench.engine.distributed import Group


class Trainable(Protocol):
    """What the loop trains: an nn.Module that turns a batch into views and views into a loss."""

    net: nn.Module

    def views(self, batch: Any, draws: Draws) -> Any: ...

    def loss(self, views: Any) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Fetched:
    """This process's samples of a batch on the host, and how a part of them gets onto the device.

    Where several processes train together, each has as many.
    """

    size: int
    part: Callable[[slice, torch.device], Any]
    """The samples of a slice as the task's batch."""
    first: int = 0
    """Place of the first sample in the whole batch."""


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
    may_cut: bool = False
    """Whether a batch that does not fit the device may be cut into parts."""
    group: Group = field(default_factory=Group)
    """The processes that train together."""
