"""Stages that sleep, crash and so on instead of training, and work that is handed out from dicts.

Imported by Ray's workers too; light, so that they start quickly.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from multiprocessing import synchronize
from pathlib import Path
from typing import Any

from gpbench.core.dataset import Band, DatasetInfo, Protocol
from gpbench.core.errors import StageInterruptedError
from gpbench.core.recipe import Execution, FinetuneRecipe, PretrainRecipe
from gpbench.core.stage import (
    DatasetSpec,
    FinetuneSpec,
    Kind,
    Numerics,
    Outcome,
    PluginSpec,
    PretrainSpec,
    StageRequest,
    Status,
    utc_now,
)
from gpbench.engine.monitor import Beat, Monitor
from gpbench.execution.executor import KINDS, Died, Ended, Event, Progressed, Started

NUMERICS = Numerics(cpu_threads=1, precision="fp32", channels_last=False)
DATASET = DatasetSpec(
    PluginSpec("town", 1),
    DatasetInfo("Town", 1, (Band("red"),), ("ground", "house")),
    Protocol("standard", 1, "mIoU", tile_px=64, stride_px=64),
    fingerprint="f" * 64,
)


@dataclass(frozen=True)
class Stage:
    """A stage that does what a function of this module's `ACTIONS` does."""

    name: str
    action: str = "nothing"
    needs: tuple[str, ...] = ()
    kind: Kind = "finetune"


def request_of(stage: Stage, number: int, folder: Path) -> StageRequest:
    if stage.kind == "pretrain":
        spec: PretrainSpec | FinetuneSpec = PretrainSpec(
            strategy=PluginSpec("fake", 1),
            phase="first",
            position=0,
            backbone="none",
            in_chans=1,
            sources=(),
            recipe=PretrainRecipe(batch=1, crop_px=64, steps=1),
            numerics=NUMERICS,
            pretrain_seed=number,
        )
    else:
        spec = FinetuneSpec(
            backbone="none",
            in_chans=1,
            dataset=DATASET,
            recipe=FinetuneRecipe(batch=1, steps=1),
            numerics=NUMERICS,
            replicate=number,
        )
    home = folder / stage.name
    home.mkdir(parents=True, exist_ok=True)
    return StageRequest(spec, str(home), None, {}, stage.action, Execution())


class FakeWork:
    """Meets `executor.Work`: the driver's rules on plain dictionaries, and everything it heard."""

    def __init__(self, stages: list[Stage], folder: Path, *, retries: int = 2) -> None:
        self.stages = {stage.name: stage for stage in stages}
        self.requests = {
            stage.name: request_of(stage, number, folder) for number, stage in enumerate(stages)
        }
        self.names = {request.spec.key: name for name, request in self.requests.items()}
        self.state = dict.fromkeys(self.stages, "waiting")
        self.retries = retries
        self.deaths: Counter[str] = Counter()
        self.events: list[tuple[str, Event]] = []
        self.asked: list[frozenset[Kind]] = []
        self.hangs_after_s: float | None = None
        self.sign_at: dict[str, float] = {}
        self.stop_wanted = False
        self.on_event: Callable[[str, Event], None] = lambda _name, _event: None

    @property
    def finished(self) -> bool:
        states = self.state.values()
        return "running" not in states and (self.stop_wanted or "waiting" not in states)

    def next(self, kinds: Collection[Kind] = KINDS) -> StageRequest | None:
        self.asked.append(frozenset(kinds))
        for name, stage in self.stages.items():
            if self.stop_wanted or self.state[name] != "waiting" or stage.kind not in kinds:
                continue
            if all(self.state[need] == "done" for need in stage.needs):
                self.state[name] = "running"
                return self.requests[name]
        return None

    def take(self, event: Event) -> None:
        name = self.names[event.key]
        assert self.state[name] == "running", f"{event} of a stage that is {self.state[name]}"
        self.events.append((name, event))
        if isinstance(event, Started | Progressed):
            self.sign_at[name] = time.monotonic()
            self.on_event(name, event)
            return
        self.sign_at.pop(name, None)
        if isinstance(event, Ended):
            self.state[name] = "done" if event.sha256 else "stopped"
        elif self.deaths[name] < self.retries and not self.stop_wanted:
            self.deaths[name] += 1
            self.state[name] = "waiting"
        else:
            self.state[name] = "stopped" if self.stop_wanted else "failed"
        if self.state[name] == "failed":
            self.block_below(name)
        self.on_event(name, event)

    def block_below(self, name: str) -> None:
        for child, stage in self.stages.items():
            if name in stage.needs:
                self.state[child] = "blocked"
                self.block_below(child)

    def tick(self) -> list[str]:
        if self.hangs_after_s is None:
            return []
        late = time.monotonic() - self.hangs_after_s
        return [
            self.requests[name].spec.key
            for name, state in self.state.items()
            if state == "running" and self.sign_at.get(name, late) < late
        ]

    def said(self, *kinds: type[Event]) -> list[str]:
        """Return the names of the stages of which such events were heard, in their order."""
        return [name for name, event in self.events if isinstance(event, kinds)]

    def reasons(self, name: str) -> list[str]:
        """Return of what a stage died."""
        return [
            event.reason for who, event in self.events if who == name if isinstance(event, Died)
        ]


