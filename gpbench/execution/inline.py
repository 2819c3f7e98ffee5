"""The inline executor: stages run in this process, one after the other, without Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Self

from gpbench.core.errors import StageInterruptedError
from gpbench.core.stage import Outcome, StageRequest
from gpbench.engine.monitor import Beat
from gpbench.execution.executor import Ended, Event, Progressed


class Inline:
    """Runs one stage at a time in the calling thread; beats are handed to `listen` as they come."""

    def __init__(self, listen: Callable[[Event], None]) -> None:
        self._listen = listen
        self._waiting: StageRequest | None = None
        self._running = ""
        self._stopped = False

    @property
    def free(self) -> int:
        return 0 if self._waiting or self._stopped else 1

    def start(self, request: StageRequest) -> None:
        self._waiting = request

    def events(self) -> Iterable[Event]:
        from gpbench.stages.run import run_stage  # noqa: PLC0415  slow to load: when there is work

        if self._waiting is None:
            return
        request, self._waiting = self._waiting, None
        self._running = request.spec.key
        try:
            outcome: Outcome | None = run_stage(request, self)
        except StageInterruptedError:
            outcome = None
        yield Ended(self._running, outcome)

    def stop(self) -> None:
        self._stopped = True

    def beat(self, beat: Beat) -> None:
        self._listen(Progressed(self._running, beat))

    def stop_wanted(self) -> bool:
        return self._stopped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass
