"""Memory that does not suffice: the micro-batch is halved, and nothing else changes."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gpbench.core.errors import OutOfMemoryError, StageInterruptedError
from gpbench.core.recipe import Execution
from gpbench.core.stage import Numerics
from gpbench.engine.device import set_up
from gpbench.engine.loop import Trainer
from gpbench.engine.monitor import Silent
from tests.engine.test_loop import Regression, StopAfter, same, trained, training


class Narrow(Regression):
    """A task on a device with room for so many samples; its dropout draws before it fails."""

    def __init__(self, room: int, dropout: float = 0.3) -> None:
        super().__init__(dropout)
        self.room, self.widths = room, list[int]()
        self.failed = list[weakref.ref[Tensor]]()

    def loss(self, views: tuple[int, Tensor]) -> dict[str, Tensor]:
        self.widths.append(len(views[1]))
        assert not [each for each in self.failed if each() is not None]
        found = super().loss(views)
        if len(views[1]) > self.room:
            self.failed.append(weakref.ref(found["loss"]))
            raise torch.OutOfMemoryError(f"no room for {len(views[1])}")
        return found


def in_parts(width: int) -> Execution:
    return Execution(loader_workers=0, micro_batch=width)


@pytest.mark.parametrize(("room", "width"), [(5, 4), (2, 2), (1, 1)])
def test_batch_is_cut_until_it_fits_and_ends_as_if_it_had_been_cut_before(
    tmp_path: Path, room: int, width: int
) -> None:
    whole = Regression()
    weights, history = trained(tmp_path / "asked", task=whole, execution=in_parts(width))
    task = Narrow(room)
    cut, rows = trained(tmp_path / "forced", task=task, may_cut=True)
    assert same(weights, cut)
    assert history == rows
    assert [each for each in task.widths if each > room] == [
        each for each in (8, 4, 2) if each > room
    ]


def test_what_did_not_fit_is_freed_before_the_next_attempt(tmp_path: Path) -> None:
    task = Narrow(1)
    gc.disable()  # it may come too late
    try:
        trained(tmp_path / "run", task=task, may_cut=True)
    finally:
        gc.enable()
    assert len(task.failed) == 3


def test_cut_batch_has_the_gradient_of_the_whole(tmp_path: Path) -> None:
    weights, _ = trained(tmp_path / "whole", task=Regression(dropout=0.0))
    cut, _ = trained(tmp_path / "cut", task=Narrow(2, dropout=0.0), may_cut=True)
    for name, value in weights.items():
        torch.testing.assert_close(cut[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("room", "changes", "width"), [(0, {"may_cut": True}, 1), (5, {"may_cut": False}, 8)]
)
def test_batch_that_cannot_be_cut_further_is_the_error(
    tmp_path: Path, room: int, changes: dict[str, Any], width: int
) -> None:
    with pytest.raises(OutOfMemoryError, match=rf"for {width} sample\(s\) at once: no room"):
        trained(tmp_path / "run", task=Narrow(room), **changes)


def test_micro_batch_that_was_asked_for_is_where_halving_begins(tmp_path: Path) -> None:
    task = Narrow(2)
    trained(tmp_path / "run", task=task, may_cut=True, execution=in_parts(3))
    assert max(task.widths) == 3
    assert set(task.widths[1:]) == {1}


def test_width_that_fits_outlives_an_interruption(tmp_path: Path) -> None:
    weights, _ = trained(tmp_path / "whole", task=Narrow(2), may_cut=True)
    with pytest.raises(StageInterruptedError):
        trained(tmp_path / "cut", StopAfter(5), task=Narrow(2), may_cut=True)
    roomy = Narrow(8)
    again, _ = trained(tmp_path / "cut", task=roomy, may_cut=True)
    assert set(roomy.widths) == {2}
    assert same(weights, again)


@pytest.mark.parametrize(("changes", "width"), [({}, 2), ({"execution": in_parts(1)}, 1)])
def test_trainer_says_how_many_samples_it_took_at_once(
    tmp_path: Path, changes: dict[str, Any], width: int
) -> None:
    set_up(Numerics(1, "fp32", channels_last=False), seed=11)
    trainer = Trainer(training(tmp_path, Narrow(2), may_cut=True, **changes), Silent())
    trainer.run()
    assert trainer.micro_batch == width
