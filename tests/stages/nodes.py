"""A tiny pre-training and its fine-tuning, sent to nodes that share a storage or a workdir."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest

from gpbench.core.recipe import Execution, FinetuneRecipe, Optimisation, PretrainRecipe
from gpbench.core.stage import (
    BACKBONE_FILE,
    DatasetSpec,
    FinetuneSpec,
    Numerics,
    PluginSpec,
    PretrainSpec,
    SourceSpec,
    StageRequest,
    StageSpec,
)
from gpbench.engine.monitor import Beat
from gpbench.planning import resolve_dataset
from gpbench.stages.scratch import SCRATCH_VARIABLE

STEPS = 4
NUMERICS = Numerics(1, "fp32", channels_last=False)
OPTIM = Optimisation(warmup_steps=0)
PRETRAIN = PretrainSpec(
    PluginSpec("imagenet", 1, {}),
    "supervised",
    0,
    "test_convnext3",
    3,
    (SourceSpec("labelled", PluginSpec("demo", 1), "f" * 64),),
    PretrainRecipe(batch=6, crop_px=32, steps=STEPS, optim=OPTIM),
    NUMERICS,
    pretrain_seed=0,
)
SELECTOR = "demo-mfnet"


def finetune(parent: str | None = PRETRAIN.key) -> FinetuneSpec:
    """Return a fine-tuning on a dataset of four bands, by default of what PRETRAIN left."""
    dataset: DatasetSpec = resolve_dataset(SELECTOR, {}).spec()
    spec = FinetuneSpec(
        "test_convnext3",
        4,
        dataset,
        FinetuneRecipe(batch=4, steps=2, head_channels=8, auxiliary=0.0, optim=OPTIM),
        NUMERICS,
        replicate=0,
    )
    return (
        spec
        if parent is None
        else replace(spec, parent=parent, parent_stem="rgb", inflate="repeat")
    )


def request(workdir: Path, spec: StageSpec, storage: str | None = None) -> StageRequest:
    """Return a stage as the driver sends it; it saves a checkpoint after every step."""
    workdir.mkdir(parents=True, exist_ok=True)
    stages = workdir / "stages"
    return StageRequest(
        spec,
        str(stages / spec.key),
        str(stages / spec.parent / BACKBONE_FILE) if spec.parent else None,
        {},
        str(workdir / "data"),
        Execution(device="cpu", loader_workers=0, checkpoint_seconds=1e-9),
        storage=storage,
        selector=SELECTOR if spec.dataset else None,
    )


@dataclass
class Watch:
    """A monitor that keeps beats and asks for a stop after so many checkpoints."""

    stop_after: int | None = None
    beats: list[Beat] = field(default_factory=list)
    saved_times: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def beat(self, beat: Beat) -> None:
        self.beats.append(beat)

    def stop_wanted(self) -> bool:
        return self.stop.is_set()

    def saved(self, folder: Path) -> None:
        assert (folder / "checkpoint.pt").is_file()
        self.saved_times += 1
        if self.saved_times == self.stop_after:
            self.stop.set()

    def steps(self, activity: str) -> list[int]:
        return [beat.step for beat in self.beats if beat.activity == activity]


class Node:
    """A node of its own as far as files go: with another scratch folder than others."""

    def __init__(self, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scratch, self._monkeypatch = scratch, monkeypatch

    def __enter__(self) -> Self:
        self._monkeypatch.setenv(SCRATCH_VARIABLE, str(self.scratch))
        return self

    def __exit__(self, *exc: object) -> None:
        self._monkeypatch.delenv(SCRATCH_VARIABLE)


def names(folder: Path) -> list[str]:
    """Return the names of all that lies in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())
