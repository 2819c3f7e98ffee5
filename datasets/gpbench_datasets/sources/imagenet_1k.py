"""ImageNet-1k (ILSVRC 2012): the training images, in folders, in tars or in webdataset shards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from gpbench.api import DataError, DatasetNotFoundError, Role, SourceImage, SourceInfo, SourceRef
from gpbench_datasets.sources._files import folders_in
from gpbench_datasets.sources._imagenet_folders import has_class_folders, refs_in_folders
from gpbench_datasets.sources._imagenet_tars import CLASS_TAR, refs_in_tars
from gpbench_datasets.sources._refs import read
from gpbench_datasets.sources._tar import stamped
from gpbench_datasets.sources._unpack import how_to_unpack

TOPS = (
    "train",
    "ILSVRC2012_img_train",
    "ILSVRC/Data/CLS-LOC/train",
    "Data/CLS-LOC/train",
    "CLS-LOC/train",
    "",
)
"""Where training images may lie below the root; the first that holds some counts."""
NO_TRAIN_TAR = re.compile(r"((?<![a-z])|train)(val|test)|_t3", re.IGNORECASE)
"""Other splits, trainval too, and ILSVRC2012_img_train_t3.tar: a task of its own, of dogs."""
OBTAIN = (
    "agree to the terms at https://image-net.org/download.php, get ILSVRC2012_img_train.tar "
    "(138 GB) and put it there as it is; or unpacked (train/n01440764/*.JPEG), a tar per class "
    "(train/n01440764.tar), or webdataset shards (*train*.tar)"
)


class ImageNet1k:
    """Training images of ImageNet-1k; the validation images are not read.

    Recognised below `root` or its `train`: a folder per class; a tar per class; the official tar
    of tars; one tar of class folders; webdataset shards, with the wnid in their keys, or with the
    class index in KEY.cls or as "label" in KEY.json. Tars are read in place, without unpacking.
    Where both folders and tars lie, the folders are read.

    An image has the same name in all of these, so the keys of stages do not depend on which it is;
    shards whose keys are numbers are the exception. Labels count the classes that are there, by
    wnid or class index. Fewer than 1,000 classes or 1,281,167 images are no error: the fingerprint
    differs, and with it every key.
    """

    info = SourceInfo(
        title="ImageNet-1k (ILSVRC 2012), training images",
        version=1,
        roles=("labelled", "unlabelled"),
        licence="ImageNet terms of access: non-commercial research and education",
        reference="https://image-net.org/challenges/LSVRC/2012/",
    )

    def images(self, root: Path, role: Role) -> Sequence[SourceRef]:
        """Return all training images, sorted by name."""
        refs = _listed(root)
        if role == "unlabelled":
            return [SourceRef(r.name, None, r.size_bytes, r.file, r.offset) for r in refs]
        _refuse_few_classes(refs, root)
        return refs

    def read(self, root: Path, ref: SourceRef, least_px: int | None = None) -> SourceImage:
        """Return one image (H, W, 3) uint8: upright, grey repeated, alpha dropped."""
        return read(root, ref, least_px)


def _listed(root: Path) -> Sequence[SourceRef]:
    for top in TOPS:
        folder = root / top
        if not folder.is_dir():
            continue
        if has_class_folders(folder):
            return refs_in_folders(root, folder)
        tars = [path for path in sorted(folder.glob("*.tar")) if _is_train_tar(path.name, top)]
        if tars:
            return refs_in_tars(root, stamped(tars))
    raise DatasetNotFoundError("imagenet-1k", root, _how(root))


def _is_train_tar(name: str, top: str) -> bool:
    if name.startswith("."):
        return False
    if CLASS_TAR.fullmatch(name):
        return True
    return (bool(top) or "train" in name.lower()) and not NO_TRAIN_TAR.search(name)


def _refuse_few_classes(refs: Iterable[SourceRef], root: Path) -> None:
    labels = set()
    for ref in refs:
        if ref.label is None:
            raise DataError(
                f"nothing tells the class of '{ref.name}' in {root / ref.file}: no wnid in its "
                'path, no KEY.cls, no "label" in KEY.json. Use the images unlabelled',
                "label",
            )
        labels.add(ref.label)
    if len(labels) < 2:
        raise DataError(f"{root} holds images of one class only: get the others")


def _how(root: Path) -> str:
    unpack = how_to_unpack(root)
    if unpack:
        return unpack
    named = next((root / top for top in TOPS if (root / top).is_dir()), None)
    folders = ", ".join(folders_in(named)[:5]) if named else ""
    seen = f"its folders are {folders}, not named n01440764 as ImageNet's; " if folders else ""
    return f"{seen}{OBTAIN}; or name another folder: --data-root imagenet-1k=DIR"


PLUGIN = ImageNet1k()
