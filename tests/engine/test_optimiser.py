"""Optimiser groups and schedules, against rates worked out by hand."""

from __future__ import annotations

import math

import pytest
import timm
import torch
from torch import nn

from gpbench.core.errors import InvalidValueError, UnknownNameError
from gpbench.core.recipe import Optimisation
from gpbench.engine.optimiser import build_optimiser, build_schedule


class Headed(nn.Module):
    """A timm model with a layer of the task's own."""

    def __init__(self) -> None:
        super().__init__()
        self.net = timm.create_model("test_convnext3", pretrained=False, num_classes=3)
        self.own = nn.Linear(3, 2)


def rates(optim: Optimisation, steps: int) -> list[float]:
    module = nn.Linear(2, 2)
    optimiser = build_optimiser(module, module, optim)
    schedule = build_schedule(optimiser, optim, steps)
    found = []
    for step in range(steps):
        schedule.step_update(step)
        found.append(optimiser.param_groups[0]["lr"])
    return found


def test_warm_up_is_linear_and_then_follows_the_polynomial() -> None:
    optim = Optimisation(lr=1.0, schedule="poly", poly_power=2.0, warmup_steps=4, warmup_lr=0.2)
    found = rates(optim, 10)
    assert found[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert found[4:] == pytest.approx([(1 - t**1 / 10) ** 2 for t in range(4, 10)])


def test_cosine_falls_to_the_least_rate() -> None:
    found = rates(Optimisation(lr=1.0, schedule="cosine", min_lr=0.1), 10)
    assert found == pytest.approx(
        [0.1 + 0.45 * (1 + math.cos(math.pi * t / 10)) for t in range(10)]
    )


def test_constant_rate_stays_after_its_warm_up() -> None:
    optim = Optimisation(lr=0.5, schedule="constant", warmup_steps=2, warmup_lr=0.1)
    assert rates(optim, 6) == pytest.approx([0.1, 0.3, 0.5, 0.5, 0.5, 0.5])


def test_warm_up_longer_than_the_training_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="less than the 5 steps"):
        rates(Optimisation(warmup_steps=5), 5)


def test_unknown_optimiser_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'adamw'"):
        rates(Optimisation(optimizer="adamww"), 5)


@pytest.mark.parametrize("layer_decay", [None, 0.5])
def test_every_parameter_is_optimised_once_and_vectors_are_not_decayed(
    layer_decay: float | None,
) -> None:
    task = Headed()
    optim = Optimisation(lr=1.0, weight_decay=0.1, layer_decay=layer_decay)
    optimiser = build_optimiser(task, task.net, optim)
    seen = [id(p) for group in optimiser.param_groups for p in group["params"]]
    assert sorted(seen) == sorted(id(p) for p in task.parameters())
    decay = {id(p): g["weight_decay"] for g in optimiser.param_groups for p in g["params"]}
    assert all(decay[id(p)] == 0 for p in task.parameters() if p.ndim <= 1)
    assert decay[id(task.own.weight)] == 0.1


def test_layer_decay_slows_the_stem_and_spares_the_tasks_own_layers() -> None:
    task = Headed()
    optim = Optimisation(lr=1.0, layer_decay=0.5)
    optimiser = build_optimiser(task, task.net, optim)
    build_schedule(optimiser, optim, 10).step_update(0)
    rate = {id(p): g["lr"] for g in optimiser.param_groups for p in g["params"]}
    stem = next(task.net.parameters())
    assert rate[id(task.own.weight)] == 1.0
    assert rate[id(stem)] < 0.6


def test_sgd_takes_its_momentum() -> None:
    module = nn.Linear(2, 2)
    optimiser = build_optimiser(module, module, Optimisation(optimizer="sgd", momentum=0.8))
    assert isinstance(optimiser, torch.optim.SGD)
    assert {group["momentum"] for group in optimiser.param_groups} == {0.8}
