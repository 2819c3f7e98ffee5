"""The driver: starts what is ready, commits what ended; the store's only writer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpbench.core.plan import PlanItem
from gpbench.core.stage import Outcome, StageRequest, utc_now
from gpbench.engine import checkpoint
from gpbench.execution.executor import Died, Ended, Event, Executor, Progressed
from gpbench.execution.leftovers import backbone_file, left_outcome, remove_leftovers
from gpbench.store import Owner, Store

HEARTBEAT_S = 15.0


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

    def ended(self, job: Job, outcome: Outcome) -> None: ...

    def failed_before(self, job: Job) -> None: ...

    def waiting(self, job: Job) -> None: ...

    def blocked(self, job: Job, because: str) -> None: ...


@dataclass(frozen=True)
class Again:
    """Which stages that already ended are run again."""

    failed: bool = False
    """--retry-failed: those that failed, but for the diverged."""
    all: bool = False
    """--force: every one."""
    retries: int = 2
    """--max-retries: how often a stage whose process died is started again within one run."""


class Driver:
    """One run of a list of jobs, parents before their children."""

    def __init__(self, store: Store, watcher: Watcher, again: Again) -> None:
        self.store, self.watcher, self.again = store, watcher, again
        self.owner = Owner.current()
        self.summary = Summary()
        self.state: dict[str, str] = {}
        self.jobs: dict[str, Job] = {}
        self.deaths: Counter[str] = Counter()
        self.stop_wanted = False
        self._executor: Executor | None = None
        self._beat_at = 0.0

    def run(
        self, jobs: Iterable[Job], make: Callable[[Callable[[Event], None]], Executor]
    ) -> Summary:
        """Run all jobs that are not done and return what came of each.

        `make` builds the executor from a function that takes events as they come.
        """
        self.jobs = {job.key: job for job in jobs}
        self.watcher.begun(list(self.jobs.values()))
        self.state = dict.fromkeys(self.jobs, "waiting")
        with make(self._take) as executor:
            self._executor = executor
            while self._advance(executor):
                for event in executor.events():
                    self._take(event)
        self.summary.interrupted = self.stop_wanted
        return self.summary

    def stop(self) -> None:
        """Let running stages checkpoint and start no more; safe in a signal handler."""
        self.stop_wanted = True
        if self._executor is not None:
            self._executor.stop()

    def _advance(self, executor: Executor) -> bool:
        """Start what is ready; return whether anything runs."""
        for job in self.jobs.values():
            if self.state[job.key] != "waiting" or self.stop_wanted:
                continue
            failed = [key for key in job.needs if self.state[key] in ("failed", "blocked")]
            if failed:
                self._block(job, failed[0])
            elif all(self.state[key] == "done" for key in job.needs) and executor.free > 0:
                self._begin(job, executor)
        self._heartbeat()
        return any(state == "running" for state in self.state.values()) or self._elsewhere()

    def _elsewhere(self) -> bool:
        """Wait a little for stages that another run of this machine or cluster is busy with."""
        if self.stop_wanted or "elsewhere" not in self.state.values():
            return False
        time.sleep(1.0)
        for key, state in self.state.items():
            if state == "elsewhere":
                self.state[key] = "waiting"
        return True

    def _begin(self, job: Job, executor: Executor) -> None:
        force = self.again.all or self._weights_lost(job)
        claim = self.store.claim(job.key, self.owner, retry_failed=self.again.failed, force=force)
        if claim == "done":
            self.state[job.key] = "done"
            self.summary.skipped.append(job.key)
            self.watcher.skipped(job)
        elif claim == "failed":
            self.state[job.key] = "failed"
            self.summary.failed.append(job.key)
            self.watcher.failed_before(job)
        elif claim == "running":  # by another run, which has the stage or its parent
            self.watcher.waiting(job)
            self.state[job.key] = "elsewhere"
        elif claim == "blocked":  # another run forced the parent, and it failed there
            self._block(job, job.needs[0])
        else:
            self._run(job, executor)

    def _run(self, job: Job, executor: Executor) -> None:
        folder = Path(job.request.folder)
        self.watcher.started(job)
        if self.again.all:
            remove_leftovers(folder)
        outcome = left_outcome(folder, job.key)
        if outcome is not None and (outcome.status == "ok" or not self.again.failed):
            checkpoint.remove(folder)
            self._commit(job, outcome)  # a worker finished, and its driver was gone
            return
        self.state[job.key] = "running"
        executor.start(job.request)

    def _block(self, job: Job, parent: str) -> None:
        because = f"its parent {parent[:12]} failed"
        self.state[job.key] = "blocked"
        self.summary.blocked.append(job.key)
        self.store.block([job.key], because)
        self.watcher.blocked(job, because)

    def _take(self, event: Event) -> None:
        job = self.jobs[event.key]
        if isinstance(event, Progressed):
            self._heartbeat()
            self.watcher.progressed(job, event)
        elif isinstance(event, Died):
            self._died(job, event.reason)
        elif isinstance(event, Ended) and event.outcome is None:
            self._stopped(job)
        elif isinstance(event, Ended) and event.outcome is not None:
            self._commit(job, event.outcome)

    def _died(self, job: Job, reason: str) -> None:
        self.deaths[job.key] += 1
        if self.deaths[job.key] <= self.again.retries and not self.stop_wanted:
            assert self._executor is not None  # noqa: S101  set before any event can come
            self._executor.start(job.request)
            return
        if self.stop_wanted:
            self._stopped(job)
            return
        error = f"{reason}; --retry-failed continues from its last checkpoint"
        self._commit(job, Outcome(job.key, "preempted", utc_now(), 0.0, error))

    def _stopped(self, job: Job) -> None:
        self.store.release(job.key)
        self.state[job.key] = "stopped"

    def _weights_lost(self, job: Job) -> bool:
        """Return whether a finished pre-training's file is gone while a child still needs it."""
        if job.item.kind != "pretrain" or backbone_file(Path(job.request.folder)).is_file():
            return False
        children = [other for other in self.jobs.values() if job.key in other.needs]
        states = self.store.states([job.key, *(child.key for child in children)])
        return states.get(job.key) == "done" and any(
            states.get(child.key) != "done" or self._weights_lost(child) for child in children
        )

    def _commit(self, job: Job, outcome: Outcome) -> None:
        self.store.commit(outcome, Path(job.request.folder))
        ok = outcome.status == "ok"
        self.state[job.key] = "done" if ok else "failed"
        (self.summary.done if ok else self.summary.failed).append(job.key)
        self.watcher.ended(job, outcome)

    def _heartbeat(self) -> None:
        now = time.monotonic()
        if now - self._beat_at > HEARTBEAT_S:
            self._beat_at = now
            running = [key for key, state in self.state.items() if state == "running"]
            self.store.heartbeat(running)
