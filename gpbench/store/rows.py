"""Experiments and facts as dataclasses and as JSON columns. The store's only loose dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gpbench.core.plan import (
    DatasetFacts,
    Excluded,
    Experiment,
    PlanItem,
    SourceChoice,
    StrategyFacts,
)
from gpbench.core.recipe import Execution, FinetuneRecipe, Optimisation, PretrainRecipe, Recipe
from gpbench.core.stage import PluginSpec, dataset_from_dict
from gpbench.store.models import ExperimentRow, ItemRow


@dataclass(frozen=True)
class StoredExperiment:
    """An experiment as planned last, with what reports show without importing a plugin."""

    name: str
    created_at: str
    """ISO 8601, UTC."""
    planned_at: str
    experiment: Experiment
    strategies: tuple[StrategyFacts, ...]
    datasets: tuple[DatasetFacts, ...]
    excluded: tuple[Excluded, ...]
    trial: bool
    partial: tuple[str, ...]
    images: Mapping[str, int]
    """Training images that the plan shows per stage kind."""


def stored_experiment(row: ExperimentRow) -> StoredExperiment:
    """Return the row's facts as values of core."""
    return StoredExperiment(
        name=row.name,
        created_at=row.created_at,
        planned_at=row.planned_at,
        experiment=experiment_from_dict(row.experiment),
        strategies=tuple(strategy_facts_from_dict(raw) for raw in row.strategies),
        datasets=tuple(
            DatasetFacts(raw["name"], dataset_from_dict(raw["spec"])) for raw in row.datasets
        ),
        excluded=tuple(Excluded(**raw) for raw in row.excluded),
        trial=row.trial,
        partial=tuple(row.partial),
        images=dict(row.images),
    )


def plan_item(row: ItemRow) -> PlanItem:
    """Return an item of a plan without its spec, which its stage holds."""
    return PlanItem(
        index=row.position,
        kind=row.kind,
        arm=row.arm,
        backbone=row.backbone,
        in_chans=row.in_chans,
        pretrain_seed=row.pretrain_seed,
        finetune_seed=row.finetune_seed,
        needs=tuple(row.needs),
        phase=row.phase,
        dataset=row.dataset,
        label_fraction=row.label_fraction,
        identity=row.stage_key or "",
    )


def experiment_to_dict(experiment: Experiment) -> dict[str, Any]:
    """Return a JSON object of the experiment; sets become sorted lists."""
    return {**asdict(experiment), "brought_in": sorted(experiment.brought_in)}


def experiment_from_dict(raw: Mapping[str, Any]) -> Experiment:
    """Return the experiment whose `experiment_to_dict` this is."""
    lists = ("arms", "backbones", "datasets", "pretrain_seeds", "seeds", "label_fractions")
    return Experiment(
        **{
            **raw,
            **{name: tuple(raw[name]) for name in lists},
            "sources": tuple(SourceChoice(**choice) for choice in raw["sources"]),
            "recipe": recipe_from_dict(raw["recipe"]),
            "execution": Execution(**raw["execution"]),
            "brought_in": frozenset(raw["brought_in"]),
        }
    )


def recipe_from_dict(raw: Mapping[str, Any]) -> Recipe:
    """Return the recipe whose JSON object this is."""
    return Recipe(
        **{
            **raw,
            "pretrain": PretrainRecipe(**_training(raw["pretrain"])),
            "finetune": FinetuneRecipe(**_training(raw["finetune"])),
        }
    )


def strategy_facts_from_dict(raw: Mapping[str, Any]) -> StrategyFacts:
    """Return the facts whose JSON object this is."""
    return StrategyFacts(
        **{
            **raw,
            "plugin": PluginSpec(**raw["plugin"]),
            "assumed": tuple(raw["assumed"]),
            "chain": tuple(raw["chain"]),
        }
    )


def _training(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {**raw, "scale": tuple(raw["scale"]), "optim": Optimisation(**raw["optim"])}
