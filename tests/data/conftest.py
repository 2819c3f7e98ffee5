"""A stored dataset for all tests of the data layer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gpbench.api import Dataset
from gpbench.data.tile_store import TileStore, write_store
from tests.data.held import HeldDataset, content


@pytest.fixture
def held() -> HeldDataset:
    """Two training images, one validation image, two test images, of different sizes."""
    return HeldDataset(
        {
            "train": {"a": content(1), "b": content(2, 7, 21)},
            "val": {"c": content(3)},
            "test": {"d": content(4, 30, 5), "e": content(5)},
        }
    )


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[Dataset], TileStore]:
    """Return a function that writes a dataset into a store and opens it."""

    def write(dataset: Dataset) -> TileStore:
        write_store(tmp_path / "store", dataset, tmp_path)
        return TileStore.open(tmp_path / "store")

    return write
