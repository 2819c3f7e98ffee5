"""A downstream dataset's training images, without their labels, as images to pre-train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.errors import ContractError
from gpbench.core.stage import PretrainSpec, StageRequest
from gpbench.data.tile_store import TileStore, store_folder
from gpbench.data.windows import read_window, windows_of


class TargetImages:
    """All training tiles of the phase's dataset, whatever the label fraction; never val or test.

    Looks like `SourceImages` to a pre-training stage: no labels, and the dataset's bands.
    """

    labels: NDArray[np.int64] | None = None
    num_classes = 0

    def __init__(self, request: StageRequest) -> None:
        spec = request.spec
        if not isinstance(spec, PretrainSpec) or spec.dataset is None:
            raise ContractError("a phase", "target-train is read only by a phase of one dataset")
        self.store = TileStore.open(store_folder(Path(request.data_folder), spec.dataset))
        protocol = spec.dataset.protocol
        self.windows = windows_of(self.store.images("train"), protocol.tile_px, protocol.stride_px)
        self.tile_px = protocol.tile_px
        self.n_images = len(self.windows)
        info = np.iinfo(self.store.dtype) if self.store.dtype.kind == "u" else None
        self.full_scale = float(info.max) if info else 1.0
        self.mean = self.store.mean / self.full_scale
        self.std = self.store.std / self.full_scale

    def batch(self, indices: NDArray[np.int64], size_px: int) -> NDArray[Any]:  # noqa: ARG002  tiles keep their size
        """Return tiles (B, C, tile, tile) in raw dtype; crops are taken on the device."""
        tiles = [read_window(self.store, self.windows[i], self.tile_px)[0] for i in indices]
        return np.stack(tiles).transpose(0, 3, 1, 2)
