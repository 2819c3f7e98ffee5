"""The training loop: resumable to the bit, independent of workers, and honest about divergence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gpbench.api import Draws
from gpbench.core.errors import ContractError, DivergedError, StageInterruptedError
from gpbench.core.recipe import Execution, Optimisation
from gpbench.core.stage import HistoryRow, Numerics
from gpbench.engine import checkpoint
from gpbench.engine.device import set_up
from gpbench.engine.loop import Fetched, Trainer, Training
from gpbench.engine.monitor import Beat, Silent

STEPS = 12
CPU = torch.device("cpu")


class Regression(nn.Module):
    """A task with dropout and noise from draws: both kinds of randomness must survive a resume."""

    def __init__(self, dropout: float = 0.3, bad_step: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 1))
        self.bad_step = bad_step

    def views(self, batch: tuple[int, Tensor], draws: Draws) -> tuple[int, Tensor]:
        step, inputs = batch
        return step, inputs + 0.1 * draws.normal("noise", 4)

    def loss(self, views: tuple[int, Tensor]) -> dict[str, Tensor]:
        step, inputs = views
        loss = (self.net(inputs)[:, 0] - inputs.sum(1)).square().mean()
        return {"loss": loss * torch.nan if step == self.bad_step else loss}


class StopAfter(Silent):
    """A monitor that stops a training once a step was reached."""

    def __init__(self, step: int) -> None:
        self.asked, self.step = 0, step

    def stop_wanted(self) -> bool:
        self.asked += 1
        return self.asked >= self.step


def fetch(step: int) -> Fetched:
    generator = torch.Generator().manual_seed(step)
    inputs = torch.randn(8, 4, generator=generator)
    return Fetched(8, lambda part, _device: (step, inputs[part]))


def training(folder: Path, task: nn.Module, **changes: Any) -> Training:
    net: Any = task.net
    base = Training(
        task=task,
        backbone=net,
        fetch=fetch,
        steps=STEPS,
        optim=Optimisation(lr=0.05, warmup_steps=2, clip_grad=1.0),
        numerics=Numerics(1, "fp32", channels_last=False),
        execution=Execution(loader_workers=0),
        device=CPU,
        seed=3,
        folder=folder,
    )
    return replace(base, **changes)


def trained(
    folder: Path, monitor: Silent | None = None, task: nn.Module | None = None, **changes: Any
) -> tuple[dict[str, Tensor], list[HistoryRow]]:
    folder.mkdir(exist_ok=True)
    set_up(Numerics(1, "fp32", channels_last=False), seed=11)
    trainer = Trainer(training(folder, task or Regression(), **changes), monitor or Silent())
    history = trainer.run()
    return dict(trainer.exported().state_dict()), history


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("stop_after", [1, 5, 11])
@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_stopped_training_resumes_to_the_same_bits(
    tmp_path: Path, stop_after: int, ema_decay: float | None
) -> None:
    optim = Optimisation(lr=0.05, warmup_steps=2, clip_grad=1.0, ema_decay=ema_decay)
    weights, history = trained(tmp_path / "whole", optim=optim)
    with pytest.raises(StageInterruptedError, match=f"after step {stop_after}"):
        trained(tmp_path / "cut", StopAfter(stop_after), optim=optim)
    again, history_again = trained(tmp_path / "cut", optim=optim)
    assert same(weights, again)
    assert history == history_again


def test_resume_without_the_generators_state_would_differ(tmp_path: Path) -> None:
    weights, _ = trained(tmp_path / "whole")
    with pytest.raises(StageInterruptedError):
        trained(tmp_path / "cut", StopAfter(5))
    path = tmp_path / "cut" / checkpoint.NAME
    state = torch.load(path, weights_only=True)
    state["cpu_rng"] = torch.Generator().manual_seed(99).get_state()
    torch.save(state, path)
    again, _ = trained(tmp_path / "cut")
    assert not same(weights, again)


def test_loader_workers_change_nothing(tmp_path: Path) -> None:
    weights, history = trained(tmp_path / "0")
    threaded, rows = trained(tmp_path / "3", execution=Execution(loader_workers=3))
    assert same(weights, threaded)
    assert history == rows


def test_other_seed_gives_other_weights(tmp_path: Path) -> None:
    weights, _ = trained(tmp_path / "a")
    other, _ = trained(tmp_path / "b", seed=4)
    assert not same(weights, other)


def test_loss_that_is_not_finite_names_its_step(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="nan at step 7") as caught:
        trained(tmp_path / "run", task=Regression(bad_step=7))
    assert caught.value.step == 7


def test_micro_batches_give_the_whole_batchs_gradient(tmp_path: Path) -> None:
    execution = Execution(loader_workers=0, micro_batch=3)
    weights, _ = trained(tmp_path / "a", task=Regression(dropout=0.0))
    cut, _ = trained(tmp_path / "b", task=Regression(dropout=0.0), execution=execution)
    for name, value in weights.items():
        torch.testing.assert_close(cut[name], value, rtol=1e-4, atol=1e-5)


def test_history_covers_the_training_in_at_most_a_hundred_rows(tmp_path: Path) -> None:
    _, short = trained(tmp_path / "short")
    _, long = trained(tmp_path / "long", steps=250)
    assert [row.step for row in short] == list(range(1, STEPS + 1))
    assert len(long) <= 100
    assert long[-1].step == 250
    assert long[-1].loss < long[0].loss


def test_task_without_a_loss_breaks_its_contract(tmp_path: Path) -> None:
    class Lossless(Regression):
        def loss(self, views: tuple[int, Tensor]) -> dict[str, Tensor]:
            return {"los": super().loss(views)["loss"]}

    with pytest.raises(ContractError, match="'loss'"):
        trained(tmp_path / "run", task=Lossless())


def test_monitor_hears_the_last_step(tmp_path: Path) -> None:
    heard: list[Beat] = []

    class Listening(Silent):
        def beat(self, beat: Beat) -> None:
            heard.append(beat)

    trained(tmp_path / "run", Listening())
    assert (heard[-1].step, heard[-1].steps) == (STEPS, STEPS)
    assert heard[-1].loss is not None
