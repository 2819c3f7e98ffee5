"""Several processes that train one network: the same numbers, one fate."""

from __future__ import annotations

import dataclasses
import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor, nn

from gpbench.core.errors import DivergedError, InvalidValueError
from gpbench.core.recipe import Execution, Optimisation, PretrainRecipe
from gpbench.core.stage import BACKBONE_FILE, HistoryRow, PretrainSpec, StageRequest
from gpbench.engine import distributed
from gpbench.engine.distributed import Group
from gpbench.engine.loop import Fetched, Trainer
from gpbench.engine.monitor import Beat, Silent
from gpbench.stages import pretrain
from tests.engine.test_gradients import Narrow
from tests.engine.test_loop import Regression, StopAfter, training
from tests.stages.test_pretrain import SPEC

RECIPE = PretrainRecipe(batch=8, crop_px=32, steps=4, optim=Optimisation(warmup_steps=0))
WHOLE = dataclasses.replace(SPEC, recipe=RECIPE)
DROPPING = dataclasses.replace(SPEC, recipe=dataclasses.replace(RECIPE, drop_path=0.3))

PATIENCE_S = 90.0
"""How long a process waits for another one: none is left when the tests end."""


class Workers:
    """Processes that form groups for one function call after another."""

    def __init__(self, pool: ProcessPoolExecutor, folder: Path) -> None:
        self._pool, self._folder, self._calls = pool, folder, 0

    def run(self, world: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Return what `function(*arguments)` returned, or "Error: text", in each of `world`."""
        self._calls += 1
        store = self._folder / f"store-{self._calls}"
        futures: list[Future[Any]] = [
            self._pool.submit(_member, rank, world, store, function, arguments)
            for rank in range(world)
        ]
        return [future.result(timeout=2 * PATIENCE_S) for future in futures]


def _member(
    rank: int, world: int, store: Path, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Any:
    torch.set_num_threads(1)
    patience = timedelta(seconds=PATIENCE_S)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=world, timeout=patience
    )
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001  not every exception survives pickling
        return "".join(traceback.format_exception_only(error))
    finally:
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        yield Workers(pool, tmp_path_factory.mktemp("stores"))


# --- one pre-training ---


@dataclass
class Result:
    history: list[HistoryRow]
    facts: dict[str, str]
    beats: list[Beat]


class Noting(StopAfter):
    def __init__(self, stop_after: int) -> None:
        super().__init__(stop_after)
        self.beats = list[Beat]()

    def beat(self, beat: Beat) -> None:
        self.beats.append(beat)


def phase(folder: Path, spec: PretrainSpec, stop_after: int = 10**9, **execution: Any) -> Result:
    """Run a phase as one of a group, or alone."""
    settings = Execution(device="cpu", loader_workers=0, **execution)
    request = StageRequest(spec, str(folder), None, {}, str(folder), settings)
    monitor = Noting(stop_after)
    done = pretrain.pretrain(request, monitor)
    return Result(list(done.history), dict(done.facts), monitor.beats)


def losses(result: Result) -> list[float]:
    return [row.loss for row in result.history]


def folder_of(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """Return the pre-training of one process."""
    folder = tmp_path_factory.mktemp("alone")
    return phase(folder, WHOLE), folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "micro_batch", "width"), [(1, None, 8), (2, None, 4), (4, None, 2), (2, 1, 1)]
)
def test_workers_see_one_workers_losses(
    workers: Workers,
    alone: tuple[Result, Path],
    tmp_path: Path,
    world: int,
    micro_batch: int | None,
    width: int,
) -> None:
    whole, folder = alone
    results = workers.run(world, _phase_in_parts, tmp_path, WHOLE, micro_batch)
    for result in results:
        assert losses(result) == pytest.approx(losses(whole), rel=1e-5)
        assert [row.lr for row in result.history] == [row.lr for row in whole.history]
        assert result.facts == {"pretrain_workers": str(world), "micro_batch": str(width)}
    ours, theirs = (load_file(each / BACKBONE_FILE) for each in (folder, tmp_path))
    for name, weights in ours.items():
        torch.testing.assert_close(theirs[name], weights, rtol=1e-2, atol=2e-3)


def _phase_in_parts(folder: Path, spec: PretrainSpec, micro_batch: int | None) -> Result:
    return phase(folder, spec, micro_batch=micro_batch)


def test_losses_are_those_of_a_training_that_changes(alone: tuple[Result, Path]) -> None:
    found = losses(alone[0])
    assert len(set(found)) == len(found) == RECIPE.steps


@pytest.mark.slow
def test_stopped_workers_go_on_to_the_same_bits(workers: Workers, tmp_path: Path) -> None:
    whole, cut = folder_of(tmp_path, "whole"), folder_of(tmp_path, "cut")
    undisturbed = workers.run(2, phase, whole, DROPPING)
    stopped = workers.run(2, phase, cut, DROPPING, 2)
    assert [str(each).strip().split(".")[-1] for each in stopped] == [
        "StageInterruptedError: stopped after step 2"
    ] * 2
    again = workers.run(2, phase, cut, DROPPING)
    assert [each.history for each in again] == [each.history for each in undisturbed]
    assert (cut / BACKBONE_FILE).read_bytes() == (whole / BACKBONE_FILE).read_bytes()


@pytest.mark.slow
def test_first_worker_alone_beats(workers: Workers, tmp_path: Path) -> None:
    first, second = workers.run(2, phase, tmp_path, WHOLE)
    assert first.beats[-1].step == RECIPE.steps
    assert not second.beats


@pytest.mark.slow
def test_batch_statistics_are_refused_on_cpus(workers: Workers, tmp_path: Path) -> None:
    spec = dataclasses.replace(WHOLE, backbone="test_resnet")
    for said in workers.run(2, phase, tmp_path, spec):
        assert "execution.pretrain_workers = 2 is not allowed" in said
        assert "batch statistics" in said


@pytest.mark.slow
def test_batch_that_cannot_be_shared_equally_is_refused(workers: Workers, tmp_path: Path) -> None:
    spec = dataclasses.replace(WHOLE, recipe=dataclasses.replace(RECIPE, batch=7))
    for said in workers.run(2, phase, tmp_path, spec):
        assert "execution.pretrain_workers = 2 is not allowed: a divisor of the batch of 7" in said


def test_task_whose_loss_is_no_mean_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="splittable"):
        pretrain._check_shareable(nn.Linear(1, 1), Group(0, 2), torch.device("cpu"))


# --- one fate ---


def fetch_part(group: Group, bad_rank: int | None = None) -> Callable[[int], Fetched]:
    def fetch(step: int) -> Fetched:
        if step == 2 and group.rank == bad_rank:
            raise FileNotFoundError(f"image of step {step}")
        generator = torch.Generator().manual_seed(step)
        mine = group.part(8)
        inputs = torch.randn(8, 4, generator=generator)[mine]
        return Fetched(len(inputs), lambda part, _device: (step, inputs[part]), mine.start)

    return fetch


def train(
    folder: Path, task: nn.Module, *, bad_rank: int | None = None, may_cut: bool = True
) -> tuple[list[HistoryRow], int | None, dict[str, Tensor]]:
    group = Group.current()
    made = training(folder, task, group=group, fetch=fetch_part(group, bad_rank), may_cut=may_cut)
    trainer = Trainer(made, Silent())
    history = trainer.run()
    return history, trainer.micro_batch, dict(trainer.exported().state_dict())


def room_for_two(folder: Path) -> Any:
    return train(folder, Narrow(8 if Group.current().leads else 2, 0.0))


def uncut(folder: Path) -> Any:
    return train(folder, Narrow(8 if Group.current().leads else 2, 0.0), may_cut=False)


def failing_fetch(folder: Path) -> Any:
    return train(folder, Regression(0.0), bad_rank=1)


class Stumbling(Regression):
    """A task that fails in the second worker after its second step."""

    def after_step(self, step: int) -> None:
        if step == 1 and not Group.current().leads:
            raise ArithmeticError(f"after step {step}")


def failing_after_step(folder: Path) -> Any:
    return train(folder, Stumbling(0.0))


def no_room_to_average(folder: Path) -> Any:
    """Train where the second worker once has no room for what it is to send."""
    flat, failures = distributed._flat, [] if Group.current().leads else [1]

    def full(parameters: Sequence[nn.Parameter]) -> Any:
        if failures:
            raise torch.OutOfMemoryError(f"no room for {failures.pop()} vector")
        return flat(parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "_flat", full)
        return train(folder, Regression(0.0))


def other_start(folder: Path) -> Any:
    task = Regression(0.0)
    with torch.no_grad():
        for each in task.parameters():
            each.add_(Group.current().rank)
    return train(folder, task)[2]


def diverging(folder: Path) -> Any:
    try:
        return train(folder, Regression(0.0, bad_step=None if Group.current().leads else 3))
    except DivergedError as error:
        return error.step


@pytest.mark.slow
def test_memory_of_one_worker_cuts_the_batches_of_all(workers: Workers, tmp_path: Path) -> None:
    alone_rows, _, _ = train(folder_of(tmp_path, "alone"), Regression(0.0))
    for history, width, _ in workers.run(2, room_for_two, tmp_path):
        assert width == 2
        assert [row.loss for row in history] == pytest.approx(
            [row.loss for row in alone_rows], rel=1e-5
        )


@pytest.mark.slow
def test_memory_that_does_not_suffice_for_one_ends_all(workers: Workers, tmp_path: Path) -> None:
    first, second = workers.run(2, uncut, tmp_path)
    assert "OutOfMemoryError" in first
    assert "worker 2 of 2: OutOfMemoryError: no room for 4" in first
    assert "did not suffice for 4 sample(s) at once: no room for 4" in second


@pytest.mark.slow
def test_failure_of_one_worker_is_everyones(workers: Workers, tmp_path: Path) -> None:
    first, second = workers.run(2, failing_fetch, tmp_path)
    assert "WorkerFailedError: worker 2 of 2: FileNotFoundError: image of step 2" in first
    assert "in fetch" in first  # the other's traceback is kept
    assert second.startswith("FileNotFoundError")


@pytest.mark.slow
def test_failure_after_the_gradients_is_everyones(workers: Workers, tmp_path: Path) -> None:
    first, second = workers.run(2, failing_after_step, tmp_path)
    assert "WorkerFailedError: worker 2 of 2: ArithmeticError: after step 1" in first
    assert second.startswith("ArithmeticError: after step 1")


@pytest.mark.slow
def test_memory_for_the_exchange_cuts_the_batches_of_all(workers: Workers, tmp_path: Path) -> None:
    alone_rows, _, _ = train(folder_of(tmp_path, "alone"), Regression(0.0))
    for history, width, _ in workers.run(2, no_room_to_average, tmp_path):
        assert width == 2
        assert [row.loss for row in history] == pytest.approx(
            [row.loss for row in alone_rows], rel=1e-5
        )


@pytest.mark.slow
def test_workers_start_from_the_firsts_weights(workers: Workers, tmp_path: Path) -> None:
    first, second = workers.run(2, other_start, tmp_path)
    for name, weights in first.items():
        assert torch.equal(weights, second[name])


@pytest.mark.slow
def test_loss_that_is_not_finite_in_one_worker_ends_all_at_that_step(
    workers: Workers, tmp_path: Path
) -> None:
    assert workers.run(2, diverging, tmp_path) == [3, 3]


def test_layers_that_share_statistics_wait_in_a_group_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, made = dict[str, Any](), object()

    def new_group(**settings: Any) -> object:
        asked.update(settings)
        return made

    monkeypatch.setattr(dist, "new_group", new_group)
    pretrain._limit_waits(nn.BatchNorm2d(2))
    assert not asked
    task = nn.Sequential(nn.SyncBatchNorm(2), nn.Conv2d(2, 2, 1), nn.SyncBatchNorm(2))
    pretrain._limit_waits(task)
    assert [getattr(each, "process_group", None) for each in task] == [made, None, made]
    assert asked["timeout"].total_seconds() == pretrain.STATISTICS_S < 3600


# --- the group itself ---


class Branching(nn.Module):
    """Parameters of which one is used by all, one by the second worker, one by none."""

    def __init__(self) -> None:
        super().__init__()
        self.all, self.second, self.none = (nn.Parameter(torch.zeros(2)) for _ in range(3))

    def forward(self, rank: int) -> Tensor:
        total = self.all.sum() * (rank + 1)
        return total + 4 * self.second.sum() if rank else total


def averaged() -> list[list[float] | None]:
    group, module = Group.current(), Branching()
    module(group.rank).backward()
    group.average_gradients(list(module.parameters()))
    return [None if each.grad is None else each.grad.tolist() for each in module.parameters()]


def exchanged() -> tuple[Any, ...]:
    group = Group.current()
    flags = group.decided(group.leads, not group.leads)
    return group.broadcast(f"from {group.rank}"), group.gather(group.rank), flags


def drawn() -> list[float]:
    folder = Path()
    request = StageRequest(WHOLE, str(folder), None, {}, str(folder), Execution(device="cpu"))
    pretrain._prepared(request, WHOLE, Group.current())
    return torch.rand(3).tolist()


@pytest.mark.slow
def test_gradients_are_means_and_unused_parameters_have_none(workers: Workers) -> None:
    assert workers.run(2, averaged) == [[[1.5, 1.5], [2.0, 2.0], None]] * 2


@pytest.mark.slow
def test_values_travel_from_the_first_or_to_all(workers: Workers) -> None:
    assert workers.run(2, exchanged) == [("from 0", [0, 1], (True, False))] * 2


@pytest.mark.slow
def test_each_worker_draws_dropout_of_its_own(workers: Workers) -> None:
    first, second = workers.run(2, drawn)
    assert first != second


def test_process_by_itself_is_a_group_of_one() -> None:
    group = Group.current()
    assert (group, group.leads, group.part(7)) == (Group(0, 1), True, slice(0, 7))
    with pytest.raises(KeyError), group.together():
        raise KeyError


def test_parts_of_a_batch_are_equal_and_cover_it() -> None:
    parts = [Group(rank, 3).part(6) for rank in range(3)]
    assert [list(range(6)[part]) for part in parts] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(InvalidValueError, match="= 3 is not allowed: a divisor of the batch of 8"):
        Group(0, 3).part(8)
