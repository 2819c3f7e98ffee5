"""What runs stages: the Protocol that every executor meets, and the events it reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

from gpbench.core.stage import Outcome, StageRequest
from gpbench.engine.monitor import Beat


@dataclass(frozen=True)
class Progressed:
    """A running stage gave a sign of life."""

    key: str
    beat: Beat


@dataclass(frozen=True)
class Ended:
    """A stage left an outcome in its folder; None: it was stopped and left a checkpoint."""

    key: str
    outcome: Outcome | None


@dataclass(frozen=True)
class Died:
    """A stage's process ended without an outcome."""

    key: str
    reason: str


Event = Progressed | Ended | Died


class Executor(Protocol):
    """Runs stages somewhere. Used as a context manager; leaving it leaves no process behind."""

    @property
    def free(self) -> int:
        """Return how many more stages can be started now."""
        ...

    def start(self, request: StageRequest) -> None:
        """Take a stage on; returns at once."""
        ...

    def events(self) -> Iterable[Event]:
        """Yield what happened since the last call; block at most about a second for it."""
        ...

    def stop(self) -> None:
        """Ask all running stages to checkpoint and stop; their `Ended` still comes."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
