"""What comes out of a backbone's stages, changed on its way by hooks that last one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gpbench.api import ConfigError, InvalidValueError, PhaseContext
from gpbench.models.features import feature_stages

Change = Callable[[Tensor, tuple[int, ...]], Tensor]
"""Takes maps and the axes of their positions, returns maps of the same shape and type."""

FITTING = (
    "maps (B, C, H, W), as of ConvNeXt and ResNet, (B, H, W, C), as of Swin, or tokens (B, N, C), "
    "as of ViT"
)


@dataclass(frozen=True)
class Stage:
    """A module of a backbone whose output can be changed."""

    backbone: str
    module: str
    channels: int
    channels_last: bool
    """Its maps are (B, H, W, C)."""
    prefix_tokens: int
    """Tokens before the patches', which have no position and are left alone."""


def first_stages(net: nn.Module, context: PhaseContext, count: int) -> tuple[Stage, ...]:
    """Return the first stages of those whose maps a decode head gets; of a ViT they are blocks.

    Raises:
        ConfigError: If the backbone's stages are not modules, or it hands out no maps.
        InvalidValueError: If there are fewer, or the last one's map of a view is a single position,
            which has no deviation.
    """
    found, facts = feature_stages(net), _facts(net)
    if not 1 <= count <= len(found.indices):
        raise InvalidValueError(
            "stages", count, f"1 to {len(found.indices)} for backbone '{context.backbone}'"
        )
    modules = [str(facts[index].get("module")) for index in found.indices[:count]]
    if missing := sorted(set(modules) - {name for name, _ in net.named_modules()}):
        raise ConfigError(
            f"backbone '{context.backbone}' has no module '{missing[0]}', whose output its "
            f"description calls a stage: choose a backbone whose stages are modules with {FITTING}"
        )
    _check_size(context, found.reductions[count - 1])
    return tuple(
        Stage(
            context.backbone,
            module,
            channels,
            channels_last=getattr(net, "output_fmt", "NCHW") == "NHWC",
            prefix_tokens=int(getattr(net, "num_prefix_tokens", 0)),
        )
        for module, channels in zip(modules, found.channels, strict=False)
    )


@contextmanager
def changed(
    net: nn.Module, stages: Sequence[Stage], changes: Sequence[Change | None]
) -> Iterator[None]:
    """Let the stages hand on changed outputs for as long as the context lasts; None: as they are.

    Raises:
        ConfigError: From the forward pass, if a stage's output is none of those that fit.
    """
    handles = [
        net.get_submodule(stage.module).register_forward_hook(partial(_hand_on, stage, change))
        for stage, change in zip(stages, changes, strict=True)
        if change is not None
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hand_on(stage: Stage, change: Change, _module: nn.Module, _inputs: Any, out: Any) -> Tensor:
    """Return a stage's output changed; a forward hook."""
    shape = tuple(out.shape) if isinstance(out, Tensor) else None
    if shape is not None and len(shape) == 4:
        axis, positions = (3, (1, 2)) if stage.channels_last else (1, (2, 3))
        if shape[axis] == stage.channels:
            return change(out, positions)
    if shape is not None and len(shape) == 3 and shape[2] == stage.channels:
        first, patches = out[:, : stage.prefix_tokens], out[:, stage.prefix_tokens :]
        return torch.cat([first, change(patches, (1,))], dim=1)
    raise ConfigError(
        f"stage '{stage.module}' of backbone '{stage.backbone}' hands on "
        f"{type(out).__name__ if shape is None else shape}: choose a backbone whose stages hand on "
        f"{FITTING}, with C = {stage.channels} here"
    )


def _facts(net: Any) -> Sequence[Any]:
    facts: Sequence[Any] = getattr(net.feature_info, "info", net.feature_info)
    return facts


def _check_size(context: PhaseContext, reduction: int) -> None:
    crop_px = context.recipe.crop_px
    if crop_px < 2 * reduction:
        raise InvalidValueError(
            "pretrain.crop_px",
            crop_px,
            f"{2 * reduction} or more, or fewer `stages`: backbone '{context.backbone}' makes a "
            "single position of it, which has no deviation",
        )
