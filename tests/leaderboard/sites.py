"""Experiments as a run leaves them in a store, made up: no training, counts written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import Band, DatasetInfo, Metric, Protocol
from gpbench.core.plan import (
    DatasetFacts,
    Excluded,
    Experiment,
    Plan,
    PlanItem,
    SourceChoice,
    StrategyFacts,
)
from gpbench.core.recipe import Execution, FinetuneRecipe, PretrainRecipe, Recipe
from gpbench.core.stage import (
    DatasetSpec,
    FinetuneSpec,
    ImageFacts,
    Numerics,
    Outcome,
    PluginSpec,
    PretrainSpec,
    ScoredVariant,
    SourceSpec,
    Status,
    digest,
)
from gpbench.store import Owner, Result, Store, StoredExperiment

SCRATCH, BASELINE, SHUFFLED = "scratch", "imagenet", "generalised"
RECIPE = Recipe(
    "tiny",
    PretrainRecipe(batch=4, crop_px=32, steps=10),
    FinetuneRecipe(batch=4, steps=10, crop_px=64),
)
NUMERICS = Numerics(2, "fp32", channels_last=False)
ENVIRONMENT = {
    "device": "cpu",
    "cpu": "Made-up CPU 3000",
    "platform": "Linux x86_64",
    "python": "3.12.1",
    "torch": "2.15.0",
    "worker_pid": "424242",
    "host": "node17.cluster",
}
SOURCES = (SourceSpec("labelled", PluginSpec("shapes", 1), "0" * 64),)
IMAGES = (ImageFacts("a.png", "north"), ImageFacts("b.png", "south"))

Place = tuple[str, str, int]
"""Arm, dataset, seed: one fine-tuning."""


@dataclass(frozen=True)
class World:
    """What is run: each arm on each dataset, one pre-training per seed, fine-tuned once."""

    name: str = "town-and-sea"
    arms: Mapping[str, str] = field(
        default_factory=lambda: {
            SCRATCH: "No pre-training",
            BASELINE: "Ordinary pre-training",
            SHUFFLED: "Channel shuffling",
        }
    )
    """Name -> title."""
    hits: Mapping[str, int] = field(
        default_factory=lambda: {SCRATCH: 60, BASELINE: 80, SHUFFLED: 82}
    )
    """Rightly predicted pixels of 100 of each class at seed 0; one more at each further seed."""
    datasets: Mapping[str, Metric] = field(default_factory=lambda: {"town": "mIoU", "sea": "mF1"})
    classes: tuple[str, str, str] = ("ground", "roof", "clutter")
    """The last one is not scored."""
    backbones: tuple[str, ...] = ("test_convnext3",)
    fractions: tuple[float, ...] = (1.0,)
    seeds: tuple[int, ...] = (0, 1, 2)
    synthetic: frozenset[str] = frozenset({"town", "sea"})
    unfinished: frozenset[Place] = frozenset()
    diverged: frozenset[Place] = frozenset()
    excluded: tuple[Excluded, ...] = ()
    trial: bool = False
    partial: tuple[str, ...] = ()
    recipe: Recipe = RECIPE
    data_roots: Mapping[str, str] = field(default_factory=dict)


def dataset(world: World, name: str) -> DatasetSpec:
    info = DatasetInfo(
        f"The {name}",
        1,
        (Band("red"), Band("thermal")),
        world.classes,
        synthetic=name in world.synthetic,
    )
    protocol = Protocol("everyday", 2, world.datasets[name], 64, 32, excluded=world.classes[-1:])
    return DatasetSpec(PluginSpec("folder", 1, {}), info, protocol, digest(name))


def plugin(arm: str) -> PluginSpec:
    return PluginSpec(arm, 1, {} if arm == SCRATCH else {"depth": 2})


def plan(world: World) -> Plan:
    """Return the plan of a world."""
    items: list[PlanItem] = []
    for arm in world.arms:
        for backbone in world.backbones:
            for seed in world.seeds:
                _add(items, world, arm, backbone, seed)
    return Plan(
        _experiment(world),
        tuple(items),
        tuple(_strategy(arm, title) for arm, title in world.arms.items()),
        tuple(DatasetFacts(name, dataset(world, name)) for name in world.datasets),
        world.excluded,
        world.trial,
        world.partial,
    )


def stored(world: World) -> StoredExperiment:
    """Return what a store hands out of the world's plan."""
    planned = plan(world)
    return StoredExperiment(
        name=world.name,
        created_at="2026-11-21T10:00:00+00:00",
        planned_at="2026-11-21T10:00:00+00:00",
        experiment=planned.experiment,
        strategies=planned.strategies,
        datasets=planned.datasets,
        excluded=planned.excluded,
        trial=planned.trial,
        partial=planned.partial,
        images={},
    )


