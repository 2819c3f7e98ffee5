"""The plan of an experiment: its stages as a DAG, and what was left out of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gpbench.core.recipe import Execution, Recipe
from gpbench.core.stage import DatasetSpec, Kind, PluginSpec, StageSpec


@dataclass(frozen=True)
class Excluded:
    """Something that `all` or a glob brought in and that cannot run here."""

    name: str
    reason: str


@dataclass(frozen=True)
class SourceChoice:
    """A source as the user named it; `role` None serves every role that the source offers."""

    name: str
    role: str | None = None
    root: str | None = None


@dataclass(frozen=True)
class Experiment:
    """What a user asks for, resolved: names checked, globs expanded, recipe typed."""

    name: str
    arms: tuple[str, ...]
    """Canonical selector texts of strategies."""
    backbones: tuple[str, ...]
    datasets: tuple[str, ...]
    """Canonical selector texts of datasets."""
    sources: tuple[SourceChoice, ...]
    pretrain_seeds: tuple[int, ...]
    seeds: tuple[int, ...]
    label_fractions: tuple[float, ...]
    recipe: Recipe
    execution: Execution
    data_roots: Mapping[str, str] = field(default_factory=dict)
    brought_in: frozenset[str] = frozenset()
    """Names that `all` or a glob brought in: what of these cannot run is excluded.

    Any other that cannot run is an error.
    """
    limit: int | None = None
    allow_partial: bool = False


@dataclass(frozen=True)
class PlanItem:
    """One stage as one arm needs it; two items of one key are run once.

    `index` numbers the items of a plan, `needs` are the indices of items that must be done before.
    """

    index: int
    kind: Kind
    arm: str
    backbone: str
    in_chans: int
    pretrain_seed: int | None
    finetune_seed: int | None
    needs: tuple[int, ...]
    phase: str | None = None
    dataset: str | None = None
    label_fraction: float | None = None
    spec: StageSpec | None = None
    """None while the data are not there: state `unprepared`."""
    identity: str = ""
    """Equal for items that are one stage, also while their keys cannot be known."""

    @property
    def key(self) -> str | None:
        return self.spec.key if self.spec else None


@dataclass(frozen=True)
class StrategyFacts:
    """What reports show about an arm without importing its plugin."""

    arm: str
    title: str
    plugin: PluginSpec
    assumed: tuple[str, ...]
    """Parameters that a paper leaves open: our reading."""
    chain: tuple[str, ...]
    """Names of the phases, first to last."""
    pretrains: bool


@dataclass(frozen=True)
class DatasetFacts:
    """What reports show about a dataset without importing its plugin."""

    name: str
    spec: DatasetSpec
    selector: str = ""
    """The text that resolves to it; not kept in the store: it may hold a path."""


@dataclass(frozen=True)
class BackboneFacts:
    """What planning must know of a backbone without importing timm."""

    name: str
    layout: Literal["hierarchical", "isotropic"]
    parameters: int | None
    """Number of parameters with 3 channels and no classifier; None until looked up."""


@dataclass(frozen=True)
class Plan:
    """All items in an order in which they can run (a parent before its children)."""

    experiment: Experiment
    items: tuple[PlanItem, ...]
    strategies: tuple[StrategyFacts, ...]
    datasets: tuple[DatasetFacts, ...]
    excluded: tuple[Excluded, ...] = ()
    trial: bool = False
    partial: tuple[str, ...] = ()
    """Datasets that are incomplete and were allowed to be."""
    missing: tuple[Excluded, ...] = ()
    """Data that were named and are not there: what needs them is unprepared."""
    images: Mapping[str, int] = field(default_factory=dict)
    """Training images shown per stage kind, for estimates: {"pretrain": n, "finetune": n}."""
    backbones: tuple[BackboneFacts, ...] = ()
    source_roots: Mapping[str, str] = field(default_factory=dict)
    """Role -> folder of the source that serves it; procedural sources have none."""

    @property
    def cells(self) -> int:
        """Return the number of distinct (arm, backbone, dataset, label fraction) combinations."""
        return len(
            {
                (i.arm, i.backbone, i.dataset, i.label_fraction)
                for i in self.items
                if i.kind == "finetune"
            }
        )

    def stages(self) -> dict[str, PlanItem]:
        """Return the distinct stages, key -> the first item of that key, in running order."""
        found: dict[str, PlanItem] = {}
        for item in self.items:
            if item.key is not None:
                found.setdefault(item.key, item)
        return found


@dataclass(frozen=True)
class BackboneCatalog:
    """The backbones that exist and facts of those an experiment names.

    Made from models/ by the command line.
    """

    names: frozenset[str]
    facts: Mapping[str, BackboneFacts] = field(default_factory=dict)


JsonObject = dict[str, Any]
"""A JSON object on its way out; what comes in is parsed into typed values."""
