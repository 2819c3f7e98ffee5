"""A half-trained stage on disk: written atomically, read back to the same bits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gpbench.core.stage import HistoryRow
from gpbench.engine.device import Generators, set_generators

NAME = "checkpoint.pt"


@dataclass
class Progress:
    """How far a training is: steps done, rows logged, losses since the last row."""

    step: int
    history: list[HistoryRow]
    losses: list[float]
    micro_batch: int | None = None
    """Samples per forward pass, where memory did not suffice for what was asked for."""


@dataclass(frozen=True)
class Trained:
    """What holds the state of a training, beside its progress and the random generators."""

    module: nn.Module
    optimiser: torch.optim.Optimizer
    averaged: nn.Module | None
    device: torch.device


def save(
    folder: Path, progress: Progress, trained: Trained, generators: Sequence[Generators]
) -> None:
    """Write the checkpoint of a stage; a reader sees the old one or the new one, whole.

    `generators` is the state of each process that trains.
    """
    averaged = trained.averaged
    state = {
        "step": progress.step,
        "history": [asdict(row) for row in progress.history],
        "losses": progress.losses,
        "micro_batch": progress.micro_batch,
        "module": trained.module.state_dict(),
        "optimiser": trained.optimiser.state_dict(),
        "averaged": averaged.state_dict() if averaged is not None else None,
        "cpu_rng": generators[0][0],
        "cuda_rng": generators[0][1],
        "other_rngs": list(generators[1:]),
    }
    partial = folder / f"{NAME}.partial"
    torch.save(state, partial)
    partial.replace(folder / NAME)


def read(folder: Path) -> bytes | None:
    """Return the checkpoint that lies in a stage's folder, None if there is none."""
    path = folder / NAME
    return path.read_bytes() if path.exists() else None


def restore(content: bytes | None, trained: Trained, rank: int = 0) -> Progress:
    """Return how far a checkpoint is, its state loaded; step 0 without one.

    A process that was not there when it was written keeps its generators.
    """
    if content is None:
        return Progress(0, [], [])
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    trained.module.load_state_dict(state["module"])
    trained.optimiser.load_state_dict(state["optimiser"])
    if trained.averaged is not None:
        trained.averaged.load_state_dict(state["averaged"])
    generators = [(state["cpu_rng"], state["cuda_rng"]), *state.get("other_rngs", ())]
    if rank < len(generators):
        set_generators(generators[rank], trained.device)
    history = [HistoryRow(**row) for row in state["history"]]
    return Progress(state["step"], history, state["losses"], state.get("micro_batch"))


def remove(folder: Path) -> None:
    """Remove the checkpoint of a stage that ended, and what an interrupted write left."""
    for name in (NAME, f"{NAME}.partial"):
        (folder / name).unlink(missing_ok=True)
