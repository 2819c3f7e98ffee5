"""A results database of any size, made without training: rows as a run would have left them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, create_engine, insert, select

from gpbench.core.plan import DatasetFacts, StrategyFacts
from gpbench.core.stage import PluginSpec
from gpbench.store import Store
from gpbench.store.counts import pack
from gpbench.store.models import (
    ConfusionRow,
    EnvironmentRow,
    ExperimentRow,
    HistoryRecord,
    ImageRow,
    ItemRow,
    ScoreRow,
    StageRow,
)
from tests.store.plans import CLASSES, DATASET, finetune, make_plan, pretrain

ARMS, DATASETS, FINETUNINGS = 20, 4, 5
WORKERS = 100
"""Processes that ran the stages."""
BASELINE = "imagenet"
LOGGED, STEPS = 20, 10
"""Rows of history, and steps of the recipe that they stand for."""
KINDS = 64
"""Different tables of counts per image: enough that no two arms are alike."""
CHUNK = 5_000


@dataclass(frozen=True)
class Size:
    """How much there is: results are 20 arms x 4 datasets x 5 fine-tunings x the first three."""

    backbones: int
    fractions: int
    pretrainings: int
    images: int
    scenes: int

    @property
    def results(self) -> int:
        cells = ARMS * DATASETS * self.backbones * self.fractions
        return cells * self.pretrainings * FINETUNINGS


SMALL = Size(backbones=1, fractions=1, pretrainings=5, images=100, scenes=20)
LARGE = Size(backbones=5, fractions=5, pretrainings=10, images=10, scenes=10)


def fill(path: Path, size: Size) -> None:
    """Make the database of one experiment, all of it done."""
    arms = (BASELINE, *(f"arm{number:02}" for number in range(1, ARMS)))
    facts = tuple(
        StrategyFacts(arm, arm, PluginSpec(arm, 1), (), ("pretrain",), arm != BASELINE)
        for arm in arms
    )
    plan = replace(
        make_plan(seeds=()),
        strategies=facts,
        datasets=tuple(DatasetFacts(f"town{number}", DATASET) for number in range(DATASETS)),
        excluded=(),
    )
    with Store.open(f"sqlite:///{path}") as store:
        store.record(plan)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        experiment = connection.execute(select(ExperimentRow.id)).scalar_one()
        _add_images(connection, size)
        for rows in _chunks(_runs(arms, size)):
            _add(connection, experiment, rows, size)
    engine.dispose()


@dataclass(frozen=True)
class Made:
    """One item of the plan, with its stage."""

    number: int
    key: str
    parent: str | None
    arm: str
    backbone: str
    pretrain_seed: int | None
    dataset: int | None = None
    fraction: float | None = None
    finetune_seed: int | None = None
    skill: float = 0.0


def _runs(arms: tuple[str, ...], size: Size) -> Iterator[Made]:
    rng = np.random.default_rng(0)
    backbones = [f"backbone{number}" for number in range(size.backbones)]
    fractions = [1 / 2**number for number in range(size.fractions)]
    number = 0
    for arm, backbone, seed in product(arms, backbones, range(size.pretrainings)):
        base = rng.normal(arms.index(arm) / len(arms), 0.1)
        parent = None
        if arm != BASELINE:
            parent = _key(number)
            yield Made(number, parent, None, arm, backbone, seed)
            number += 1
        for dataset, fraction, tuning in product(range(DATASETS), fractions, range(FINETUNINGS)):
            own = seed if parent else None
            replicate = tuning if parent else seed * FINETUNINGS + tuning
            skill = base + rng.normal(0, 0.1)
            yield Made(
                number,
                _key(number),
                parent,
                arm,
                backbone,
                own,
                dataset,
                fraction,
                replicate,
                skill,
            )
            number += 1


def _chunks(runs: Iterator[Made]) -> Iterator[list[Made]]:
    chunk: list[Made] = []
    for run in runs:
        chunk.append(run)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


def _add_images(connection: Connection, size: Size) -> None:
    connection.execute(
        insert(ImageRow),
        [
            {
                "id": 1 + dataset * size.images + image,
                "digest": _key(f"{dataset} {image}"),
                "dataset": f"town{dataset}",
                "split": "test",
                "name": f"{image:04}.png",
                "scene": f"scene {image % size.scenes:03}",
                "tags": [],
            }
            for dataset, image in product(range(DATASETS), range(size.images))
        ],
    )


def _add(connection: Connection, experiment: int, runs: list[Made], size: Size) -> None:
    specs = {True: asdict(finetune(0, "0" * 64)), False: asdict(pretrain(0))}
    connection.execute(insert(StageRow), [_stage(run, specs) for run in runs])
    connection.execute(insert(ItemRow), [_item(experiment, run) for run in runs])
    environment = {"device": "cuda", "cpu": "x", "torch": "2.15", "python": "3.12", "gpu": "H200"}
    connection.execute(
        insert(EnvironmentRow),
        [
            {"stage_key": run.key, "facts": environment | {"worker_pid": str(run.number % WORKERS)}}
            for run in runs
        ],
    )
    tuned = [run for run in runs if run.dataset is not None]
    connection.execute(
        insert(HistoryRecord),
        [
            {"stage_key": run.key, "step": step, "loss": 1 / (1 + step), "lr": 0.1, "score": None}
            for run in tuned
            for step in range(STEPS)
        ],
    )
    _add_scores(connection, tuned, size)


def _add_scores(connection: Connection, runs: list[Made], size: Size) -> None:
    tables = _tables(size)
    packed = [[pack(one) for one in images] for images in tables]
    totals = [pack(images.sum(axis=0)) for images in tables]
    chosen = {run.number: int(np.clip(run.skill, 0, 1) * (KINDS - 1)) for run in runs}
    connection.execute(
        insert(ScoreRow),
        [
            {
                "id": run.number + 1,
                "stage_key": run.key,
                "variant": "plain",
                "evaluation": "e" * 64,
                "classes": len(CLASSES),
                "total": totals[chosen[run.number]],
            }
            for run in runs
        ],
    )
    connection.execute(
        insert(ConfusionRow),
        [
            {
                "score_id": run.number + 1,
                "position": image,
                "image_id": 1 + (run.dataset or 0) * size.images + image,
                "counts": packed[chosen[run.number]][image],
            }
            for run in runs
            for image in range(size.images)
        ],
    )


def _tables(size: Size) -> NDArray[np.int64]:
    """Return counts (kinds, images, C, C), least skilled first; labels are shared."""
    rng = np.random.default_rng(1)
    classes = len(CLASSES)
    true = rng.integers(1_000, 50_000, (size.images, classes))
    tables = np.zeros((KINDS, size.images, classes, classes), np.int64)
    for kind, image, c in np.ndindex(KINDS, size.images, classes):
        right = rng.binomial(true[image, c], 0.6 + 0.3 * kind / KINDS)
        tables[kind, image, c, (c + 1) % classes] = true[image, c] - right
        tables[kind, image, c, c] = right
    return tables


def _stage(run: Made, specs: dict[bool, dict[str, Any]]) -> dict[str, Any]:
    return {
        "key": run.key,
        "kind": "pretrain" if run.dataset is None else "finetune",
        "parent": run.parent,
        "dataset": None if run.dataset is None else f"town{run.dataset}",
        "spec": specs[run.dataset is not None],
        "state": "done",
        "status": "ok",
        "attempts": 1,
        "started_at": "2026-01-01T00:00:00+00:00",
        "duration_s": 12.5,
        "outcome_hash": run.key,
    }


def _item(experiment: int, run: Made) -> dict[str, Any]:
    return {
        "experiment_id": experiment,
        "position": run.number,
        "stage_key": run.key,
        "kind": "pretrain" if run.dataset is None else "finetune",
        "phase": "pretrain" if run.dataset is None else None,
        "arm": run.arm,
        "backbone": run.backbone,
        "in_chans": 3,
        "dataset": None if run.dataset is None else f"town{run.dataset}",
        "label_fraction": run.fraction,
        "pretrain_seed": run.pretrain_seed,
        "finetune_seed": run.finetune_seed,
        "needs": [],
    }


def _key(what: object) -> str:
    return hashlib.sha256(str(what).encode()).hexdigest()
