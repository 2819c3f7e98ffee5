"""The stages of one arm: which pre-trainings a dataset asks for, and what follows from what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpbench.api import Phase, Role
from gpbench.config.arms import Arm, ArmPart
from gpbench.core.errors import ConfigError
from gpbench.core.recipe import Inflate, Recipe
from gpbench.core.stage import (
    DatasetSpec,
    FinetuneSpec,
    Numerics,
    PretrainSpec,
    SourceSpec,
    StageSpec,
    Stem,
)
from gpbench.planning.budget import finetune_recipe, pretrain_recipes

RGB = ("red", "green", "blue")


@dataclass(frozen=True)
class PlannedSource:
    """What serves a role: what enters a key, and how many images there are; None: not there."""

    spec: SourceSpec
    images: int | None


@dataclass(frozen=True)
class PlannedDataset:
    """A dataset of the plan; `there` says whether its files are."""

    name: str
    selector: str
    spec: DatasetSpec
    there: bool
    tiles: int | None
    """Training tiles; None: not counted yet."""
    partial: bool = False
    """Images are missing of those it should have, and that was accepted."""

    @property
    def bands(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.spec.info.bands)


@dataclass(frozen=True)
class Planned:
    """A stage as it is planned."""

    spec: StageSpec
    complete: bool
    """Its key is final: all its data are there, and its parents'."""
    phase: str | None = None
    stem: Stem | None = None
    """Of the weights it leaves; None for a fine-tuning."""
    inflate: Inflate | None = None
    """How that stem is brought to other bands."""

    @property
    def reads_dataset(self) -> bool:
        return self.spec.dataset is not None


@dataclass(frozen=True)
class Setting:
    """What all stages of an experiment share."""

    recipe: Recipe
    sources: Mapping[Role, PlannedSource]

    @property
    def numerics(self) -> Numerics:
        return Numerics(self.recipe.cpu_threads, self.recipe.precision, self.recipe.channels_last)


def pretrainings(
    arm: Arm, backbone: str, seed: int, dataset: PlannedDataset, setting: Setting
) -> list[Planned]:
    """Return the pre-trainings of an arm as one dataset asks for them, first phase to last.

    Raises:
        ConfigError: If the chain or its budget is impossible for this dataset.
    """
    links = [(part, phase) for part in arm.parts for phase in part.phases]
    counts = [_epoch_images(phase, dataset, setting) for _, phase in links]
    recipes = pretrain_recipes(arm, setting.recipe.pretrain, counts)
    chain: list[Planned] = []
    for position, ((part, phase), recipe) in enumerate(zip(links, recipes, strict=True)):
        parent = chain[-1] if chain else None
        _check_order(arm, part, parent, dataset)
        inflate = _inflation(parent, dataset) if part.strategy.channels == "target" else None
        reads_target = "target-train" in phase.roles
        sources = [setting.sources[role] for role in phase.roles if role != "target-train"]
        spec = PretrainSpec(
            strategy=part.spec(),
            phase=phase.name,
            position=position,
            backbone=backbone,
            in_chans=_in_chans(part, dataset),
            sources=tuple(source.spec for source in sources),
            recipe=recipe,
            numerics=setting.numerics,
            pretrain_seed=seed,
            parent=parent.spec.key if parent else None,
            parent_stem=parent.stem if parent else None,
            inflate=inflate,
            dataset=dataset.spec if reads_target or inflate else None,
        )
        complete = (
            recipe.steps is not None
            and all(source.images is not None for source in sources)
            and (dataset.there or spec.dataset is None)
            and (parent is None or parent.complete)
        )
        chain.append(Planned(spec, complete, phase.name, part.strategy.channels, part.inflate))
    return chain


def finetuning(
    backbone: str,
    parent: Planned | None,
    dataset: PlannedDataset,
    fraction: float,
    replicate: int,
    setting: Setting,
) -> Planned:
    """Return the fine-tuning of one replicate.

    Raises:
        ConfigError: If its budget is impossible.
    """
    recipe = finetune_recipe(setting.recipe.finetune, dataset.tiles, fraction)
    spec = FinetuneSpec(
        backbone=backbone,
        in_chans=len(dataset.bands),
        dataset=dataset.spec,
        recipe=recipe,
        numerics=setting.numerics,
        replicate=replicate,
        label_fraction=fraction,
        parent=parent.spec.key if parent else None,
        parent_stem=parent.stem if parent else None,
        inflate=_inflation(parent, dataset),
    )
    complete = recipe.steps is not None and dataset.there and (parent is None or parent.complete)
    return Planned(spec, complete)


def _epoch_images(phase: Phase, dataset: PlannedDataset, setting: Setting) -> int | None:
    """Return how many images an epoch shows: those of the role that has most of them."""
    counts = [
        dataset.tiles if role == "target-train" else setting.sources[role].images
        for role in phase.roles
    ]
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None


def _in_chans(part: ArmPart, dataset: PlannedDataset) -> int:
    return len(RGB) if part.strategy.channels == "rgb" else len(dataset.bands)


def _inflation(parent: Planned | None, dataset: PlannedDataset) -> Inflate | None:
    """Return how the parent's stem is brought to the dataset's bands; None: it fits as it is."""
    if parent is None or parent.stem == "target" or _is_rgb(dataset):
        return None
    return parent.inflate


def _is_rgb(dataset: PlannedDataset) -> bool:
    return tuple(band.casefold() for band in dataset.bands) == RGB


def _check_order(arm: Arm, part: ArmPart, parent: Planned | None, dataset: PlannedDataset) -> None:
    """Check that a phase on 3 channels does not follow one on the dataset's other bands."""
    turns_back = parent is not None and parent.stem == "target" and part.strategy.channels == "rgb"
    if turns_back and len(dataset.bands) != len(RGB):
        raise ConfigError(
            f"arm '{arm}' cannot run on dataset '{dataset.name}': '{part.name}' trains on 3 "
            f"channels, after a strategy that trained on the dataset's {len(dataset.bands)}; "
            "put it first in the chain"
        )


def roles_of(arms: Sequence[Arm]) -> dict[Role, str]:
    """Return the roles of sources that arms read, each with the first arm that does."""
    found: dict[Role, str] = {}
    for arm in arms:
        for part in arm.parts:
            for phase in part.phases:
                for role in phase.roles:
                    if role != "target-train":
                        found.setdefault(role, str(arm))
    return found
