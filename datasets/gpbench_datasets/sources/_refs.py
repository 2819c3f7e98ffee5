"""What sources of image files share: the order of their images, and reading one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

from gpbench.api import DataError, SourceImage, SourceRef
from gpbench.readers.image import decode_rgb, read_rgb
from gpbench_datasets.sources._tar import stored_bytes


def in_order(refs: Iterable[SourceRef]) -> list[SourceRef]:
    """Return the images sorted by name.

    Raises:
        DataError: If two have one name.
    """
    ordered = sorted(refs, key=attrgetter("name"))
    for one, other in pairwise(ordered):
        if one.name == other.name:
            places = sorted((_place(one), _place(other)))
            raise DataError(
                f"image '{one.name}' is there twice, in {' and '.join(places)}: remove one",
                "names",
            )
    return ordered


def read(root: Path, ref: SourceRef, least_px: int | None) -> SourceImage:
    """Return an image (H, W, 3) uint8 from its own file or out of an archive.

    Raises:
        DataError: If it cannot be read; names the file, or archive and image as `TAR!IMAGE`.
    """
    path = root / (ref.file or ref.name)
    if ref.offset is None:
        return read_rgb(path, least_px)
    where = f"{path}!{ref.name}"
    return decode_rgb(stored_bytes(path, ref.offset, ref.size_bytes, where), where, least_px)


def _place(ref: SourceRef) -> str:
    return ref.file if ref.offset is None else f"{ref.file} at byte {ref.offset:,}"
