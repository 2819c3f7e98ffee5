"""What hands stages to Ray Tune, alone: no cluster, no database, no files."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from functools import cache
from itertools import count
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from ray.tune.search import Searcher

from benchmarks.report import PARTS
from gpbench.core.recipe import Execution
from gpbench.core.stage import Kind, StageRequest
from gpbench.execution.executor import KINDS, Ended, Event
from gpbench.execution.queue import StageQueue
from gpbench.execution.ray_desk import Desk
from gpbench.execution.ray_shares import Shares
from gpbench.execution.ray_tune import _Stages as Stages
from tests.store.plans import finetune, pretrain

ROUNDS = {1_000: 20, 100_000: 3}
CHILDREN, AT_ONCE, MOST_RATIO = 9, 8, 1.5
GROUP = "one of so many stages suggested to Tune, begun and ended: CPU time, without a cluster"


class InMemory:
    """Work of which nothing is kept; all stages are expected to take as long."""

    stop_wanted = False

    def __init__(self, requests: dict[str, StageRequest]) -> None:
        self.requests, self.running, self.ended = requests, 0, 0
        self.queue = StageQueue(
            {key: _needs(request) for key, request in requests.items()},
            {key: request.spec.kind for key, request in requests.items()},
            dict.fromkeys(requests, 1.0),
        )

    @property
    def finished(self) -> bool:
        return not (self.running or len(self.queue))

    def next(self, kinds: Collection[Kind] = KINDS) -> StageRequest | None:
        key = self.queue.pop(kinds)
        if key is None:
            return None
        self.running += 1
        return self.requests[key]

    def take(self, event: Event) -> None:
        if isinstance(event, Ended):
            self.running -= 1
            self.ended += 1
            self.queue.done(event.key)

    def tick(self) -> list[str]:
        return []


def _needs(request: StageRequest) -> tuple[str, ...]:
    return () if request.spec.parent is None else (request.spec.parent,)


@cache
def made_requests(stages: int) -> dict[str, StageRequest]:
    """Return so many stages: pre-trainings, each followed by its fine-tunings."""
    requests, parent = {}, ""
    for i in range(stages):
        spec = finetune(i, parent) if i % (1 + CHILDREN) else pretrain(i)
        key = spec.key
        parent = parent if i % (1 + CHILDREN) else key
        requests[key] = StageRequest(spec, f"/w/stages/{key}", None, {}, "/w/data", Execution())
    return requests


def stream(stages: int) -> int:
    """Do what Tune does with a searcher and its listener; return how many stages ended."""
    work = InMemory(made_requests(stages))
    desk = Desk(work, Shares(cpus=1, gpus=0, workers=1, slots=AT_ONCE), None)
    searcher, running = Stages(desk), deque[str]()
    for trial in map(str, count()):
        config = searcher.suggest(trial)
        if isinstance(config, dict):
            desk.started(trial)
            running.append(trial)
        if running and (config is None or len(running) == AT_ONCE):
            over = running.popleft()
            searcher.on_trial_complete(over)
            desk.ended(over, "0" * 64)
        if config == Searcher.FINISHED:
            break
    return work.ended


@pytest.fixture(scope="module")
def stage_s() -> dict[int, float]:
    """How many stages -> seconds per stage."""
    return {}


@pytest.mark.benchmark(group=GROUP, timer=time.process_time)
@pytest.mark.parametrize("stages", ROUNDS)
def bench_searcher(benchmark: BenchmarkFixture, stage_s: dict[int, float], stages: int) -> None:
    made_requests(stages)
    ended = benchmark.pedantic(stream, (stages,), rounds=ROUNDS[stages])  # type: ignore[no-untyped-call]  # the library has no types
    assert ended == stages
    benchmark.extra_info[PARTS] = stages
    measured: Any = benchmark.stats
    stage_s[stages] = measured.stats.median / stages
    assert stage_s[stages] <= MOST_RATIO * min(stage_s.values())
