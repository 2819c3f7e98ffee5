"""ImageNet as a folder per class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gpbench.api import DataError, SourceRef
from gpbench_datasets.sources._files import folders_in, images_below
from gpbench_datasets.sources._imagenet_tars import CLASS_TAR
from gpbench_datasets.sources._refs import in_order
from gpbench_datasets.sources._wnids import WNID, image_name, refuse_many_classes

NO_CLASS = re.compile(r"train|val.*|test|Annotations|Data|ImageSets", re.IGNORECASE)
"""Folders of the whole data set, where the classes were put among them."""


def has_class_folders(top: Path) -> bool:
    """Return whether a folder is called like a class."""
    return any(WNID.fullmatch(name) for name in folders_in(top))


def refs_in_folders(root: Path, top: Path) -> Sequence[SourceRef]:
    """Return the images below the class folders of `top`, with labels by sorted wnid.

    Raises:
        DataError: If a class is empty, not ImageNet's or still packed, or an image is there twice.
    """
    wnids = [name for name in folders_in(top) if _is_class(name, top)]
    refuse_many_classes(wnids, top)
    _refuse_partly_unpacked(wnids, top)
    below = top.relative_to(root).as_posix()
    prefix = "" if below == "." else f"{below}/"
    refs: list[SourceRef] = []
    for label, wnid in enumerate(wnids):
        found = [
            SourceRef(
                image_name(wnid, path.rpartition("/")[2]), label, size, f"{prefix}{wnid}/{path}"
            )
            for path, size in images_below(top / wnid)
        ]
        if not found:
            raise DataError(f"the class folder {top / wnid} holds no image: remove it, or fill it")
        refs += found
    return in_order(refs)


def _is_class(folder: str, top: Path) -> bool:
    if WNID.fullmatch(folder):
        return True
    if NO_CLASS.fullmatch(folder):
        return False
    raise DataError(
        f"{top} holds the folder '{folder}' among ImageNet's classes, whose names are n and 8 "
        "digits: move it away, or use the source folder[root=DIR], which takes any class name"
    )


def _refuse_partly_unpacked(wnids: Sequence[str], top: Path) -> None:
    tars = {match[1] for path in top.iterdir() if (match := CLASS_TAR.fullmatch(path.name))}
    packed = sorted(tars - set(wnids))
    if packed:
        raise DataError(
            f"{top} is unpacked in part: {len(wnids)} classes are folders, and {len(packed)} are "
            f"tars without a folder, such as {packed[0]}.tar: unpack all, or move the folders away"
        )
