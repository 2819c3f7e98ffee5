"""What a running stage tells its driver, and how the driver tells it to stop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Beat:
    """A sign of life of a stage."""

    activity: str
    """What is being done: "train", "score", ..."""
    step: int
    steps: int
    loss: float | None = None
    images_per_s: float | None = None
    memory_bytes: int | None = None
    """Device: the most that was ever allocated; CPU: what the process holds now."""


class Monitor(Protocol):
    """The driver's side of a running stage."""

    def beat(self, beat: Beat) -> None:
        """Take note of progress; called often, from the stage's own thread, and cheap."""
        ...

    def stop_wanted(self) -> bool:
        """Return whether the stage is to checkpoint and stop at the next step."""
        ...

    def saved(self, folder: Path) -> None:
        """Take note that a checkpoint was written in the stage's folder, whole."""
        ...


class Silent:
    """A monitor that hears nothing and never stops a stage."""

    def beat(self, beat: Beat) -> None:
        pass

    def stop_wanted(self) -> bool:
        return False

    def saved(self, folder: Path) -> None:
        pass
