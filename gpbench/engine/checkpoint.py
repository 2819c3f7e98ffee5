"""A half-trained stage on disk: written atomically, read back to the same bits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gpbench.core.stage import HistoryRow

NAME = "checkpoint.pt"


@dataclass
class Progress:
    """How far a training is: steps done, rows logged, losses since the last row."""

    step: int
    history: list[HistoryRow]
    losses: list[float]


def save(
    folder: Path,
    progress: Progress,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    averaged: nn.Module | None,
    device: torch.device,
) -> None:
    """Write the checkpoint of a stage; a reader sees the old one or the new one, whole."""
    state = {
        "step": progress.step,
        "history": [asdict(row) for row in progress.history],
        "losses": progress.losses,
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "averaged": averaged.state_dict() if averaged is not None else None,
        "cpu_rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }
    partial = folder / f"{NAME}.partial"
    torch.save(state, partial)
    partial.replace(folder / NAME)


def restore(
    folder: Path,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    averaged: nn.Module | None,
    device: torch.device,
) -> Progress:
    """Return how far the stage in `folder` is, its state loaded; step 0 without a checkpoint."""
    path = folder / NAME
    if not path.exists():
        return Progress(0, [], [])
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    if averaged is not None:
        averaged.load_state_dict(state["averaged"])
    torch.set_rng_state(state["cpu_rng"])
    if device.type == "cuda" and state["cuda_rng"] is not None:
        torch.cuda.set_rng_state(state["cuda_rng"], device)
    history = [HistoryRow(**row) for row in state["history"]]
    return Progress(state["step"], history, state["losses"])


def remove(folder: Path) -> None:
    """Remove the checkpoint of a stage that ended, and what an interrupted write left."""
    for name in (NAME, f"{NAME}.partial"):
        (folder / name).unlink(missing_ok=True)
