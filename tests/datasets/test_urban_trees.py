"""The card of the real four-band benchmark, on the real samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpbench.api import DatasetNotFoundError
from gpbench_datasets.folder import PLUGIN, FolderDataset, Params

CARD = Path(__file__).parents[2] / "configs" / "real-run" / "urban_trees.yaml"


@pytest.fixture
def trees() -> FolderDataset:
    return PLUGIN.configured(Params(CARD))[1]


def test_splits_are_those_of_the_sample(trees: FolderDataset, samples: Path) -> None:
    root = samples / "urban_trees_naip4"
    refs = {split: trees.images(root, split) for split in ("train", "val", "test")}
    assert {split: len(found) for split, found in refs.items()} == {
        "train": 109,
        "val": 43,
        "test": 48,
    }
    assert {ref.scene for ref in refs["test"]} == {
        "claremont",
        "long_beach",
        "palm_springs",
        "riverside",
        "santa_monica",
    }


def test_near_infrared_is_brighter_under_trees(trees: FolderDataset, samples: Path) -> None:
    root = samples / "urban_trees_naip4"
    tree, other = [], []
    for ref in trees.images(root, "test"):
        image, label = trees.read(root, ref)
        assert image.shape == (256, 256, 4)
        assert image.dtype == np.uint8
        assert label is not None
        tree.append(image[label == 1])
        other.append(image[label == 0])
    means = np.concatenate(tree).mean(axis=0), np.concatenate(other).mean(axis=0)
    assert (means[0][:3] < means[1][:3]).all()  # red, green and blue are darker there
    assert means[0][3] > means[1][3] + 5
    assert 0.02 < sum(map(len, tree)) / (48 * 256 * 256) < 0.06


def test_without_the_samples_folder_the_flag_is_named(trees: FolderDataset) -> None:
    with pytest.raises(DatasetNotFoundError, match="--data-root folder:urban-trees=DIR"):
        trees.images(trees.default_root, "train")
