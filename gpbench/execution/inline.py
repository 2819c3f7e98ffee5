"""The inline executor: stages run in this process, one after the other, without Ray."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from gpbench.core.errors import StageInterruptedError
from gpbench.core.stage import StageRequest
from gpbench.engine.monitor import Beat
from gpbench.execution.executor import Ended, Progressed, Started, Work


class Inline:
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
        work.take(Started(key))
        try:
            ended = Ended.well(run_stage(request, _Telling(key, work)))
        except StageInterruptedError:
            ended = Ended(key, None)
        work.take(ended)


@dataclass
class _Telling:
    """The monitor of a stage that runs in the driver's own process."""

    key: str
    work: Work

    def beat(self, beat: Beat) -> None:
        self.work.take(Progressed(self.key, beat))
        self.work.tick()

    def stop_wanted(self) -> bool:
        return self.work.stop_wanted

    def saved(self, folder: Path) -> None:
        pass
