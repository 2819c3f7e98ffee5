"""The cards of the real run beside urban_trees: potholes with disparity, roads; on the samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpbench.api import DatasetNotFoundError, Split
from gpbench.readers.image import read_image
from gpbench_datasets.folder import PLUGIN, FolderDataset, Params

CARDS = Path(__file__).parents[2] / "configs" / "real-run"
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@pytest.fixture
def potholes() -> FolderDataset:
    return PLUGIN.configured(Params(CARDS / "stereo_potholes.yaml"))[1]


@pytest.fixture
def roads() -> FolderDataset:
    return PLUGIN.configured(Params(CARDS / "roads.yaml"))[1]


def test_potholes_are_complete_and_no_place_is_in_two_splits(
    potholes: FolderDataset, samples: Path
) -> None:
    root = samples / "stereo_potholes_quarter_DERIVED"
    assert potholes.problems(root) == []
    refs = {split: potholes.images(root, split) for split in SPLITS}
    assert {split: [ref.name for ref in found] for split, found in refs.items()} == {
        "train": [f"{number:02}" for number in range(1, 31)],
        "val": [],
        "test": [f"{number:02}" for number in range(31, 41)],
    }
    scenes = {split: {ref.scene for ref in found} for split, found in refs.items()}
    assert (len(scenes["train"]), len(scenes["test"])) == (8, 5)
    assert not scenes["train"] & scenes["test"]


def test_disparity_falls_in_potholes_and_keeps_16_bits(
    potholes: FolderDataset, samples: Path
) -> None:
    root = samples / "stereo_potholes_quarter_DERIVED"
    image, label = potholes.read(root, potholes.images(root, "test")[0])
    assert image.shape == (257, 430, 4)
    assert image.dtype == np.uint16
    assert image[:, :, :3].max() < 256
    assert label is not None
    assert np.unique(label).tolist() == [0, 1]
    disparity = image[:, :, 3]
    assert disparity[label == 0].mean() > disparity[label == 1].mean() + 5000


def test_roads_are_split_80_to_20_by_name(roads: FolderDataset, samples: Path) -> None:
    root = samples / "roads_eth_cil"
    assert roads.problems(root) == []
    refs = {split: roads.images(root, split) for split in SPLITS}
    assert {split: [ref.name for ref in found] for split, found in refs.items()} == {
        "train": [f"satImage_{number:03}" for number in range(1, 81)],
        "val": [],
        "test": [f"satImage_{number:03}" for number in range(81, 101)],
    }
    assert {ref.scene for ref in refs["test"]} == {ref.name for ref in refs["test"]}


def test_roads_are_a_fifth_of_the_pixels(roads: FolderDataset, samples: Path) -> None:
    root = samples / "roads_eth_cil"
    labels = []
    for ref in roads.images(root, "test"):
        image, label = roads.read(root, ref)
        assert image.shape == (400, 400, 3)
        assert label is not None
        labels.append(label)
    assert 0.15 < np.mean(labels) < 0.25


def test_softened_edges_of_roads_are_cut_in_the_middle(roads: FolderDataset, samples: Path) -> None:
    root = samples / "roads_eth_cil"
    ref = roads.images(root, "test")[0]
    mask = read_image(root / ref.files[-1])[:, :, 0]
    assert ((mask > 0) & (mask < 127)).any()
    np.testing.assert_array_equal(roads.read(root, ref)[1], mask > 127)


@pytest.mark.parametrize("name", ["stereo-potholes", "roads"])
def test_without_the_samples_folder_the_flag_is_named(
    name: str, potholes: FolderDataset, roads: FolderDataset
) -> None:
    dataset = {"stereo-potholes": potholes, "roads": roads}[name]
    with pytest.raises(DatasetNotFoundError, match=f"--data-root folder:{name}=DIR"):
        dataset.images(dataset.default_root, "train")
