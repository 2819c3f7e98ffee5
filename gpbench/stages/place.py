"""Where a stage runs: its folder in the working directory, which no other process works in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from gpbench.core.stage import CONCLUSIVE, Outcome, StageRequest, canonical_json
from gpbench.engine import checkpoint
from gpbench.engine.monitor import Monitor
from gpbench.stages import artefacts
from gpbench.stages.inputs import waiting
from gpbench.stages.lock import locked
from gpbench.stages.reach import OutOfReachError, node_name, writing

LOCK = ".lock"
LOCK_WAIT_S = 60.0
"""How long a stage waits for a process of an earlier run that still works in its folder."""


class Place(Protocol):
    """A stage's folder on this node, from the first file to the outcome."""

    folder: Path
    monitor: Monitor
    """To be told what the stage does."""

    def entered(self) -> AbstractContextManager[None]:
        """Make the folder this process's own, without what an earlier attempt said of its end.

        Raises:
            OutOfReachError: If this node cannot write there, or another process works there.
            StageInterruptedError: If the monitor wanted a stop meanwhile.
        """
        ...

    def leave(self, outcome: Outcome) -> None:
        """Put the outcome where the driver reads it, after all files that it names.

        Raises:
            OutOfReachError: If it cannot be written.
        """
        ...


class WorkdirPlace:
    """The folder in a working directory that all nodes share. Meets `Place`."""

    def __init__(self, request: StageRequest, monitor: Monitor) -> None:
        self.folder, self.monitor = Path(request.folder), monitor
        self._spec = canonical_json(request.spec)

    @contextmanager
    def entered(self) -> Iterator[None]:
        workdir = self.folder.parent.parent
        if not workdir.is_dir():
            raise OutOfReachError(
                f"the working directory {workdir} is not there on node {node_name()}: "
                "share it, or give --storage"
            )
        with writing(self.folder):
            self.folder.parent.mkdir(exist_ok=True)
            self.folder.mkdir(exist_ok=True)
        with locked(self.folder / LOCK, waiting(self.monitor), wait_s=LOCK_WAIT_S):
            with writing(self.folder):
                for name in (artefacts.OUTCOME, artefacts.LOG):
                    (self.folder / name).unlink(missing_ok=True)
                artefacts.write_text(self.folder / artefacts.SPEC, self._spec + "\n")
            yield

    def leave(self, outcome: Outcome) -> None:
        with writing(self.folder):
            artefacts.write_text(self.folder / artefacts.OUTCOME, outcome.text())
            if outcome.status in CONCLUSIVE:
                checkpoint.remove(self.folder)
