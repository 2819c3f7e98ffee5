"""Images in a folder: one folder per class (ImageNet's layout), or any images without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gpbench.api import DataError, DatasetNotFoundError, Role, SourceImage, SourceInfo, SourceRef
from gpbench_datasets.sources._files import folders_in, images_below
from gpbench_datasets.sources._refs import read

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
        top = "train/" if (root / "train").is_dir() else ""
        if role == "unlabelled":
            refs = _refs(root, top, None)
        else:
            refs = [
                ref
                for label, name in enumerate(_class_folders(root / top))
                for ref in _of_class(root, f"{top}{name}/", label)
            ]
        if not refs:
            raise DatasetNotFoundError("folder", root, f"no image file lies below it; {MEND}")
        return refs

    def read(self, root: Path, ref: SourceRef, least_px: int | None = None) -> SourceImage:
        """Return one image (H, W, 3) uint8: upright, grey repeated, alpha dropped."""
        return read(root, ref, least_px)


def _class_folders(top: Path) -> list[str]:
    folders = folders_in(top)
    if len(folders) < 2 or set(folders) <= SPLIT_WORDS:
        names = ", ".join(folders) or "none"
        raise DataError(
            f"{top} must hold a folder per class, at least two; its folders: {names}. "
            "Name the folder that holds train/ or the class folders, or use the images unlabelled"
        )
    return folders


def _of_class(root: Path, prefix: str, label: int) -> list[SourceRef]:
    refs = _refs(root, prefix, label)
    if not refs:
        raise DataError(f"the class folder {root / prefix} holds no image: remove it, or fill it")
    return refs


def _refs(root: Path, prefix: str, label: int | None) -> list[SourceRef]:
    return [SourceRef(prefix + path, label, size) for path, size in images_below(root / prefix)]


PLUGIN = Folder()
