"""timm's optimiser and scheduler factories, driven by a recipe; one update is one step."""

from __future__ import annotations

from typing import Any, cast

import torch
from timm.optim import (
    create_optimizer_v2,
    list_optimizers,
    param_groups_layer_decay,
    param_groups_weight_decay,
)
from timm.scheduler import create_scheduler_v2
from torch import nn

from gpbench.core.errors import InvalidValueError, UnknownNameError
from gpbench.core.recipe import Optimisation


def build_optimiser(
    module: nn.Module, backbone: nn.Module, optim: Optimisation
) -> torch.optim.Optimizer:
    """Return timm's optimiser of that name over all parameters of `module`.

    Norms, biases and what the backbone lists in `no_weight_decay` are not decayed; `layer_decay`
    scales the rates of the backbone's layers and leaves the rest of the module at the full rate.

    Raises:
        UnknownNameError: If timm has no optimiser of that name.
    """
    if optim.optimizer not in list_optimizers():
        raise UnknownNameError("optimiser", optim.optimizer, list_optimizers())
    momentum = {"momentum": optim.momentum} if "sgd" in optim.optimizer else {}
    groups = _backbone_groups(backbone, optim) + _other_groups(module, backbone, optim)
    return cast(
        "torch.optim.Optimizer",
        create_optimizer_v2(groups, opt=optim.optimizer, lr=optim.lr, weight_decay=0.0, **momentum),
    )


def _backbone_groups(backbone: nn.Module, optim: Optimisation) -> list[dict[str, Any]]:
    listed: Any = getattr(backbone, "no_weight_decay", set)
    common = {"weight_decay": optim.weight_decay, "no_weight_decay_list": listed()}
    if optim.layer_decay is None:
        return list(param_groups_weight_decay(backbone, **common))
    return list(param_groups_layer_decay(backbone, **common, layer_decay=optim.layer_decay))


def _other_groups(
    module: nn.Module, backbone: nn.Module, optim: Optimisation
) -> list[dict[str, Any]]:
    inside = {id(parameter) for parameter in backbone.parameters()}
    others = [p for p in module.parameters() if p.requires_grad and id(p) not in inside]
    matrices = [p for p in others if p.ndim > 1]
    vectors = [p for p in others if p.ndim <= 1]
    return [
        {"params": parameters, "weight_decay": decay}
        for parameters, decay in ((matrices, optim.weight_decay), (vectors, 0.0))
        if parameters
    ]


def build_schedule(optimiser: torch.optim.Optimizer, optim: Optimisation, steps: int) -> Any:
    """Return timm's scheduler over `steps` updates: linear warm-up, then the named decay.

    It keeps no state: the rate is a function of the number of updates.

    Raises:
        InvalidValueError: If the warm-up is not shorter than the training.
    """
    if optim.warmup_steps and optim.warmup_steps >= steps:
        raise InvalidValueError(
            "optim.warmup_steps", optim.warmup_steps, f"less than the {steps} steps of the training"
        )
    constant = optim.schedule == "constant"
    schedule, _ = create_scheduler_v2(
        optimiser,
        sched="step" if constant else optim.schedule,
        num_epochs=steps,
        min_lr=optim.min_lr,
        warmup_epochs=optim.warmup_steps,
        warmup_lr=optim.warmup_lr,
        decay_epochs=steps + 1,  # a step beyond the end: constant
        decay_rate=1.0 if constant else optim.poly_power,
        updates_per_epoch=1,
        step_on_epochs=False,
    )
    return schedule
