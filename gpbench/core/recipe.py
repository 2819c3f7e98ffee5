"""How long and how a network is trained: resolved, typed, part of a stage's key. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gpbench.core.errors import InvalidValueError

Precision = Literal["fp32", "tf32", "bf16"]
Inflate = Literal["repeat", "mean", "zero", "random"]


@dataclass(frozen=True)
class Optimisation:
    """Optimiser and schedule, by the names of timm's factories; steps are optimiser updates."""

    optimizer: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    momentum: float = 0.9
    layer_decay: float | None = None
    schedule: Literal["cosine", "poly", "constant"] = "cosine"
    poly_power: float = 1.0
    warmup_steps: int = 0
    warmup_lr: float = 1e-6
    min_lr: float = 0.0
    clip_grad: float | None = None
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        _positive("lr", self.lr)
        for name, value in (
            ("weight_decay", self.weight_decay),
            ("warmup_steps", self.warmup_steps),
            ("warmup_lr", self.warmup_lr),
            ("min_lr", self.min_lr),
        ):
            if value < 0:
                raise InvalidValueError(name, value, "0 or more")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise InvalidValueError("ema_decay", self.ema_decay, "between 0 and 1, or null")


@dataclass(frozen=True)
class PretrainRecipe:
    """One phase's budget and views. Exactly one of `steps` and `epochs` is given; a spec holds `steps`."""

    batch: int
    crop_px: int
    steps: int | None = None
    epochs: float | None = None
    scale: tuple[float, float] = (0.2, 1.0)
    """Area range of the random resized crop, as a share of the image."""
    flip: float = 0.5
    jitter: float = 0.0
    """Strength of brightness and contrast jitter, the same for all channels of an image."""
    drop_path: float = 0.0
    label_smoothing: float = 0.0
    optim: Optimisation = field(default_factory=Optimisation)

    def __post_init__(self) -> None:
        _budget(self.steps, self.epochs)
        _positive("batch", self.batch)
        _positive("crop_px", self.crop_px)
        _range("scale", self.scale, 1.0)


@dataclass(frozen=True)
class FinetuneRecipe:
    """The downstream training: decode head, budget, augmentation. Exactly one of `steps` and `epochs` is given."""

    batch: int
    steps: int | None = None
    epochs: float | None = None
    crop_px: int | None = None
    """Side of the training crop; null: the protocol's tile."""
    scale: tuple[float, float] = (0.5, 2.0)
    """Range of the random zoom: 2.0 shows half a tile at twice the size."""
    flip: float = 0.5
    jitter: float = 0.0
    head: str = "UPerHead"
    head_channels: int = 512
    head_dropout: float = 0.1
    auxiliary: float = 0.4
    """Weight of the auxiliary FCN head's loss; 0: no such head."""
    auxiliary_channels: int = 256
    drop_path: float = 0.0
    optim: Optimisation = field(default_factory=Optimisation)

    def __post_init__(self) -> None:
        _budget(self.steps, self.epochs)
        _positive("batch", self.batch)
        _positive("head_channels", self.head_channels)
        _range("scale", self.scale, 16.0)


@dataclass(frozen=True)
class Recipe:
    """A named pair of recipes with what both share."""

    name: str
    pretrain: PretrainRecipe
    finetune: FinetuneRecipe
    cpu_threads: int = 2
    precision: Precision = "fp32"
    channels_last: bool = False

    def __post_init__(self) -> None:
        _positive("cpu_threads", self.cpu_threads)


@dataclass(frozen=True)
class Execution:
    """What may change from run to run without changing a number; never part of a key."""

    device: str = "auto"
    """auto | cpu | cuda"""
    loader_workers: int = 2
    micro_batch: int | None = None
    """Samples per forward pass; gradients of a batch are accumulated. Null: the whole batch."""
    checkpoint_seconds: float = 60.0
    """Least time between two checkpoints."""


def _budget(steps: int | None, epochs: float | None) -> None:
    if (steps is None) == (epochs is None):
        raise InvalidValueError("steps, epochs", (steps, epochs), "exactly one of the two")
    _positive("steps" if epochs is None else "epochs", steps if epochs is None else epochs)


def _positive(name: str, value: float | None) -> None:
    if value is None or not value > 0:
        raise InvalidValueError(name, value, "more than 0")


def _range(name: str, value: tuple[float, float], most: float) -> None:
    if not 0 < value[0] <= value[1] <= most:
        raise InvalidValueError(name, value, f"0 < low <= high <= {most:g}")
