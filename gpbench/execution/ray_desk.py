"""What is handed to Ray Tune, and when: the driver's work as Tune's trials. Without Ray."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Never

from gpbench.core.errors import ConfigError
from gpbench.core.stage import Kind, StageRequest
from gpbench.engine.monitor import Beat
from gpbench.execution.executor import KINDS, Died, Ended, Event, Progressed, Started, Work
from gpbench.execution.ray_shares import Shares

AHEAD = 2
"""Trials of a shape that may wait for room, so that a worker that gets free has its next one."""

TICK_S = 1.0


@dataclass
class _Handed:
    """A stage that Tune has."""

    key: str
    kind: Kind
    begun: bool = False


class Desk:
    """Hands stages out as trials, and reports what becomes of them.

    A distributed pre-training is handed out when all its workers find room at once: kept back until
    then, it may be overtaken by as many stages as the cluster has slots, and then everything else
    waits too, so that it is neither in the way nor never begun.
    """

    def __init__(self, work: Work, shares: Shares, jobs: int | None) -> None:
        self._work, self._shares, self._jobs = work, shares, jobs
        self._handed: dict[str, _Handed] = {}
        self._kept: StageRequest | None = None
        self._overtaken = 0
        self._tick_at = 0.0
        self.hanging: set[str] = set()
        """Trials whose processes are to be killed."""
        self.failure: Exception | None = None
        """What the driver raised; Tune would show it as text of its own."""

    @property
    def stop_wanted(self) -> bool:
        return self._work.stop_wanted

    @property
    def finished(self) -> bool:
        return self._work.finished

    def next(self, trial: str) -> StageRequest | None:
        """Return the stage that this trial is to run; None: there is none now."""
        with self._noted():
            self._release_kept()
            request = self._next()
        if request is None:
            return None
        kind = request.spec.kind
        if self._kept is not None and not self._shares.distributed(kind):
            self._overtaken += 1
        self._handed[trial] = _Handed(request.spec.key, kind)
        return request

    def started(self, trial: str) -> None:
        """Take note that a trial has its process."""
        handed = self._handed[trial]
        handed.begun = True
        if not self._work.stop_wanted:
            self._tell(Started(handed.key))

    def progressed(self, trial: str, beat: Beat) -> None:
        self._tell(Progressed(self._handed[trial].key, beat))

    def ended(self, trial: str, sha256: str | None) -> None:
        self._tell(Ended(self._over(trial).key, sha256))

    def died(self, trial: str, reason: str) -> None:
        self._tell(Died(self._over(trial).key, reason))

    def refused(self, error: ConfigError) -> Never:
        """End the run, whose stages are left to do: the cluster is not as it must be.

        Raises:
            ConfigError: The error given.
        """
        self.failure = error
        raise error

    def dropped(self) -> bool:
        """Give back what waits for room if the run is to stop and nothing runs; return whether so.

        The room may be others', who keep it for days.
        """
        if not self._work.stop_wanted or any(each.begun for each in self._handed.values()):
            return False
        self._release_kept()
        for trial in list(self._handed):
            self.ended(trial, None)
        return True

    def tick(self) -> bool:
        """Keep the driver's claims alive, and note what hangs; return whether it was time to."""
        now = time.monotonic()
        if now - self._tick_at < TICK_S:
            return False
        self._tick_at = now
        with self._noted():
            keys = self._work.tick()
        self.hanging.update(trial for trial, each in self._handed.items() if each.key in keys)
        return True

    def _next(self) -> StageRequest | None:
        if self._jobs is not None and len(self._handed) >= self._jobs:
            return None
        if self._kept is not None and self._fits(self._kept.spec.kind):
            kept, self._kept, self._overtaken = self._kept, None, 0
            return kept
        kinds = {kind for kind in KINDS if self._may_ask_for(kind)}
        request = self._work.next(kinds) if kinds else None
        if request is None or self._fits(request.spec.kind):
            return request
        self._kept = request
        return self._next()

    def _may_ask_for(self, kind: Kind) -> bool:
        if self._shares.distributed(kind):
            return self._kept is None
        drains = self._kept is not None and self._overtaken >= self._shares.slots
        return not drains and self._fits(kind)

    def _fits(self, kind: Kind) -> bool:
        """Return whether a stage can be handed out without taking room that is another's.

        Where nothing is distributed Tune itself waits for room, with `AHEAD` trials at most.
        """
        handed = self._handed.values()
        distributed = any(self._shares.distributed(each.kind) for each in handed)
        if not distributed and not self._shares.distributed(kind):
            return sum(not each.begun for each in handed) < AHEAD
        taken = sum(self._shares.takes(each.kind) for each in handed)
        return taken + self._shares.takes(kind) <= self._shares.slots

    def _release_kept(self) -> None:
        if self._work.stop_wanted and self._kept is not None:
            request, self._kept = self._kept, None
            self._tell(Ended(request.spec.key, None))

    def _over(self, trial: str) -> _Handed:
        self.hanging.discard(trial)
        return self._handed.pop(trial)

    def _tell(self, event: Event) -> None:
        with self._noted():
            self._work.take(event)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.failure = error
            raise
