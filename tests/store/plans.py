"""A small plan and outcomes for it: two arms, one dataset of three classes, two seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import Band, DatasetInfo, Protocol
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
    Artefact,
    DatasetSpec,
    FinetuneSpec,
    HistoryRow,
    ImageFacts,
    Numerics,
    Outcome,
    PluginSpec,
    PretrainSpec,
    ScoredVariant,
    SourceSpec,
    Status,
)

CLASSES = ("road", "tree", "roof")
IMAGES = (
    ImageFacts("a/1.png", "north", ("day",)),
    ImageFacts("a/2.png", "north", ("night", "rain")),
    ImageFacts("b/1.png", "süd"),
)
COUNTS = np.arange(27, dtype=np.int64).reshape(3, 3, 3)
DATASET = DatasetSpec(
    PluginSpec("town", 1, {"card": {"bands": ["red"]}}),
    DatasetInfo("Town", 1, (Band("red"),), CLASSES, colours=((1, 2, 3), (4, 5, 6), (7, 8, 9))),
    Protocol("town", 1, "mIoU", 64, 32),
    "f" * 64,
)
RECIPE = Recipe(
    "tiny",
    PretrainRecipe(batch=4, crop_px=32, steps=10),
    FinetuneRecipe(batch=4, steps=10, crop_px=64),
)
_NUMERICS = Numerics(2, "fp32", channels_last=False)
_STRATEGY = PluginSpec("made-up", 1, {"depth": 2})


def pretrain(seed: int, position: int = 0, parent: str | None = None) -> PretrainSpec:
    return PretrainSpec(
        _STRATEGY,
        f"phase-{position}",
        position,
        "test_convnext3",
        3,
        (SourceSpec("labelled", PluginSpec("demo", 1), "0" * 64),),
        RECIPE.pretrain,
        _NUMERICS,
        seed,
        parent,
    )


def finetune(replicate: int, parent: str | None) -> FinetuneSpec:
    return FinetuneSpec(
        "test_convnext3", 1, DATASET, RECIPE.finetune, _NUMERICS, replicate, parent=parent
    )


def item(index: int, spec: PretrainSpec | FinetuneSpec, seed: int, needs: int | None) -> PlanItem:
    """Return the plan's item for a spec; without `needs` a fine-tuning is from scratch."""
    made_up = isinstance(spec, PretrainSpec) or needs is not None
    pretrained = isinstance(spec, PretrainSpec)
    return PlanItem(
        index,
        spec.kind,
        "made-up[depth=2]" if made_up else "scratch",
        spec.backbone,
        spec.in_chans,
        pretrain_seed=seed if made_up else None,
        finetune_seed=None if pretrained else 0 if made_up else seed,
        needs=() if needs is None else (needs,),
        phase=spec.phase if isinstance(spec, PretrainSpec) else None,
        dataset=None if pretrained else "town",
        label_fraction=None if pretrained else 1.0,
        spec=spec,
    )


def make_plan(name: str = "demo", seeds: Sequence[int] = (0, 1), *, prepared: bool = True) -> Plan:
    """Return a plan: per seed, two phases and a fine-tuning of `made-up`, and one of `scratch`."""
    items: list[PlanItem] = []
    for seed in seeds:
        first = pretrain(seed)
        second = pretrain(seed, 1, first.key)
        at = len(items)
        items += [
            item(at, first, seed, None),
            item(at + 1, second, seed, at),
            item(at + 2, finetune(seed, second.key), seed, at + 1),
            item(at + 3, finetune(seed, None), seed, None),
        ]
    if not prepared:
        items = [replace(one, spec=None) if one.kind == "finetune" else one for one in items]
    experiment = Experiment(
        name, ("made-up[depth=2]", "scratch"), ("test_convnext3",), ("town",),
        (SourceChoice("demo"),), tuple(seeds), (0,), (1.0,), RECIPE, Execution(device="cpu"),
        {"town": "/data/town"}, frozenset({"town", "other"}),
    )  # fmt: skip
    return Plan(
        experiment,
        tuple(items),
        (
            StrategyFacts("made-up[depth=2]", "Made up", _STRATEGY, ("depth",), ("a", "b"), True),  # noqa: FBT003  pretrains
            StrategyFacts("scratch", "From scratch", PluginSpec("scratch", 1), (), (), False),  # noqa: FBT003  pretrains
        ),
        (DatasetFacts("town", DATASET),),
        (Excluded("other", "no data"),),
        images={"pretrain": 80, "finetune": 160},
    )


def write_counts(
    folder: Path,
    counts: NDArray[np.generic] = COUNTS,
    images: Sequence[ImageFacts] = IMAGES,
) -> None:
    """Leave a worker's file of counts."""
    folder.mkdir(parents=True, exist_ok=True)
    names = np.array([image.name for image in images], dtype=np.str_)
    np.savez(folder / "confusion-plain.npz", images=names, counts=counts)


def ended(
    key: str,
    status: Status = "ok",
    *,
    scored: bool = False,
    error: str | None = None,
    started_at: str = "2026-01-01T00:00:00+00:00",
    images: tuple[ImageFacts, ...] = IMAGES,
) -> Outcome:
    """Return an outcome; `scored` ones refer to the file of `write_counts`."""
    return Outcome(
        key,
        status,
        started_at,
        12.5,
        error,
        7 if status == "diverged" else None,
        (HistoryRow(0, 1.5, 0.1), HistoryRow(9, 0.25, 0.05, 0.5)),
        (Artefact("weights", "segmentor.safetensors", "a" * 64, 123),),
        (ScoredVariant("plain", "e" * 64, "confusion-plain.npz"),) if scored else (),
        images if scored else (),
        {"device": "cpu", "torch": "2.15"},
    )
