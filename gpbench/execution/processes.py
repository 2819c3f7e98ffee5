"""The inline executor with more than one job: a stage per process of this machine, without Ray."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from gpbench.core.errors import GpbenchError, StageInterruptedError
from gpbench.core.stage import CONCLUSIVE, Outcome, StageRequest
from gpbench.engine.monitor import Beat
from gpbench.execution.executor import Died, Ended, Event, Executor, Progressed, Started, Work
from gpbench.execution.signals import ignore_here

_SPAWN = multiprocessing.get_context("spawn")  # a forked torch process may hang in its thread pool

_DRIVERS = frozenset({signal.SIGINT, signal.SIGTERM})
"""Signals that may reach the whole process group: what then happens, the driver decides."""


class Processes(Executor):
    """Runs up to `jobs` stages at once, in worker processes that serve one stage after another."""

    name = "inline"

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

    def run(self, work: Work) -> None:
        try:
            while not work.finished:
                self._hand_out(work)
                for key in work.tick():
                    self._worker(key).kill()
                for event in self._events(stopping=work.stop_wanted):
                    work.take(event)
        finally:
            for worker in self._idle + self._busy:
                worker.kill()
                worker.process.join()

    def _hand_out(self, work: Work) -> None:
        while len(self._busy) < self._jobs and (request := work.next()) is not None:
            worker = self._free()
            worker.key = request.spec.key
            worker.tell(request.to_json())
            self._busy.append(worker)
            work.take(Started(request.spec.key))

    def _free(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_fit():
                return worker
            worker.process.join()
        return _Worker.spawned()

    def _worker(self, key: str) -> _Worker:
        return next(worker for worker in self._busy if worker.key == key)

    def _events(self, *, stopping: bool) -> Iterable[Event]:
        for worker in self._busy:
            if stopping and not worker.told_to_stop:
                worker.tell("stop")
                worker.told_to_stop = True
        ready = wait([worker.pipe for worker in self._busy], timeout=1.0)
        for worker in [worker for worker in self._busy if worker.pipe in ready]:
            event = worker.event()
            if not isinstance(event, Progressed):
                self._busy.remove(worker)
                if not worker.spent:
                    self._idle.append(worker)
            yield event


@dataclass
class _Worker:
    """The driver's side of one worker process."""

    process: BaseProcess
    pipe: Connection
    key: str = ""
    told_to_stop: bool = False
    spent: bool = False
    """Whether it is not to be used again: what failed in it may have left it broken."""

    @classmethod
    def spawned(cls) -> _Worker:
        mine, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(theirs,), daemon=True)
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _DRIVERS)  # until the worker ignores them
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        theirs.close()
        return cls(process, mine)

    def is_fit(self) -> bool:
        """Return whether it can be given a stage."""
        return not self.spent and self.process.is_alive()

    def kill(self) -> None:
        """End the process; it ignores milder signals."""
        self.spent = True
        self.process.kill()

    def tell(self, text: str) -> None:
        """Send to the worker; that it is gone is seen when it is listened to."""
        with contextlib.suppress(OSError):
            self.pipe.send(text)

    def event(self) -> Event:
        """Return what the worker said; a closed pipe means that the process is gone."""
        try:
            kind, content = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.spent = True
            return Died(self.key, _how_it_ended(self.process.exitcode))
        if kind == "beat":
            return Progressed(self.key, Beat(**json.loads(content)))
        if kind == "failed":
            self.kill()
            return Died(self.key, content)
        if kind == "spent":
            self.kill()
        return Ended(self.key, content or None)


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process was ended: {signal.strsignal(-code) or f'signal {-code}'}"
    return f"its process ended with exit code {code}"


class _Line:
    """The worker's side: the stage's monitor, and the stages that come in."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._stop = threading.Event()
        self.requests: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                said = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(1)  # the driver is gone: a stage without a driver would run for nobody
            if said == "stop":
                self._stop.set()
            else:
                self.requests.put(said)

    def beat(self, beat: Beat) -> None:
        self._send("beat", json.dumps(asdict(beat)))

    def stop_wanted(self) -> bool:
        return self._stop.is_set()

    def saved(self, folder: Path) -> None:
        pass

    def stopped(self) -> None:
        self._send("ended", "")

    def ended(self, outcome: Outcome) -> None:
        word = "ended" if outcome.status in CONCLUSIVE else "spent"
        self._send(word, Ended.well(outcome).sha256 or "")

    def failed(self, error: GpbenchError) -> None:
        self._send("failed", str(error))

    def _send(self, kind: str, content: str) -> None:
        try:
            self._pipe.send((kind, content))
        except OSError:
            os._exit(1)  # as in `_read`: never the stage's own failure


def _serve(pipe: Connection) -> None:
    """Run stages one after another until the driver ends this process or is gone itself."""
    for number in _DRIVERS:
        ignore_here(number)
    from gpbench.stages.run import run_stage  # noqa: PLC0415  slow to load: in workers only

    line = _Line(pipe)
    while True:
        request = StageRequest.from_json(line.requests.get())
        try:
            line.ended(run_stage(request, line))
        except StageInterruptedError:
            line.stopped()
        except GpbenchError as error:  # it could leave nothing where it should
            line.failed(error)
