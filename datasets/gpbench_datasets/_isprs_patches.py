"""mmsegmentation's patches of Potsdam and Vaihingen, put together to tiles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gpbench.api import (
    IGNORE_INDEX,
    DatasetNotFoundError,
    ImageRef,
    Label,
    Problem,
    Split,
)
from gpbench.readers.image import read_image
from gpbench.readers.label import mapped, read_label
from gpbench_datasets._isprs import Splits, size_text
from gpbench_datasets._patches import PatchLayout
from gpbench_datasets._published import Listing

VALUES = {0: IGNORE_INDEX} | {value + 1: value for value in range(6)}
"""Label value in a patch -> class; 0 is the border."""


class IsprsPatches(PatchLayout):
    """mmsegmentation's patches: three bands, and ids of the eroded labels.

    Args:
        tile: Matches the name of a tile, without groups.
        splits: Split -> tiles.
        chosen: The selector that the user typed.
        served: The only selector that these patches serve.
        tile_px: (height, width) of every tile; None: they differ.
    """

    def __init__(
        self,
        tile: str,
        splits: Splits,
        chosen: str,
        served: str,
        tile_px: tuple[int, int] | None = None,
    ) -> None:
        edges = r"(?P<x0>\d+)_(?P<y0>\d+)_(?P<x1>\d+)_(?P<y1>\d+)"
        patch = re.compile(rf"(?P<name>{tile})_{edges}\.png")
        super().__init__(patch, patch, read_image, _patch_label)
        self.splits, self.chosen, self.served, self.tile_px = splits, chosen, served, tile_px

    def listing(self, root: Path) -> Listing:
        """Return the tiles; one of which only the upper left is there as the part that is.

        Raises:
            DatasetNotFoundError: If patches do not serve what was chosen.
        """
        if self.chosen != self.served:
            raise DatasetNotFoundError(
                self.chosen, root, f"{self.name} there serve only -d '{self.served}'"
            )
        listing = super().listing(root)
        for split, refs in listing.images.items():
            for ref in refs:
                listing.problems += self._misplaced(root, split, ref)
                listing.problems += self._cut_short(split, ref)
        return listing

    def _misplaced(self, root: Path, split: Split, ref: ImageRef) -> Iterator[Problem]:
        owner = next((own for own, tiles in self.splits.items() if ref.name in tiles), None)
        if owner != split:
            whose = f"a {owner} tile" if owner else "no labelled tile"
            yield Problem("names", f"{root / ref.files[0]} is of '{ref.name}', {whose}")

    def _cut_short(self, split: Split, ref: ImageRef) -> Iterator[Problem]:
        matches = [self.image_name.fullmatch(Path(file).name) for file in ref.files]
        height, width = (max(int(m[edge]) for m in matches if m) for edge in ("y1", "x1"))
        if self.tile_px and (height, width) != self.tile_px:
            inside = height <= self.tile_px[0] and width <= self.tile_px[1]
            text = f"the patches of {split} tile '{ref.name}' reach {size_text((height, width))}"
            text += f" of {size_text(self.tile_px)} pixels (height x width)"
            yield Problem("missing" if inside else "size", text)


def _patch_label(path: Path) -> Label:
    return mapped(read_label(path), VALUES, str(path))