def act(request: StageRequest, monitor: Monitor) -> Outcome:
    """Run a stage: do what its action says (in place of a data folder), and leave a trace."""
    action, *arguments = request.data_folder.split()
    home = Path(request.folder)
    attempt = len(list(home.glob("pid-*"))) + 1
    (home / f"pid-{attempt}").write_text(str(os.getpid()))
    status = ACTIONS[action](home, attempt, monitor, *arguments) or "ok"
    outcome = Outcome(request.spec.key, status, utc_now(), 0.0)
    (home / "outcome.json").write_text(outcome.text())
    return outcome


def pids(work: FakeWork, name: str) -> list[int]:
    """Return the processes in which a stage ran, one per attempt."""
    home = Path(work.requests[name].folder)
    return [int(path.read_text()) for path in sorted(home.glob("pid-*"))]


def nothing(_home: Path, _attempt: int, _monitor: Monitor) -> Status | None:
    return None


def sleep(_home: Path, _attempt: int, monitor: Monitor, seconds: str) -> Status | None:
    """Take a while, beating; end at a stop, as a training does at its checkpoint."""
    until, step = time.monotonic() + float(seconds), 0
    while time.monotonic() < until:
        if monitor.stop_wanted():
            raise StageInterruptedError("stopped")
        step += 1
        monitor.beat(Beat("train", step, 100, loss=0.5))
        time.sleep(0.05)
    return None


def end_as(_home: Path, _attempt: int, _monitor: Monitor, status: Status) -> Status | None:
    return status


def raises(_home: Path, _attempt: int, _monitor: Monitor) -> Status | None:
    raise ValueError("too purple")


def killed(_home: Path, attempt: int, _monitor: Monitor, times: str) -> Status | None:
    if attempt <= int(times):
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
    return None


def crashes(_home: Path, attempt: int, _monitor: Monitor, times: str) -> Status | None:
    if attempt <= int(times):
        ctypes.string_at(0)
    return None


def deaf(_home: Path, attempt: int, _monitor: Monitor, times: str) -> Status | None:
    """Hang without giving any other thread of the process a turn: nothing there answers."""
    if attempt <= int(times):
        ctypes.PyDLL(None).sleep(600)
    return None


def hangs(_home: Path, attempt: int, monitor: Monitor, times: str) -> Status | None:
    if attempt <= int(times):
        monitor.beat(Beat("train", 1, 100))
        time.sleep(600)
    return None


def sleeps(up: synchronize.Event) -> None:
    """Say that this process is up, and sleep."""
    up.set()
    time.sleep(600)


def ends_others(_home: Path, _attempt: int, _monitor: Monitor, method: str) -> Status | None:
    """Ignore SIGTERM, which ends a process of its own all the same."""
    os.kill(os.getpid(), signal.SIGTERM)
    start: Any = multiprocessing.get_context(method)  # the stubs know no `Process` of any method
    up = start.Event()
    other = start.Process(target=sleeps, args=(up,))
    other.start()
    up.wait(60)  # Python forgets signals that a child gets while it is forked
    other.terminate()
    other.join(60)
    ended = other.exitcode == -signal.SIGTERM
    other.kill()
    return None if ended else "invalid"


def workers(_home: Path, _attempt: int, _monitor: Monitor, number: str, seconds: str) -> None:
    """Hold processors by tasks of its own, as a distributed pre-training does."""
    import ray

    bundles = [{"CPU": 1}] * int(number)
    group = ray.util.placement_group(bundles)
    assert group.wait(timeout_seconds=60), "its workers found no room"
    time.sleep(float(seconds))
    ray.util.remove_placement_group(group)


ACTIONS: dict[str, Callable[..., Status | None]] = {
    "nothing": nothing,
    "sleep": sleep,
    "end-as": end_as,
    "raises": raises,
    "killed": killed,
    "crashes": crashes,
    "deaf": deaf,
    "hangs": hangs,
    "ends-others": ends_others,
    "workers": workers,
}
