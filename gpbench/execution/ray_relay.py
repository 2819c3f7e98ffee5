"""What the caller and the workers of a distributed pre-training tell each other.

The relay is a process of its own: what is imported here has to load fast.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from gpbench.core.errors import StageInterruptedError
from gpbench.core.stage import Outcome
from gpbench.engine.monitor import Beat

ASK_S = 0.5
"""How often the workers are heard of, and how soon they see that they are to stop."""


@dataclass(frozen=True)
class Left:
    """What the first worker left: an outcome, or where it was stopped; neither if it died."""

    outcome: Outcome | None = None
    stopped: str | None = None


class Relay:
    """What the caller and the workers tell each other: an actor between their machines."""

    def __init__(self) -> None:
        self._beats: list[Beat] = []
        self._stop = False
        self._left = Left()

    def beat(self, beat: Beat) -> None:
        self._beats.append(beat)

    def leave(self, left: Left) -> None:
        self._left = left

    def stop_wanted(self) -> bool:
        return self._stop

    def exchange(self, stop: bool) -> tuple[list[Beat], Left]:  # noqa: FBT001  sent by position
        """Take the wish to stop; return the beats since the last call, and what was left."""
        self._stop = stop
        beats, self._beats = self._beats, []
        return beats, self._left


class Line:
    """A worker's monitor: the other end of the relay."""

    def __init__(self, relay: Any) -> None:
        self._relay = relay
        self._stop = False
        self._asked_at = -ASK_S

    def beat(self, beat: Beat) -> None:
        self._relay.beat.remote(beat)

    def stop_wanted(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at >= ASK_S:
            self._ask()
            self._asked_at = now
        return self._stop

    def saved(self, folder: Path) -> None:
        pass  # the caller may be on another machine

    def _ask(self) -> None:
        try:
            self._stop = ray.get(self._relay.stop_wanted.remote())
        except RayError as error:  # never the stage's own failure
            raise StageInterruptedError("the caller of its workers is gone") from error


class QuietLine(Line):
    """The monitor of a worker that is not the first."""

    def beat(self, beat: Beat) -> None:
        pass