def results(world: World) -> list[Result]:
    """Return what a store hands out after a run of the world."""
    return [_result(world, item) for item in plan(world).items if item.kind == "finetune"]


def run(world: World, store: Store, folder: Path) -> None:
    """Leave in the store what a run of the world leaves there; stages' files lie in `folder`."""
    planned = plan(world)
    store.record(planned)
    for item in planned.items:
        status = ended(world, item)
        if status is None or item.key is None:
            continue
        scored = item.kind == "finetune" and status == "ok"
        stage = folder / item.key
        stage.mkdir(parents=True, exist_ok=True)
        if scored:
            names = np.array([image.name for image in IMAGES], dtype=np.str_)
            np.savez(stage / "counts.npz", images=names, counts=counts(world, item))
        store.claim(item.key, Owner.current())
        store.commit(_outcome(item.key, status, scored=scored), stage)


def ended(world: World, item: PlanItem) -> Status | None:
    """Return how a stage ended; None: it was not run."""
    place = (item.arm, item.dataset or "", _seed(item))
    if place in world.unfinished:
        return None
    return "diverged" if place in world.diverged else "ok"


def counts(world: World, item: PlanItem) -> NDArray[np.int64]:
    """Return the counts (2, 3, 3) of two images; each holds 50 pixels of the first two classes."""
    hits = world.hits[item.arm] + _seed(item)
    total = np.array([[hits, 100 - hits, 0], [100 - hits, hits, 0], [0, 0, 0]], dtype=np.int64)
    half = total // 2
    return np.stack([half, total - half])


def made(folder: Path, world: World) -> Store:
    """Return an open store, in `folder`, that holds a run of the world."""
    store = Store.open(f"sqlite:///{folder / 'gpbench.sqlite'}")
    run(world, store, folder / "stages")
    return store


def _add(items: list[PlanItem], world: World, arm: str, backbone: str, seed: int) -> None:
    parent: str | None = None
    needs: tuple[int, ...] = ()
    if arm != SCRATCH:
        spec = PretrainSpec(
            plugin(arm), "first", 0, backbone, 2, SOURCES, RECIPE.pretrain, NUMERICS, seed
        )
        parent, needs = spec.key, (len(items),)
        items.append(
            PlanItem(len(items), "pretrain", arm, backbone, 2, seed, None, (), "first", spec=spec)
        )
    for name in world.datasets:
        for fraction in world.fractions:
            items.append(
                PlanItem(
                    len(items), "finetune", arm, backbone, 2, seed if parent else None,
                    0 if parent else seed, needs, None, name, fraction,
                    FinetuneSpec(
                        backbone, 2, dataset(world, name), RECIPE.finetune, NUMERICS, seed,
                        fraction, parent,
                    ),
                )
            )  # fmt: skip


def _seed(item: PlanItem) -> int:
    return (item.finetune_seed if item.pretrain_seed is None else item.pretrain_seed) or 0


def _result(world: World, item: PlanItem) -> Result:
    assert isinstance(item.spec, FinetuneSpec)
    status = ended(world, item)
    return Result(
        key=item.spec.key,
        arm=item.arm,
        backbone=item.backbone,
        dataset=item.dataset or "",
        label_fraction=item.label_fraction or 1.0,
        pretrain_seed=item.pretrain_seed,
        finetune_seed=item.finetune_seed or 0,
        pretrain_key=item.spec.parent,
        state="done" if status == "ok" else "pending" if status is None else "failed",
        status=status,
        total=counts(world, item).sum(axis=0) if status == "ok" else None,
        environment=ENVIRONMENT,
        duration_s=12.5,
    )


def _strategy(arm: str, title: str) -> StrategyFacts:
    pretrains = arm != SCRATCH
    return StrategyFacts(
        arm,
        title,
        plugin(arm),
        assumed=("depth",) if pretrains else (),
        chain=("first",) if pretrains else (),
        pretrains=pretrains,
    )


def _experiment(world: World) -> Experiment:
    return Experiment(
        name=world.name,
        arms=tuple(world.arms),
        backbones=world.backbones,
        datasets=tuple(world.datasets),
        sources=(SourceChoice("shapes", "labelled", "/home/ann/shapes"),),
        pretrain_seeds=world.seeds,
        seeds=(0,),
        label_fractions=world.fractions,
        recipe=world.recipe,
        execution=Execution(device="cpu"),
        data_roots=world.data_roots,
    )


def _outcome(key: str, status: Status, *, scored: bool) -> Outcome:
    return Outcome(
        key,
        status,
        "2026-11-21T10:00:00+00:00",
        12.5,
        None if status == "ok" else "the loss became nan at step 3",
        None if status == "ok" else 3,
        scores=(ScoredVariant("plain", "e" * 64, "counts.npz"),) if scored else (),
        images=IMAGES if scored else (),
        environment=ENVIRONMENT,
    )
