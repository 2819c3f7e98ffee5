"""What all arms of one replicate share, and what a fine-tuning leaves: counts that add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gpbench.core.recipe import Execution, FinetuneRecipe, Optimisation
from gpbench.core.stage import DatasetSpec, FinetuneSpec, Numerics, StageRequest
from gpbench.data.label_subset import label_subset
from gpbench.data.tile_store import TileStore, store_folder
from gpbench.data.tile_writer import write_store
from gpbench.engine.monitor import Silent
from gpbench.models.backbone import create_classifier, save_backbone
from gpbench.planning import resolve_dataset
from gpbench.stages.finetune import class_weights
from gpbench.stages.run import run_stage

RECIPE = FinetuneRecipe(
    batch=4, steps=2, head_channels=8, auxiliary=0.0, optim=Optimisation(warmup_steps=0)
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DatasetSpec]:
    """Return prepared demo-mfnet: four bands, day and night."""
    folder = tmp_path_factory.mktemp("data")
    resolved = resolve_dataset("demo-mfnet", {})
    spec = resolved.spec()
    write_store(store_folder(folder, spec), resolved.dataset, Path())
    return folder, spec


def spec_of(dataset: DatasetSpec, **changes: object) -> FinetuneSpec:
    numerics = Numerics(1, "fp32", channels_last=False)
    spec = FinetuneSpec("test_convnext3", 4, dataset, RECIPE, numerics, replicate=0)
    return replace(spec, **changes)  # type: ignore[arg-type]  # fields by name


def run(folder: Path, data: Path, spec: FinetuneSpec, weights: Path | None = None) -> Path:
    parent = str(weights) if weights else None
    execution = Execution(device="cpu", loader_workers=0)
    outcome = run_stage(StageRequest(spec, str(folder), parent, {}, str(data), execution), Silent())
    assert outcome.status == "ok", outcome.error
    return folder


def test_counts_hold_every_scored_pixel_of_every_test_image(
    data: tuple[Path, DatasetSpec], tmp_path: Path
) -> None:
    folder, dataset = data
    run(tmp_path, folder, spec_of(dataset))
    store = TileStore.open(store_folder(folder, dataset))
    with np.load(tmp_path / "confusion-plain.npz", allow_pickle=False) as arrays:
        names, counts = arrays["images"].tolist(), arrays["counts"]
    assert names == [image.name for image in store.images("test")]
    np.testing.assert_array_equal(counts.sum(axis=2), store.class_pixels("test"))
    with np.load(tmp_path / "examples.npz", allow_pickle=False) as examples:
        assert len(examples.files) == 4
        assert {examples[name].shape for name in examples.files} == {(128, 128)}


def test_arms_of_one_replicate_see_the_same_tiles_and_start_with_the_same_head(
    data: tuple[Path, DatasetSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpbench.stages import finetune

    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    class Watched(finetune.SegmentationTask):
        def loss(self, views: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
            head = self.net.get_parameter("decode_head.conv_seg.weight")
            seen.append((views[0], head.detach().clone()))
            return super().loss(views)

    monkeypatch.setattr(finetune, "SegmentationTask", Watched)
    folder, dataset = data
    backbone = create_classifier("test_convnext3", 3, 0, image_px=64, drop_path=0.0, seed=9)
    save_backbone(backbone, tmp_path / "backbone.safetensors")
    pretrained = spec_of(dataset, parent="p" * 64, parent_stem="rgb", inflate="repeat")
    run(tmp_path / "scratch", folder, spec_of(dataset))
    run(tmp_path / "pretrained", folder, pretrained, tmp_path / "backbone.safetensors")
    run(tmp_path / "other", folder, spec_of(dataset, replicate=1))
    scratch, arm, other = seen[0], seen[2], seen[4]
    assert torch.equal(scratch[0], arm[0])
    assert torch.equal(scratch[1], arm[1])
    assert not torch.equal(scratch[0], other[0])
    assert not torch.equal(scratch[1], other[1])


def test_class_weights_come_from_the_labels_that_are_trained_on(
    data: tuple[Path, DatasetSpec],
) -> None:
    folder, dataset = data
    store = TileStore.open(store_folder(folder, dataset))
    labelled = label_subset(store.class_pixels("train"), 0.25, seed=1)
    spec = spec_of(dataset, recipe=replace(RECIPE, class_weights="sqrt-inverse"))
    weights = np.array(class_weights(store, labelled, spec))
    pixels = store.class_pixels("train")[labelled].sum(axis=0)
    np.testing.assert_allclose(weights**2 * pixels, np.full(len(pixels), pixels.sum()))
    assert class_weights(store, labelled, spec_of(dataset)) is None
