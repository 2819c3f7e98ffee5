"""Images in a folder: one folder per class (ImageNet's layout), or any images without labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gpbench.api import DataError, DatasetNotFoundError, Role, SourceImage, SourceInfo, SourceRef
from gpbench.readers.image import read_rgb

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
SPLIT_WORDS = {"train", "training", "val", "valid", "validation", "test", "testing"}
MEND = "name the folder: --source folder[root=DIR]"


class Folder:
    """All images below `root/train`, or below `root` where there is no such folder.

    The class of an image is the first folder below that, however deep the image lies: Tiny
    ImageNet's `train/CLASS/images/x.JPEG` too. Classes count by sorted folder name.
    """

    info = SourceInfo(
        title="Images in a folder", version=1, roles=("labelled", "unlabelled", "scenes")
    )

    def images(self, root: Path, role: Role) -> Sequence[SourceRef]:
        """Return all training images, sorted by class and path; labels for labelled roles only."""
        if not root.is_dir():
            raise DatasetNotFoundError("folder", root, MEND)
        top = root / "train" if (root / "train").is_dir() else root
        if role == "unlabelled":
            refs = [_ref(path, root, None) for path in sorted(_images_below(top))]
        else:
            refs = [
                _ref(path, root, label)
                for label, folder in enumerate(_class_folders(top))
                for path in _images_of(folder)
            ]
        if not refs:
            raise DatasetNotFoundError("folder", root, f"no image file lies below it; {MEND}")
        return refs

    def read(self, root: Path, ref: SourceRef) -> SourceImage:
        """Return one image (H, W, 3) uint8: upright, grey repeated, alpha dropped."""
        return read_rgb(root / ref.name)


def _class_folders(top: Path) -> list[Path]:
    folders = sorted(
        path for path in top.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if len(folders) < 2 or {folder.name for folder in folders} <= SPLIT_WORDS:
        names = ", ".join(folder.name for folder in folders) or "none"
        raise DataError(
            f"{top} must hold a folder per class, at least two; its folders: {names}. "
            "Name the folder that holds train/ or the class folders, or use the images unlabelled"
        )
    return folders


def _images_of(folder: Path) -> list[Path]:
    paths = sorted(_images_below(folder))
    if not paths:
        raise DataError(f"the class folder {folder} holds no image: remove it, or fill it")
    return paths


def _images_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(parent, name)


def _ref(path: Path, root: Path, label: int | None) -> SourceRef:
    return SourceRef(path.relative_to(root).as_posix(), label, path.stat().st_size)


PLUGIN = Folder()
