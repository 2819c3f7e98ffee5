"""The training loop against the bare model: what order, draws, views and records cost per step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from gpbench.core.recipe import Execution, FinetuneRecipe, Optimisation
from gpbench.core.stage import Numerics
from gpbench.engine.device import set_up
from gpbench.engine.loop import Fetched, Trainer, Training
from gpbench.engine.monitor import Silent
from gpbench.engine.optimiser import build_optimiser
from gpbench.models.segmentor import Segmentor
from gpbench.stages.finetune import SegmentationTask, TileBatch

STEPS, BATCH, SIDE_PX = 20, 16, 64
NUMERICS = Numerics(2, "fp32", channels_last=False)
RECIPE = FinetuneRecipe(batch=BATCH, steps=STEPS, head_channels=32, auxiliary_channels=32)


@pytest.fixture
def task() -> SegmentationTask:
    set_up(NUMERICS, seed=0)
    segmentor = Segmentor("test_convnext3", 4, 5, RECIPE, image_px=SIDE_PX, seed=0)
    return SegmentationTask(segmentor, RECIPE, SIDE_PX)


@pytest.fixture
def tiles() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 4, SIDE_PX, SIDE_PX, generator=generator)
    labels = torch.randint(0, 5, (BATCH, SIDE_PX, SIDE_PX), generator=generator)
    return images, labels.to(torch.uint8)


@pytest.mark.benchmark(group="20 fine-tuning steps")
def bench_bare_model(
    benchmark: BenchmarkFixture, task: SegmentationTask, tiles: tuple[Tensor, Tensor]
) -> None:
    segmentor: Any = task.net
    optimiser = build_optimiser(task, segmentor.backbone, Optimisation())
    task.train()

    def train() -> None:
        for _ in range(STEPS):
            optimiser.zero_grad(set_to_none=True)
            segmentor.losses(*tiles)["loss"].backward()
            optimiser.step()

    benchmark(train)


@pytest.mark.benchmark(group="20 fine-tuning steps")
def bench_training_loop(
    benchmark: BenchmarkFixture,
    task: SegmentationTask,
    tiles: tuple[Tensor, Tensor],
    tmp_path: Path,
) -> None:
    segmentor: Any = task.net
    images, labels = tiles

    def fetch(step: int) -> Fetched:  # noqa: ARG001  the same tiles at every step
        return Fetched(BATCH, lambda part, _device: TileBatch(images[part], labels[part]))

    def train() -> None:
        (tmp_path / "checkpoint.pt").unlink(missing_ok=True)
        training = Training(
            task=task,
            backbone=segmentor.backbone,
            fetch=fetch,
            steps=STEPS,
            optim=Optimisation(),
            numerics=NUMERICS,
            execution=Execution(),
            device=torch.device("cpu"),
            seed=0,
            folder=tmp_path,
        )
        Trainer(training, Silent()).run()

    benchmark(train)
