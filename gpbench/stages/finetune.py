"""Fine-tuning: tiles and a pre-trained backbone -> segmentor.safetensors and test counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gpbench.api import Draws
from gpbench.core.recipe import FinetuneRecipe, steps_of
from gpbench.core.seeds import derive_seed
from gpbench.core.stage import (
    FinetuneSpec,
    HistoryRow,
    ImageFacts,
    ScoredVariant,
    StageRequest,
)
from gpbench.data.augment import augment_tiles
from gpbench.data.label_subset import label_subset
from gpbench.data.sampler import batch_indices
from gpbench.data.tile_store import TileStore, store_folder
from gpbench.data.windows import read_window, windows_of
from gpbench.engine.device import pick_device, set_up
from gpbench.engine.loop import Fetched, Trainer, Training
from gpbench.engine.monitor import Monitor
from gpbench.models.segmentor import Segmentor
from gpbench.stages import artefacts
from gpbench.stages.score import score
from gpbench.stages.tiles import standardised


@dataclass(frozen=True)
class TileBatch:
    """Tiles on the device."""

    images: Tensor  # (B, C, tile, tile) float32, standardised per band
    labels: Tensor  # (B, tile, tile) uint8


class SegmentationTask(nn.Module):
    """Fine-tuning as the training loop sees it."""

    def __init__(self, segmentor: Segmentor, recipe: FinetuneRecipe, crop_px: int) -> None:
        super().__init__()
        self.net, self.recipe, self.crop_px = segmentor, recipe, crop_px

    def views(self, batch: TileBatch, draws: Draws) -> tuple[Tensor, Tensor]:
        return augment_tiles(
            batch.images,
            batch.labels,
            draws,
            crop_px=self.crop_px,
            scale=self.recipe.scale,
            flip=self.recipe.flip,
            jitter=self.recipe.jitter,
        )

    def loss(self, views: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        images, labels = views
        return self.net.losses(images, labels)


@dataclass(frozen=True)
class Finetuned:
    """What a fine-tuning left."""

    history: tuple[HistoryRow, ...]
    scores: tuple[ScoredVariant, ...]
    images: tuple[ImageFacts, ...]


def finetune(request: StageRequest, monitor: Monitor) -> Finetuned:
    """Train a segmentor, leave weights, counts and example predictions in the stage's folder."""
    spec = request.spec
    assert isinstance(spec, FinetuneSpec)  # noqa: S101  the driver pairs kinds and functions
    folder = Path(request.folder)
    device = pick_device(request.execution.device)
    seed = derive_seed("finetune", spec.replicate)
    set_up(spec.numerics, derive_seed(seed, "layers"))

    store = TileStore.open(store_folder(Path(request.data_folder), spec.dataset))
    labelled = label_subset(
        store.class_pixels("train"), spec.label_fraction, derive_seed(seed, "labels")
    )
    segmentor = _segmentor(request, spec, class_weights(store, labelled, spec), seed)
    task = SegmentationTask(segmentor, spec.recipe, _crop_px(spec))
    training = Training(
        task=task,
        backbone=segmentor.backbone,
        fetch=_fetcher(store, labelled, spec, seed),
        steps=steps_of(spec.recipe),
        optim=spec.recipe.optim,
        numerics=spec.numerics,
        # the heads normalise over the batch: cutting it would change the numbers
        execution=replace(request.execution, micro_batch=None),
        device=device,
        seed=derive_seed(seed, "draws"),
        folder=folder,
    )
    trainer = Trainer(training, monitor)
    history = trainer.run()
    trained: Any = trainer.exported()
    artefacts.write_weights(folder / artefacts.SEGMENTOR, trained)
    scores, images = score(trained, store, spec, folder, device, monitor)
    return Finetuned(tuple(history), scores, images)


def _crop_px(spec: FinetuneSpec) -> int:
    return spec.recipe.crop_px or spec.dataset.protocol.tile_px


def class_weights(
    store: TileStore, labelled: NDArray[np.int64], spec: FinetuneSpec
) -> list[float] | None:
    """Return the loss's weight of each class (C,), from the labels that are trained on.

    `sqrt-inverse` is 1 / sqrt(share of the pixels); a class without pixels has weight 0.
    """
    if spec.recipe.class_weights == "none":
        return None
    pixels = store.class_pixels("train")[labelled].sum(axis=0)
    shares = pixels / pixels.sum()
    weights: list[float] = np.divide(
        1, np.sqrt(shares), out=np.zeros(len(shares)), where=shares > 0
    ).tolist()
    return weights


def _segmentor(
    request: StageRequest, spec: FinetuneSpec, weights: list[float] | None, seed: int
) -> Segmentor:
    info, protocol = spec.dataset.info, spec.dataset.protocol
    segmentor = Segmentor(
        spec.backbone,
        spec.in_chans,
        len(info.classes),
        spec.recipe,
        image_px=_crop_px(spec),
        excluded=tuple(info.classes.index(name) for name in protocol.excluded),
        class_weights=weights,
        seed=derive_seed(seed, "weights"),
    )
    if request.parent_weights is not None:
        segmentor.load_pretrained(
            Path(request.parent_weights),
            stem=spec.parent_stem,
            bands=[band.name for band in info.bands],
            inflate=spec.inflate,
            seed=derive_seed(seed, "stem"),
        )
    return segmentor


def _fetcher(store: TileStore, labelled: NDArray[np.int64], spec: FinetuneSpec, seed: int) -> Any:
    """Return step -> batch over the tiles of the labelled training images."""
    protocol, recipe = spec.dataset.protocol, spec.recipe
    images = store.images("train")
    windows = windows_of([images[i] for i in labelled], protocol.tile_px, protocol.stride_px)
    order = derive_seed(seed, "order")

    def fetch(step: int) -> Fetched:
        indices = batch_indices(len(windows), recipe.batch, step, order)
        tiles = [read_window(store, windows[i], protocol.tile_px) for i in indices]
        pixels = np.stack([tile for tile, _ in tiles])
        labels = np.stack([label for _, label in tiles])

        def part(samples: slice, device: torch.device) -> TileBatch:
            return TileBatch(
                standardised(pixels[samples], store, device),
                torch.from_numpy(labels[samples]).to(device),
            )

        return Fetched(recipe.batch, part)

    return fetch
