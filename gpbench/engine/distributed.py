"""The processes that train one network together, each on its part of every batch.

Not torch's DistributedDataParallel: its gradients travel during the backward pass, so that a
process which fails in there, as where memory does not suffice, leaves the others waiting for ever.
Here nothing but numbers on the host travels until all have said that they are done.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gpbench.core.errors import GpbenchError, InvalidValueError, StageError, StageInterruptedError

_T = TypeVar("_T")


class WorkerLostError(StageInterruptedError):
    """Another process of a common training is gone: no outcome, the last checkpoint stays."""


class WorkerFailedError(StageError):
    """A common training failed in another of its processes."""


class _Fate(IntEnum):
    """How a common action went in one process; the worst is that of all."""

    FINE = 0
    OUT_OF_MEMORY = 1
    FAILED = 2


@dataclass(frozen=True)
class Group:
    """Who this process is among those that train one network; by itself it is alone.

    Every method is to be called by all processes of the group, in the same order. Alone, none of
    them does anything.

    Raises:
        WorkerLostError: From every method, if another process is gone.
    """

    rank: int = 0
    world: int = 1

    @classmethod
    def current(cls) -> Group:
        """Return torch's default process group, which has to serve tensors of the CPU, too."""
        if not dist.is_initialized():
            return cls()
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and talks to the monitor."""
        return self.rank == 0

    def part(self, batch: int) -> slice:
        """Return which samples of a batch are this process's.

        Raises:
            InvalidValueError: If the batch is not the same number of samples for each.
        """
        if batch % self.world:
            raise InvalidValueError(
                "execution.pretrain_workers", self.world, f"a divisor of the batch of {batch}"
            )
        share = batch // self.world
        return slice(self.rank * share, (self.rank + 1) * share)

    def broadcast(self, value: _T) -> _T:
        """Return the first process's value, a picklable one."""
        if self.world == 1:
            return value
        box: list[Any] = [value]
        with _lost_if_it_fails():
            dist.broadcast_object_list(box, src=0)
        received: _T = box[0]
        return received

    def share(self, module: nn.Module) -> None:
        """Give all processes the first one's parameters and buffers, still on the CPU."""
        if self.world > 1:
            module.load_state_dict(self.broadcast(module.state_dict()))

    def gather(self, value: _T) -> list[_T]:
        """Return the picklable values of all processes, by rank."""
        if self.world == 1:
            return [value]
        box: list[Any] = [None] * self.world
        with _lost_if_it_fails():
            dist.all_gather_object(box, value)
        return box

    def decided(self, *flags: bool) -> tuple[bool, ...]:
        """Return the first process's flags."""
        if self.world == 1:
            return flags
        numbers = torch.tensor(flags, dtype=torch.uint8)
        with _lost_if_it_fails():
            dist.broadcast(numbers, src=0)
        return tuple(bool(number) for number in numbers.tolist())

    def mean(self, values: Tensor) -> Tensor:
        """Return `values`, in place the mean over the processes, element by element."""
        if self.world == 1:
            return values
        with _lost_if_it_fails():
            dist.all_reduce(values)
        return values.div_(self.world)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace gradients by their means over the processes.

        A parameter that no process used keeps none, so that optimisers skip it as if alone.

        Raises:
            torch.OutOfMemoryError: If memory did not suffice for it in one of the processes.
        """
        if self.world == 1:
            return
        used = torch.tensor([each.grad is not None for each in parameters], dtype=torch.uint8)
        with _lost_if_it_fails():
            dist.all_reduce(used, dist.ReduceOp.MAX)
        kept = [each for each, is_used in zip(parameters, used.tolist(), strict=True) if is_used]
        with self.together():
            flats = _flat(kept)
        for gradients, flat in flats:
            parts = torch.split(self.mean(flat), [gradient.numel() for gradient in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view(gradient.shape))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make what is raised inside by one process be raised by all.

        Nothing inside may wait for another process.

        Raises:
            torch.OutOfMemoryError: If that was the worst, wherever.
            WorkerFailedError: If another process failed and this one did not.
        """
        try:
            yield
        except Exception as error:
            self._share_fate(error)
            raise
        self._share_fate(None)

    def _share_fate(self, error: Exception | None) -> None:
        """Tell the others how it went; raise where another fared worse."""
        if self.world == 1:
            return
        worst = torch.tensor(_fate(error).value)
        with _lost_if_it_fails():
            dist.all_reduce(worst, dist.ReduceOp.MAX)
        if worst == _Fate.FINE:
            return
        told = self.gather(None if error is None else _Told.of(error))
        failed = [(rank, each) for rank, each in enumerate(told) if each and each.fate == worst]
        if _fate(error) == worst:
            return
        rank, first = failed[0]
        raise first.error(f"worker {rank + 1} of {self.world}")


@dataclass(frozen=True)
class _Told:
    """An error as one process tells it to another: not every exception survives pickling."""

    fate: _Fate
    status: Any
    text: str
    trace: str

    @classmethod
    def of(cls, error: Exception) -> _Told:
        said = str(error) if isinstance(error, GpbenchError) else f"{type(error).__name__}: {error}"
        status = error.status if isinstance(error, StageError) else "invalid"
        return cls(_fate(error), status, said, "".join(traceback.format_exception(error)))

    def error(self, where: str) -> Exception:
        if self.fate == _Fate.OUT_OF_MEMORY:
            return torch.OutOfMemoryError(f"{where}: {self.text}")
        error = WorkerFailedError(f"{where}: {self.text}")
        error.status = self.status
        error.add_note(self.trace)
        return error


def _fate(error: Exception | None) -> _Fate:
    if error is None:
        return _Fate.FINE
    return _Fate.OUT_OF_MEMORY if isinstance(error, torch.OutOfMemoryError) else _Fate.FAILED


def _flat(parameters: Sequence[nn.Parameter]) -> list[tuple[list[Tensor], Tensor]]:
    """Return the gradients by type and each type's in one vector: one message for them all."""
    for each in parameters:
        if each.grad is None:
            each.grad = torch.zeros_like(each)
    gradients = [each.grad for each in parameters if each.grad is not None]
    flats = []
    for dtype in sorted({gradient.dtype for gradient in gradients}, key=str):
        alike = [gradient for gradient in gradients if gradient.dtype == dtype]
        flats.append((alike, torch.cat([gradient.reshape(-1) for gradient in alike])))
    return flats


@contextmanager
def _lost_if_it_fails() -> Iterator[None]:
    """Say so where an exchange fails: the other end is gone, whatever the backend calls it."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise WorkerLostError(f"another worker of this pre-training is gone: {reason}") from error
