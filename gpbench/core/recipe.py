"""How long and how a network is trained: resolved, typed, part of a stage's key. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gpbench.core.errors import InvalidValueError
from gpbench.core.ranges import (
    BELOW_ONE,
    FRACTION,
    INSIDE,
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    check_ranges,
    interval,
)

Precision = Literal["fp32", "tf32", "bf16"]
Inflate = Literal["repeat", "mean", "zero", "random"]


@dataclass(frozen=True)
class Optimisation:
    """Optimiser and schedule, by the names of timm's factories; steps are optimiser updates.

    The warm-up is given in steps or as a share of all steps; a spec holds steps.
    """

    optimizer: str = "adamw"
    lr: float = field(default=1e-3, metadata=POSITIVE)
    weight_decay: float = field(default=0.05, metadata=NOT_NEGATIVE)
    momentum: float = field(default=0.9, metadata=BELOW_ONE)
    layer_decay: float | None = field(default=None, metadata=FRACTION)
    schedule: Literal["cosine", "poly", "constant"] = "cosine"
    poly_power: float = field(default=1.0, metadata=POSITIVE)
    warmup_steps: int = field(default=0, metadata=NOT_NEGATIVE)
    warmup_share: float | None = field(default=None, metadata=BELOW_ONE)
    warmup_lr: float = field(default=1e-6, metadata=NOT_NEGATIVE)
    min_lr: float = field(default=0.0, metadata=NOT_NEGATIVE)
    clip_grad: float | None = field(default=None, metadata=POSITIVE)
    ema_decay: float | None = field(default=None, metadata=INSIDE)

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.warmup_steps and self.warmup_share is not None:
            both = (self.warmup_steps, self.warmup_share)
            raise InvalidValueError("warmup_steps, warmup_share", both, "one of the two")


@dataclass(frozen=True)
class PretrainRecipe:
    """One phase's budget and views.

    Exactly one of `steps` and `epochs` is given; a spec holds `steps`.
    """

    batch: int = field(metadata=POSITIVE)
    crop_px: int = field(metadata=POSITIVE)
    steps: int | None = field(default=None, metadata=POSITIVE)
    epochs: float | None = field(default=None, metadata=POSITIVE)
    image_px: int | None = field(default=None, metadata=POSITIVE)
    """Side of the square to which source images are brought before cropping; null: `crop_px`."""
    scale: tuple[float, float] = field(default=(0.2, 1.0), metadata=interval(1.0))
    """Area range of the random resized crop, as a share of the image."""
    flip: float = field(default=0.5, metadata=PROBABILITY)
    jitter: float = field(default=0.0, metadata=NOT_NEGATIVE)
    """Strength of brightness and contrast jitter, the same for all channels of an image."""
    drop_path: float = field(default=0.0, metadata=BELOW_ONE)
    label_smoothing: float = field(default=0.0, metadata=BELOW_ONE)
    optim: Optimisation = field(default_factory=Optimisation)

    def __post_init__(self) -> None:
        check_ranges(self)
        _check_budget(self.steps, self.epochs)


@dataclass(frozen=True)
class FinetuneRecipe:
    """The downstream training: decode head, budget, augmentation.

    Exactly one of `steps` and `epochs` is given.
    """

    batch: int = field(metadata=POSITIVE)
    steps: int | None = field(default=None, metadata=POSITIVE)
    epochs: float | None = field(default=None, metadata=POSITIVE)
    crop_px: int | None = field(default=None, metadata=POSITIVE)
    """Side of the training crop; null: the protocol's tile."""
    scale: tuple[float, float] = field(default=(0.5, 2.0), metadata=interval(16.0))
    """Range of the random zoom: 2.0 shows half a tile at twice the size."""
    flip: float = field(default=0.5, metadata=PROBABILITY)
    jitter: float = field(default=0.0, metadata=NOT_NEGATIVE)
    head: str = "UPerHead"
    head_channels: int = field(default=512, metadata=POSITIVE)
    head_dropout: float = field(default=0.1, metadata=BELOW_ONE)
    auxiliary: float = field(default=0.4, metadata=NOT_NEGATIVE)
    """Weight of the auxiliary FCN head's loss; 0: no such head."""
    auxiliary_channels: int = field(default=256, metadata=POSITIVE)
    class_weights: Literal["none", "sqrt-inverse"] = "none"
    """Weight of a pixel in the loss: 1, or 1 over the root of its class's share of the labels."""
    drop_path: float = field(default=0.0, metadata=BELOW_ONE)
    optim: Optimisation = field(default_factory=Optimisation)

    def __post_init__(self) -> None:
        check_ranges(self)
        _check_budget(self.steps, self.epochs)


@dataclass(frozen=True)
class Recipe:
    """A named pair of recipes with what both share."""

    name: str
    pretrain: PretrainRecipe
    finetune: FinetuneRecipe
    cpu_threads: int = field(default=2, metadata=POSITIVE)
    precision: Precision = "fp32"
    channels_last: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Execution:
    """What may change from run to run without changing a number; never part of a key."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    loader_workers: int = field(default=2, metadata=NOT_NEGATIVE)
    micro_batch: int | None = field(default=None, metadata=POSITIVE)
    """Samples per forward pass of a pre-training, whose gradients are added up; null: the batch."""
    pretrain_workers: int = field(default=1, metadata=POSITIVE)
    """Processes that share each batch of a pre-training, a device each."""
    checkpoint_seconds: float = field(default=60.0, metadata=NOT_NEGATIVE)
    """Least time between two checkpoints."""

    def __post_init__(self) -> None:
        check_ranges(self)


def _check_budget(steps: int | None, epochs: float | None) -> None:
    if (steps is None) == (epochs is None):
        raise InvalidValueError("steps, epochs", (steps, epochs), "exactly one of the two")


def steps_of(recipe: PretrainRecipe | FinetuneRecipe) -> int:
    """Return the steps of a recipe in a spec, where planning has resolved epochs."""
    assert recipe.steps is not None  # noqa: S101  keys are made of resolved recipes only
    return recipe.steps
