"""The inline executor: stages run in this process, one after the other, without Ray."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from gpbench.core.errors import GpbenchError, StageInterruptedError
from gpbench.core.stage import StageRequest
from gpbench.engine.monitor import Beat
from gpbench.execution.executor import Died, Ended, Event, Executor, Progressed, Started, Work


class Inline(Executor):
    """Runs one stage at a time in the calling thread. A stage that hangs hangs the run."""

    name = "inline"

    def run(self, work: Work) -> None:
        while not work.finished:
            request = work.next()
            if request is None:
                work.tick()
                time.sleep(0.2)  # only another run's stages are left
                continue
            self._run(request, work)

    def _run(self, request: StageRequest, work: Work) -> None:
        from gpbench.stages.run import run_stage  # noqa: PLC0415  slow to load: when there is work

        key = request.spec.key
        telling = _Telling(key, work)
        work.take(Started(key))
        try:
            event: Event = Ended.well(run_stage(request, telling))
        except StageInterruptedError:
            event = Ended(key, None)
        except GpbenchError as error:
            event = Died(key, str(error))  # it could leave nothing where it should
        if telling.failure is not None:
            raise telling.failure
        work.take(event)


@dataclass
class _Telling:
    """The monitor of a stage that runs in the driver's own process."""

    key: str
    work: Work
    failure: Exception | None = None
    """The driver's own, not the stage's: kept until the stage has stopped."""

    def beat(self, beat: Beat) -> None:
        try:
            self.work.take(Progressed(self.key, beat))
            self.work.tick()
        except Exception as error:  # noqa: BLE001  raised again outside the stage
            self.failure = error

    def stop_wanted(self) -> bool:
        return self.failure is not None or self.work.stop_wanted

    def saved(self, folder: Path) -> None:
        pass
