"""Scoring: a trained segmentor on the test images -> one C x C count matrix per source image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gpbench.core.errors import StageInterruptedError
from gpbench.core.stage import PLAIN, FinetuneSpec, ImageFacts, ScoredVariant, digest
from gpbench.data.tile_store import StoredImage, TileStore
from gpbench.data.windows import grid, padded_tile
from gpbench.engine.device import autocast
from gpbench.engine.monitor import Beat, Monitor
from gpbench.metrics.confusion import confusion_counts
from gpbench.stages import artefacts
from gpbench.stages.tiles import standardised

EXAMPLES = 4
"""Test images whose predicted label map is kept."""
WINDOWS_AT_ONCE = 8


@torch.inference_mode()
def score(
    segmentor: nn.Module,
    store: TileStore,
    spec: FinetuneSpec,
    folder: Path,
    device: torch.device,
    monitor: Monitor,
) -> tuple[tuple[ScoredVariant, ...], tuple[ImageFacts, ...]]:
    """Predict every test image window by window and leave the counts in the stage's folder."""
    segmentor.eval()
    images = store.images("test")
    n_classes = len(spec.dataset.info.classes)
    counts = np.zeros((len(images), n_classes, n_classes), dtype=np.int64)
    shown = set(np.linspace(0, len(images) - 1, min(EXAMPLES, len(images))).round().astype(int))
    examples: dict[str, NDArray[np.uint8]] = {}
    for position, image in enumerate(images):
        predicted = predict(segmentor, store, image, spec, device)
        _, label = store.read(image.index)
        counts[position] = confusion_counts(label, predicted, n_classes)
        if position in shown:
            examples[image.name] = predicted
        monitor.beat(Beat("score", position + 1, len(images)))
        if monitor.stop_wanted():
            raise StageInterruptedError(f"stopped while scoring {image.name}")
    names = np.array([image.name for image in images])
    artefacts.write_arrays(folder / artefacts.CONFUSION, images=names, counts=counts)
    artefacts.write_arrays(folder / artefacts.EXAMPLES, **examples)
    facts = tuple(ImageFacts(image.name, image.scene, tuple(image.tags)) for image in images)
    return (ScoredVariant(PLAIN, evaluation_digest(spec), artefacts.CONFUSION),), facts


def evaluation_digest(spec: FinetuneSpec) -> str:
    """Return the digest of what of the protocol can change counts."""
    protocol = spec.dataset.protocol
    return digest([protocol.tile_px, protocol.stride_px, protocol.excluded])


def predict(
    segmentor: nn.Module,
    store: TileStore,
    image: StoredImage,
    spec: FinetuneSpec,
    device: torch.device,
) -> NDArray[np.uint8]:
    """Return the label map (H, W) of one image, probabilities averaged where windows overlap."""
    protocol = spec.dataset.protocol
    pixels, _ = store.read(image.index)
    offsets = grid(image.height, image.width, protocol.tile_px, protocol.stride_px)
    total: Tensor | None = None
    for start in range(0, len(offsets), WINDOWS_AT_ONCE):
        chosen = offsets[start : start + WINDOWS_AT_ONCE]
        tiles = np.stack([padded_tile(pixels, r, c, protocol.tile_px) for r, c in chosen])
        with autocast(spec.numerics, device):
            logits: Any = segmentor(standardised(tiles, store, device))
        for (row, column), probabilities in zip(chosen, logits.float().softmax(1), strict=True):
            if total is None:
                total = torch.zeros(len(probabilities), image.height, image.width, device=device)
            area = total[:, row : row + protocol.tile_px, column : column + protocol.tile_px]
            area += probabilities[:, : area.shape[1], : area.shape[2]]
    assert total is not None  # noqa: S101  a grid has at least one window
    return total.argmax(0).to(torch.uint8).cpu().numpy()
