"""What runs stages: the Protocol that every executor meets, and what it and the driver say.

An executor asks the driver for the next stage whenever it has room for one, so that a loop that is
not ours (Ray Tune's) can be the loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol, Self

from gpbench.core.stage import Kind, Outcome, StageRequest
from gpbench.engine.monitor import Beat, Monitor

KINDS: frozenset[Kind] = frozenset({"pretrain", "finetune"})


@dataclass(frozen=True)
class Started:
    """A stage that was handed out begins to run; sent once per attempt."""

    key: str


@dataclass(frozen=True)
class Progressed:
    """A running stage gave a sign of life."""

    key: str
    beat: Beat


@dataclass(frozen=True)
class Ended:
    """A stage left its outcome; `sha256` of outcome.json; None: it was stopped at a checkpoint."""

    key: str
    sha256: str | None

    @classmethod
    def well(cls, outcome: Outcome) -> Ended:
        """Return what is said of a stage whose outcome was written."""
        return cls(outcome.key, hashlib.sha256(outcome.text().encode()).hexdigest())


@dataclass(frozen=True)
class Died:
    """A stage's process ended without an outcome."""

    key: str
    reason: str


Runner = Callable[[StageRequest, Monitor], Outcome]
"""What runs a stage in a worker: `gpbench.stages.run.run_stage`."""

Event = Started | Progressed | Ended | Died


class Work(Protocol):
    """The driver as an executor sees it."""

    @property
    def stop_wanted(self) -> bool:
        """Whether running stages are to checkpoint and stop; none is handed out any more."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing can start any more."""
        ...

    def next(self, kinds: Collection[Kind] = KINDS) -> StageRequest | None:
        """Return a stage of one of these kinds that is now the executor's; None: none is ready."""
        ...

    def take(self, event: Event) -> None:
        """Take note of what happened to a stage."""
        ...

    def tick(self) -> list[str]:
        """Keep claims alive; to be called every second or so.

        Returns the stages that hang: their processes are to be killed, and `Died` reported.
        """
        ...


class Executor(Protocol):
    """Runs stages somewhere. A context manager: entered before anything is prepared for a run."""

    name: str

    def __enter__(self) -> Self:
        """Find out whether stages can run.

        Raises:
            ConfigError: If they cannot.
        """
        return self

    def __exit__(self, *exc: object) -> None:
        """Leave no process behind."""
        return

    def run(self, work: Work) -> None:
        """Run stages until `work` is finished."""
        ...
