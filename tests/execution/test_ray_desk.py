"""Which stages Ray Tune is given, and when; and what is refused. Without Ray."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from gpbench.core.errors import InvalidValueError
from gpbench.execution.executor import Died, Ended, Started
from gpbench.execution.ray_cluster import ClusterOptions, Needs, Node, local_node
from gpbench.execution.ray_desk import AHEAD, Desk
from gpbench.execution.ray_shares import Shares, shares_of
from tests.execution.ray_stages import FakeWork, Stage

SINGLE = Shares(cpus=1, gpus=0, workers=1, slots=4)
NUMBERS = itertools.count()
PAIRS = Shares(cpus=1, gpus=0, workers=2, slots=4)


def nodes(*sizes: tuple[float, float]) -> list[Node]:
    return [Node(str(i), f"node{i}", cpus, gpus) for i, (cpus, gpus) in enumerate(sizes)]


def trials(desk: Desk, number: int) -> list[str]:
    """Ask for stages as Tune does; return the trials that got one."""
    names = [f"trial{next(NUMBERS)}" for _ in range(number)]
    return [name for name in names if desk.next(name) is not None]


def desk_of(
    stages: Sequence[Stage], shares: Shares, folder: Path, jobs: int | None = None
) -> tuple[Desk, FakeWork]:
    work = FakeWork(list(stages), folder)
    return Desk(work, shares, jobs), work


def test_few_trials_wait_so_that_the_order_is_decided_late(tmp_path: Path) -> None:
    desk, _ = desk_of([Stage(f"s{i}") for i in range(9)], SINGLE, tmp_path)
    first = trials(desk, 9)
    assert len(first) == AHEAD
    for trial in first:
        desk.started(trial)
    assert len(trials(desk, 9)) == AHEAD


def test_no_more_stages_at_once_than_jobs(tmp_path: Path) -> None:
    desk, _ = desk_of([Stage(f"s{i}") for i in range(9)], SINGLE, tmp_path, jobs=1)
    (only,) = trials(desk, 9)
    desk.started(only)
    assert trials(desk, 3) == []
    desk.ended(only, "0" * 64)
    assert len(trials(desk, 3)) == 1


def test_a_pretraining_begins_only_when_all_its_workers_find_room(tmp_path: Path) -> None:
    stages = [Stage("a"), Stage("b"), Stage("c"), Stage("big", kind="pretrain")]
    desk, work = desk_of(stages, PAIRS, tmp_path)
    running = trials(desk, AHEAD)
    for trial in running:
        desk.started(trial)
    running += trials(desk, 1)
    desk.started(running[-1])
    assert work.said(Started) == ["a", "b", "c"]
    assert trials(desk, 5) == []  # three of four slots are taken
    desk.ended(running[0], "0" * 64)
    (big,) = trials(desk, 5)
    desk.started(big)
    assert work.said(Started)[-1] == "big"


def test_no_stage_takes_the_room_of_a_pretraining_that_has_begun(tmp_path: Path) -> None:
    stages = [Stage("big", kind="pretrain"), *(Stage(f"s{i}") for i in range(9))]
    desk, _ = desk_of(stages, PAIRS, tmp_path)
    assert len(trials(desk, 9)) == 1 + (PAIRS.slots - PAIRS.workers)


def test_a_waiting_pretraining_is_not_in_the_way_and_not_overtaken_for_ever(
    tmp_path: Path,
) -> None:
    """With one waiting trial, as Tune would have it, everything would wait behind the first one."""
    stages = [Stage("first"), Stage("big", kind="pretrain"), *(Stage(f"s{i}") for i in range(99))]
    shares = Shares(cpus=1, gpus=0, workers=4, slots=4)
    desk, work = desk_of(stages, shares, tmp_path)
    running = trials(desk, 1)
    desk.started(running[0])
    for _ in range(99):
        new = trials(desk, 3)
        for trial in new:
            desk.started(trial)
        running += new
        if work.said(Started)[-1] == "big":
            break
        desk.ended(running.pop(0), "0" * 64)
    assert work.said(Started) == ["first", *(f"s{i}" for i in range(shares.slots)), "big"]


def test_a_pretraining_that_waits_is_given_back_at_a_stop(tmp_path: Path) -> None:
    desk, work = desk_of([Stage("a"), Stage("big", kind="pretrain")], PAIRS, tmp_path)
    desk = Desk(work, Shares(cpus=1, gpus=0, workers=4, slots=4), None)
    (only,) = trials(desk, 3)
    desk.started(only)
    work.stop_wanted = True
    assert trials(desk, 1) == []
    assert work.state["big"] == "stopped"
    desk.ended(only, None)
    assert desk.finished
    assert work.said(Started) == ["a"]


def test_a_stage_that_died_is_handed_out_again(tmp_path: Path) -> None:
    desk, work = desk_of([Stage("a")], SINGLE, tmp_path)
    for _ in range(2):
        (trial,) = trials(desk, 3)
        desk.started(trial)
        desk.died(trial, "gone")
    (trial,) = trials(desk, 3)
    desk.started(trial)
    desk.ended(trial, "0" * 64)
    assert desk.finished
    assert work.said(Died, Ended) == ["a", "a", "a"]


def test_what_the_driver_raises_is_kept(tmp_path: Path) -> None:
    desk, work = desk_of([Stage("a")], SINGLE, tmp_path)

    def full(_name: str, _event: object) -> None:
        raise OSError("no space left")

    work.on_event = full
    (trial,) = trials(desk, 1)
    with pytest.raises(OSError, match="no space left"):
        desk.started(trial)
    assert isinstance(desk.failure, OSError)


def test_what_waits_for_room_is_given_back_at_a_stop_once_nothing_runs(tmp_path: Path) -> None:
    desk, work = desk_of([Stage("a"), Stage("b"), Stage("big", kind="pretrain")], PAIRS, tmp_path)
    runs, waits = trials(desk, 2)
    desk.started(runs)
    assert not desk.dropped()
    work.stop_wanted = True
    assert not desk.dropped()  # what runs writes its checkpoint first
    desk.ended(runs, None)
    assert desk.dropped()
    assert work.state == {"a": "stopped", "b": "stopped", "big": "waiting"}
    assert desk.finished
    with pytest.raises(KeyError):
        desk.ended(waits, None)


def test_a_pretraining_that_is_kept_is_given_back_too(tmp_path: Path) -> None:
    whole = Shares(cpus=1, gpus=0, workers=4, slots=4)
    desk, work = desk_of([Stage("a"), Stage("big", kind="pretrain")], whole, tmp_path)
    assert len(trials(desk, 3)) == 1
    work.stop_wanted = True
    assert desk.dropped()
    assert work.state == {"a": "stopped", "big": "stopped"}


@pytest.mark.parametrize(("jobs", "workers", "cpus"), [(3, 1, 6), (1, 4, 8), (4, 4, 8)])
def test_the_cluster_of_a_run_has_room_for_its_jobs_and_its_workers(
    jobs: int, workers: int, cpus: int
) -> None:
    options, needs = ClusterOptions(jobs=jobs), Needs(2, "cpu", workers)
    here = local_node(options, needs)
    assert here.cpus == cpus
    assert shares_of(options, needs, [here]).slots == max(jobs, workers)


@pytest.mark.parametrize(
    ("options", "needs", "cluster", "said"),
    [
        (
            ClusterOptions("auto"),
            Needs(8),
            nodes((2, 0), (4, 0)),
            "recipe.cpu_threads = 8 is not allowed: no machine has more than 4 processors",
        ),
        (
            ClusterOptions(),
            Needs(2),
            nodes((1, 0)),
            (
                "recipe.cpu_threads = 2 is not allowed: no machine has more than 1 processors; "
                "--jobs 1 runs one stage at a time all the same"
            ),
        ),
        (
            ClusterOptions(gpus_per_stage=2),
            Needs(2),
            nodes((4, 1), (4, 1)),
            (
                "--gpus-per-stage = 2 is not allowed: no machine has so many GPUs; the most on one "
                "is 1"
            ),
        ),
        (
            ClusterOptions("auto"),
            Needs(4),
            nodes((8, 0), (2, 1)),
            (
                "recipe.cpu_threads = 4 is not allowed: no machine with 1 GPUs has more than 2 "
                "processors; --gpus-per-stage 0 runs the stages without"
            ),
        ),
        (
            ClusterOptions(),
            Needs(2, pretrain_workers=4),
            nodes((4, 1), (4, 1)),
            (
                "execution.pretrain_workers = 4 is not allowed: a worker has 2 processors and a "
                "GPU, and the cluster can hold 2"
            ),
        ),
        (
            ClusterOptions("auto"),
            Needs(2, "cpu", pretrain_workers=4),
            nodes((3, 8), (3, 8)),
            (
                "execution.pretrain_workers = 4 is not allowed: a worker has 2 processors, and the "
                "cluster can hold 2"
            ),
        ),
        (
            ClusterOptions(),
            Needs(2, "cpu", pretrain_workers=4),
            nodes((5, 0)),
            (
                "execution.pretrain_workers = 4 is not allowed: a worker has 2 processors, and the "
                "cluster can hold 2; --jobs 1 runs them all the same"
            ),
        ),
        (
            ClusterOptions(),
            Needs(1, "cuda"),
            nodes((4, 0)),
            "execution.device = 'cuda' is not allowed: the cluster has 0 GPUs, and stages get none",
        ),
        (
            ClusterOptions(gpus_per_stage=1.5),
            Needs(1),
            nodes((4, 2)),
            "--gpus-per-stage = 1.5 is not allowed: a part of one, or a whole number",
        ),
    ],
)
def test_what_no_machine_has_is_refused_with_both_numbers(
    options: ClusterOptions, needs: Needs, cluster: Sequence[Node], said: str
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        shares_of(options, needs, cluster)
    assert str(caught.value) == said
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("options", "needs", "cluster", "bundle", "slots"),
    [
        (ClusterOptions(), Needs(2), nodes((5, 0), (3, 0)), {"CPU": 2}, 3),
        (ClusterOptions(), Needs(2), nodes((16, 4)), {"CPU": 2, "GPU": 1}, 4),
        (ClusterOptions(), Needs(2, "cpu"), nodes((16, 4)), {"CPU": 2}, 8),
        (ClusterOptions(gpus_per_stage=0.5), Needs(1), nodes((16, 4)), {"CPU": 1, "GPU": 0.5}, 4),
        (ClusterOptions(gpus_per_stage=0), Needs(1), nodes((3, 4)), {"CPU": 1}, 3),
    ],
)
def test_a_stage_holds_its_processors_and_gpus(
    options: ClusterOptions,
    needs: Needs,
    cluster: Sequence[Node],
    bundle: dict[str, float],
    slots: int,
) -> None:
    shares = shares_of(options, needs, cluster)
    assert (shares.bundle("finetune"), shares.slots) == (bundle, slots)
    assert shares.bundle("pretrain") == bundle


@pytest.mark.parametrize(("gpus", "slots"), [(0.5, 1), (1, 1), (2, 2)])
def test_a_part_of_a_gpu_counts_as_a_whole_one(gpus: float, slots: int) -> None:
    shares = shares_of(ClusterOptions(gpus_per_stage=gpus), Needs(1), nodes((8, 4)))
    assert shares.takes("finetune") == slots


def test_a_distributed_pretraining_itself_holds_nothing_its_workers_need() -> None:
    shares = shares_of(ClusterOptions(), Needs(2, pretrain_workers=2), nodes((4, 2)))
    assert shares.worker == {"CPU": 2, "GPU": 1}
    assert not set(shares.bundle("pretrain")) & set(shares.worker)
    assert shares.bundle("finetune") == {"CPU": 2, "GPU": 1}
