"""The driver: hands out what is ready, commits what ended; the store's only writer."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gpbench.core.errors import StageError, StoreError
from gpbench.core.plan import PlanItem
from gpbench.core.stage import CONCLUSIVE, Kind, Outcome, StageRequest, Status, utc_now
from gpbench.engine.monitor import Beat
from gpbench.execution.executor import KINDS, Ended, Event, Executor, Progressed, Started
from gpbench.execution.files import StageFiles
from gpbench.execution.queue import StageQueue
from gpbench.store import LEASE_S, Owner, Store

log = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
ELSEWHERE_S = 1.0
"""How often stages that another run is busy with are looked at."""

_MEND = "; --retry-failed continues from its last checkpoint"


@dataclass(frozen=True)
class Job:
    """A distinct stage of the plan."""

    request: StageRequest
    item: PlanItem
    needs: tuple[str, ...]
    """Keys of the stages that must be done before."""

    @property
    def key(self) -> str:
        return self.request.spec.key


@dataclass
class Summary:
    """What a run did: keys of stages."""

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    interrupted: bool = False


class Watcher:
    """Is told what happens; the base class does nothing."""

    def begun(self, jobs: Sequence[Job]) -> None: ...

    def skipped(self, job: Job) -> None: ...

    def started(self, job: Job) -> None: ...

    def progressed(self, job: Job, event: Progressed) -> None: ...

    def died(self, job: Job, reason: str, *, again: bool) -> None: ...

    def stopped(self, job: Job) -> None: ...

    def ended(self, job: Job, outcome: Outcome) -> None: ...

    def failed_before(self, job: Job) -> None: ...

    def waiting(self, job: Job) -> None: ...

    def blocked(self, job: Job, because: str) -> None: ...


@dataclass(frozen=True)
class Again:
    """Which stages are run again."""

    failed: bool = False
    """--retry-failed: those that failed, but for the diverged."""
    all: bool = False
    """--force: every one."""
    retries: int = 2
    """--max-retries: how often a stage whose process died is started again within one run."""


@dataclass
class _Running:
    """A stage that an executor has."""

    beat: Beat | None = None
    began_at: float | None = None
    """By the monotonic clock; None: it has not begun yet."""
    started_at: str = field(default_factory=utc_now)
    """The same moment in UTC; until it has begun, when it was handed out."""
    sign_at: float | None = None
    """When it last got on, by the same clock."""
    hangs: bool = False

    @property
    def seconds(self) -> float:
        """How long this attempt has run."""
        return time.monotonic() - self.began_at if self.began_at is not None else 0.0


class Driver:
    """One run of a list of jobs, parents before their children. Meets `executor.Work`."""

    def __init__(
        self,
        store: Store,
        files: StageFiles,
        watcher: Watcher,
        again: Again,
        timeout_s: float | None = None,
    ) -> None:
        """Take what a run needs; `timeout_s`: how long a stage may run without getting on."""
        self.store, self.files, self.watcher, self.again = store, files, watcher, again
        self.timeout_s = timeout_s
        self.owner = Owner.current()
        self.summary = Summary()
        self.stop_wanted = False
        self._jobs: dict[str, Job] = {}
        self._queue = StageQueue({}, {}, {})
        self._running: dict[str, _Running] = {}
        self._elsewhere: list[str] = []
        self._elsewhere_at = self._beat_at = self._heard_at = time.monotonic()
        self._begun: set[str] = set()
        self._remade: set[str] = set()
        self._blocked: set[str] = set()
        self._deaths: Counter[str] = Counter()

    def run(self, jobs: Iterable[Job], executor: Executor, seconds: Mapping[str, float]) -> Summary:
        """Run all jobs that are not done and return what came of each.

        Args:
            jobs: The stages, parents before their children.
            executor: What runs them.
            seconds: Key -> how long a stage is expected to run: the longest start first.
        """
        self._jobs = {job.key: job for job in jobs}
        self.watcher.begun(list(self._jobs.values()))
        todo = self._without_done()
        self._queue = StageQueue(
            {key: [need for need in job.needs if need in todo] for key, job in todo.items()},
            {key: job.item.kind for key, job in todo.items()},
            seconds,
        )
        try:
            if not self.finished:
                executor.run(self)
        finally:
            self._let_go()
        self.summary.interrupted = self.stop_wanted
        return self.summary

    def stop(self) -> None:
        """Let running stages checkpoint and start no more; safe in a signal handler."""
        self.stop_wanted = True

    @property
    def begun(self) -> bool:
        """Whether a stage was taken up."""
        return bool(self._begun)

    @property
    def finished(self) -> bool:
        idle = not self._running
        return idle and (self.stop_wanted or not (len(self._queue) or self._elsewhere))

    def next(self, kinds: Collection[Kind] = KINDS) -> StageRequest | None:
        self._look_elsewhere()
        while not self.stop_wanted and (key := self._queue.pop(kinds)) is not None:
            if self._begin(self._jobs[key]):
                return self._jobs[key].request
        return None

    def take(self, event: Event) -> None:
        running = self._running.get(event.key)
        if running is None:
            return  # it ended in the moment in which it was killed for hanging
        job = self._jobs[event.key]
        if isinstance(event, Started):
            running.began_at = running.sign_at = time.monotonic()
            running.started_at = utc_now()
            self.store.begin(event.key)
            self.watcher.started(job)
        elif isinstance(event, Progressed):
            self._progressed(job, running, event)
        else:
            del self._running[event.key]
            if isinstance(event, Ended):
                self._ended(job, running, event.sha256)
            else:
                self._died(job, running, event.reason)

    def tick(self) -> list[str]:
        now = time.monotonic()
        if now - self._beat_at > HEARTBEAT_S:
            self._beat_at = now
            self._heartbeat(now)
        hanging = []
        for key, each in self._running.items():
            if self.timeout_s and each.sign_at and now - each.sign_at > self.timeout_s:
                each.hangs = True
                hanging.append(key)
        return hanging

    def _without_done(self) -> dict[str, Job]:
        """Return the jobs that are to be run, after taking note of those that are done."""
        if self.again.all:
            return dict(self._jobs)
        states = self.store.states(list(self._jobs))
        children: dict[str, list[str]] = {key: [] for key in self._jobs}
        todo, wanted = set(), set()
        for key, job in reversed(self._jobs.items()):
            for need in job.needs:
                children[need].append(key)
            state = states.get(key)
            if state != "done":
                todo.add(key)
                if state != "failed" or self.again.failed:
                    wanted.add(key)
            elif wanted.intersection(children[key]) and not self.files.has_weights(job.request):
                self._remade.add(key)
                todo.add(key)
                wanted.add(key)
        for key, job in self._jobs.items():
            if key not in todo:
                self._skip(job)
        return {key: job for key, job in self._jobs.items() if key in todo}

    def _look_elsewhere(self) -> None:
        """Try stages again that another run of this machine or cluster was busy with."""
        now = time.monotonic()
        if self._elsewhere and now - self._elsewhere_at > ELSEWHERE_S:
            self._elsewhere_at = now
            for key in self._elsewhere:
                self._queue.put_back(key)
            self._elsewhere.clear()

    def _begin(self, job: Job) -> bool:
        """Return whether a stage is now ours and to be run."""
        force = self.again.all or job.key in self._remade
        if job.key in self._begun:
            force = False  # what it left is what it continues from
        claim = self.store.claim(job.key, self.owner, retry_failed=self.again.failed, force=force)
        if claim == "claimed":
            return self._claimed(job)
        if claim == "done":
            self._skip(job)
            self._queue.done(job.key)
        elif claim == "failed":
            self.summary.failed.append(job.key)
            self.watcher.failed_before(job)
            self._block_below(job)
        elif claim == "running":  # by another run, which has the stage or its parent
            self._elsewhere.append(job.key)
            self.watcher.waiting(job)
        else:  # another run forced the parent, and it failed or was stopped there
            parent = job.needs[0][:12]
            because = f"its parent {parent} is not done: another run began it anew"
            self._block([job.key, *self._queue.descendants(job.key)], because)
        return False

    def _claimed(self, job: Job) -> bool:
        if self.again.all and job.key not in self._begun:
            try:
                self.files.forget(job.request)
            except StageError as error:
                self._failed(job, _Running(), "preempted", f"{error}{_MEND}")
                return False
        self._begun.add(job.key)
        left = self.files.outcome(job.request, None)
        if left is not None and _stands(left, again=self.again):
            self._commit(job, left)  # a worker finished, and its driver was gone
            return False
        self._running[job.key] = _Running()
        return True

    def _progressed(self, job: Job, running: _Running, event: Progressed) -> None:
        before = running.beat
        if before is None or (before.activity, before.step) != (
            event.beat.activity,
            event.beat.step,
        ):
            running.sign_at = time.monotonic()
        running.beat = event.beat
        self.watcher.progressed(job, event)

    def _ended(self, job: Job, running: _Running, sha256: str | None) -> None:
        if sha256 is None:
            self._stopped(job, running)
            return
        outcome = self.files.outcome(job.request, sha256)
        if outcome is None:
            reason = (
                f"what it left in {job.request.storage or job.request.folder} cannot be read here: "
                "share the working directory, or give --storage"
            )
            self._died(job, running, reason)
        elif outcome.status == "preempted":  # its machine could not reach something
            self._died(job, running, outcome.error or "")
        else:
            self._commit(job, outcome)

    def _stopped(self, job: Job, running: _Running) -> None:
        if not self.stop_wanted:
            self._died(job, running, "it stopped without being told to")
            return
        self.store.release(job.key)
        self.watcher.stopped(job)

    def _died(self, job: Job, running: _Running, reason: str) -> None:
        left = self.files.outcome(job.request, None)
        if left is not None and left.status in CONCLUSIVE:
            self._commit(job, left)  # it had finished, and its process could not tell
            return
        if running.hangs:
            error = (
                f"it did not get on for {self.timeout_s:g} s, the limit of --timeout, in which a "
                "process must start, too: a higher one with --retry-failed continues it"
            )
            self._failed(job, running, "timeout", error)
            return
        self._deaths[job.key] += 1
        again = self._deaths[job.key] <= self.again.retries and not self.stop_wanted
        if again or self.stop_wanted:
            self.store.release(job.key)
            self.watcher.died(job, reason, again=again)
        if again:
            self._queue.put_back(job.key)
        elif not self.stop_wanted:
            self._failed(job, running, "preempted", f"{reason}{_MEND}")

    def _failed(self, job: Job, running: _Running, status: Status, error: str) -> None:
        """Commit a failure that its process could not write down itself."""
        self._commit(job, Outcome(job.key, status, running.started_at, running.seconds, error))

    def _commit(self, job: Job, outcome: Outcome) -> None:
        taken = self.store.commit(outcome, Path(job.request.folder))
        if not taken and outcome.status != "ok" and self._is_done(job):
            self._skip(job)  # by another run, which took it over meanwhile
            self._queue.done(job.key)
            return
        self.watcher.ended(job, outcome)
        if outcome.status == "ok":
            self.summary.done.append(job.key)
            self._queue.done(job.key)
        else:
            self.summary.failed.append(job.key)
            self._block_below(job)

    def _skip(self, job: Job) -> None:
        self.summary.skipped.append(job.key)
        self.watcher.skipped(job)

    def _block_below(self, job: Job) -> None:
        because = f"what it needs failed: {job.key[:12]}"
        self._block(self._queue.descendants(job.key), because)

    def _block(self, keys: Iterable[str], because: str) -> None:
        new = [key for key in keys if key not in self._blocked]
        self._blocked.update(new)
        self.summary.blocked += new
        self.store.block(new, because)
        for key in new:
            self.watcher.blocked(self._jobs[key], because)

    def _is_done(self, job: Job) -> bool:
        return self.store.states([job.key]).get(job.key) == "done"

    def _heartbeat(self, now: float) -> None:
        beats = {key: each.beat for key, each in self._running.items()}
        try:
            self.store.heartbeat({k: asdict(beat) if beat else None for k, beat in beats.items()})
        except StoreError as error:
            if now - self._heard_at > LEASE_S:
                raise  # others may have taken the stages over by now
            log.warning("the running stages could not be told to the database: %s", error)
        else:
            self._heard_at = now

    def _let_go(self) -> None:
        """Hand back what still ran when the executor ended, as where Ctrl-C came twice."""
        with contextlib.suppress(StoreError):
            for key in self._running:
                self.store.release(key)


def _stands(left: Outcome, again: Again) -> bool:
    """Return whether an outcome that no driver took in is that of its stage."""
    if left.status in CONCLUSIVE:
        return True
    return left.status != "preempted" and not again.failed
