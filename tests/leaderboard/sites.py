"""Experiments as a run leaves them in a store: three arms, one backbone, two datasets, three pre-trainings."""

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
from gpbench.store import Owner, Store

CLASSES = ("ground", "roof", "clutter")
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
    "worker_pid": "4242",
    "host": "node17.cluster",
}
IMAGES = (ImageFacts("a.png", "north"), ImageFacts("b.png", "south"))
BASELINE, SHUFFLED, SCRATCH = "imagenet", "generalised", "scratch"


@dataclass(frozen=True)
class World:
    """What is run; `right` is the share of rightly predicted pixels in percent, by arm."""

    name: str = "town-and-sea"
    datasets: Mapping[str, Metric] = field(default_factory=lambda: {"town": "mIoU", "sea": "mF1"})
    backbone: str = "test_convnext3"
    titles: Mapping[str, str] = field(
        default_factory=lambda: {
            SCRATCH: "No pre-training",
            BASELINE: "Ordinary pre-training",
            SHUFFLED: "Channel shuffling pre-training",
        }
    )
    classes: tuple[str, ...] = CLASSES
    right: Mapping[str, int] = field(
        default_factory=lambda: {SCRATCH: 60, BASELINE: 80, SHUFFLED: 82}
    )
    synthetic: bool = True
    seeds: tuple[int, ...] = (0, 1, 2)
    excluded: tuple[Excluded, ...] = ()
    trial: bool = False
    partial: tuple[str, ...] = ()
    unfinished: frozenset[tuple[str, str, int]] = frozenset()
    """(arm, dataset, seed) of fine-tunings that were not run."""
    diverged: frozenset[tuple[str, str, int]] = frozenset()
    data_roots: Mapping[str, str] = field(default_factory=dict)


def dataset(world: World, name: str) -> DatasetSpec:
    return DatasetSpec(
        PluginSpec("folder", 1, {}),
        DatasetInfo(
            f"The {name}",
            1,
            (Band("red"), Band("thermal")),
            world.classes,
            synthetic=world.synthetic,
        ),
        Protocol("everyday", 2, world.datasets[name], 64, 32, excluded=(world.classes[-1],)),
        digest(name),
    )


def pretrain(world: World, arm: str, seed: int) -> PretrainSpec:
    sources = (SourceSpec("labelled", PluginSpec("shapes", 1), "0" * 64),)
    return PretrainSpec(
        PluginSpec(arm, 1, {"depth": 2}), "first", 0, world.backbone, 2, sources, RECIPE.pretrain, NUMERICS, seed
    )  # fmt: skip


def finetune(world: World, name: str, seed: int, parent: str | None) -> FinetuneSpec:
    return FinetuneSpec(
        world.backbone, 2, dataset(world, name), RECIPE.finetune, NUMERICS, seed, parent=parent
    )


def plan(world: World) -> Plan:
    """Return the plan: per seed one pre-training of each arm but `scratch`, and a fine-tuning per dataset."""
    items: list[PlanItem] = []
    for arm in world.titles:
        for seed in world.seeds:
            parent, needs = None, ()
            if arm != SCRATCH:
                spec = pretrain(world, arm, seed)
                parent, needs = spec.key, (len(items),)
                items.append(
                    PlanItem(
                        len(items), "pretrain", arm, world.backbone, 2, seed, None, (), "first", spec=spec
                    )
                )  # fmt: skip
            for name in world.datasets:
                items.append(
                    PlanItem(
                        len(items), "finetune", arm, world.backbone, 2, seed if parent else None,
                        0 if parent else seed, needs, None, name, 1.0, finetune(world, name, seed, parent),
                    )
                )  # fmt: skip
    return Plan(
        Experiment(
            world.name, tuple(world.titles), (world.backbone,), tuple(world.datasets),
            (SourceChoice("shapes", "labelled", "/home/ann/shapes"),), world.seeds, (0,), (1.0,), RECIPE,
            Execution(device="cpu"), world.data_roots,
        ),
        tuple(items),
        tuple(
            StrategyFacts(
                arm, title, PluginSpec(arm, 1, {} if arm == SCRATCH else {"depth": 2}),
                () if arm == SCRATCH else ("depth",), () if arm == SCRATCH else ("first",), arm != SCRATCH,
            )
            for arm, title in world.titles.items()
        ),
        tuple(DatasetFacts(name, dataset(world, name)) for name in world.datasets),
        world.excluded,
        world.trial,
        world.partial,
    )  # fmt: skip


def counts(right: int, seed: int) -> NDArray[np.int64]:
    """Return the counts (2, 3, 3) of two images of 100 scored pixels per class; `seed` moves one pixel each."""
    hit = right + seed
    one = np.array([[hit, 100 - hit, 0], [100 - hit, hit, 0], [0, 0, 0]], dtype=np.int64)
    return np.stack([one, one])


def run(world: World, store: Store, folder: Path) -> None:
    """Leave in the store what a run of the world leaves, its stages' files under `folder`."""
    planned = plan(world)
    store.record(planned)
    for item in planned.items:
        assert item.spec is not None
        seed = item.pretrain_seed if item.pretrain_seed is not None else item.finetune_seed or 0
        place = (item.arm, item.dataset or "", seed)
        if item.kind == "finetune" and place in world.unfinished:
            continue
        status: Status = "diverged" if place in world.diverged else "ok"
        scores = item.kind == "finetune" and status == "ok"
        stage = folder / item.spec.key
        stage.mkdir(parents=True, exist_ok=True)
        if scores:
            names = np.array([image.name for image in IMAGES], dtype=np.str_)
            np.savez(stage / "counts.npz", images=names, counts=counts(world.right[item.arm], seed))
        store.claim(item.spec.key, Owner.current())
        store.commit(ended(item.spec.key, status, scores=scores), stage)


def ended(key: str, status: Status, *, scores: bool) -> Outcome:
    return Outcome(
        key,
        status,
        "2026-11-21T10:00:00+00:00",
        12.5,
        None if status == "ok" else "the loss became nan at step 3",
        None if status == "ok" else 3,
        scores=(ScoredVariant("plain", "e" * 64, "counts.npz"),) if scores else (),
        images=IMAGES if scores else (),
        environment=ENVIRONMENT,
    )


def made(tmp_path: Path, world: World) -> Store:
    """Return an open store that holds a run of the world."""
    store = Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}")
    run(world, store, tmp_path / "stages")
    return store


