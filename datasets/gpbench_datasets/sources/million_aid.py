"""Million-AID: a million aerial scenes, the test set for pre-training without labels.

Million-AID's web site offers train.zip (10,000 images with labels) and a test set in 17 parts
(990,000 without). The labels are the folders: `train/LAND USE/../CLASS/x.jpg`, two or three deep
with 51 classes in all, as torchgeo reads them; the same classes without folders above them are
read too. Where test images lie below `test/` is not written down: GeRSP reads `test/*.jpg`, others
`test/*/*.jpg`, and here any depth counts. We had no copy of the real data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from gpbench.api import DataError, DatasetNotFoundError, Role, SourceImage, SourceInfo, SourceRef
from gpbench_datasets.sources._files import images_below, is_image
from gpbench_datasets.sources._refs import in_order, read
from gpbench_datasets.sources._tar import Stamp, members, stamped
from gpbench_datasets.sources._unpack import how_to_unpack

OBTAIN = (
    "get it from https://captain-whu.github.io/DiRS/ (or torchgeo/million-aid on Hugging Face) and "
    "put it there as test/*.jpg (the role unlabelled) and train/LAND_USE/CLASS/*.jpg (the role "
    "scenes), or as test*.tar and train*.tar; or name its folder: --data-root million-aid=DIR"
)


class MillionAid:
    """Test images without labels, and training images whose class is the folder they lie in.

    Where nothing is called `test*`, all images below the root are the unlabelled ones. Tars
    (`test.tar`, `test/000.tar`) are read in place where no folder holds images.
    """

    info = SourceInfo(
        title="Million-AID",
        version=1,
        roles=("unlabelled", "scenes"),
        licence="CC-BY-NC-ND-4.0",
        reference="https://captain-whu.github.io/DiRS/",
    )

    def images(self, root: Path, role: Role) -> Sequence[SourceRef]:
        """Return all images of a role, sorted by name; classes count by sorted name."""
        split = "test" if role == "unlabelled" else "train"
        refs = _in_folder(root, split) or _in_tars(root, split, stamped(_tars(root, split)))
        if not refs and role == "unlabelled" and not any(root.glob("test*")):
            refs = _in_folder(root, "")
        if not refs:
            raise DatasetNotFoundError("million-aid", root, how_to_unpack(root) or OBTAIN)
        return refs if role == "unlabelled" else _labelled(refs, root)

    def read(self, root: Path, ref: SourceRef, least_px: int | None = None) -> SourceImage:
        """Return one image (H, W, 3) uint8: upright, grey repeated, alpha dropped."""
        return read(root, ref, least_px)


def _in_folder(root: Path, split: str) -> Sequence[SourceRef]:
    if not (root / split).is_dir():
        return []
    prefix = f"{split}/" if split else ""
    return in_order(
        SourceRef(_name(path, split), None, size, prefix + path)
        for path, size in images_below(root / split)
    )


def _tars(root: Path, split: str) -> list[Path]:
    found = [*root.glob(f"{split}*.tar"), *root.glob(f"{split}/*.tar")]
    return sorted(path for path in found if not path.name.startswith("."))


@lru_cache(maxsize=2)  # a role each; the headers of all images are read
def _in_tars(root: Path, split: str, tars: tuple[Stamp, ...]) -> Sequence[SourceRef]:
    refs = (
        SourceRef(
            _name(member.path, split),
            None,
            member.size_bytes,
            Path(tar.path).relative_to(root).as_posix(),
            member.offset,
        )
        for tar in tars
        for member in members(Path(tar.path))
        if is_image(member.path.rpartition("/")[2])
    )
    return tuple(in_order(refs))


def _name(path: str, split: str) -> str:
    """Return the path without the split's folder, which archives and unpacking may repeat."""
    return path.removeprefix(f"{split}/") if split else path


def _labelled(refs: Sequence[SourceRef], root: Path) -> Sequence[SourceRef]:
    folders = [ref.name.rpartition("/")[0] for ref in refs]
    names = _class_names(folders, root)
    ranks = {name: rank for rank, name in enumerate(sorted(names.values()))}
    return [
        replace(ref, label=ranks[names[folder]]) for ref, folder in zip(refs, folders, strict=True)
    ]


def _class_names(paths: Iterable[str], root: Path) -> Mapping[str, str]:
    """Return the class of each folder with images: its own name, or its path if two share that."""
    folders = set(paths)
    parents = {path for folder in folders for path in _above(folder)}
    mixed = sorted(folders & parents)
    if mixed:
        raise DataError(
            f"{root / 'train' / mixed[0]} holds images beside folders with images: "
            "a scene's class is the folder that it lies in, so move them"
        )
    if len(folders) < 2:
        raise DataError(f"{root / 'train'} must hold images in folders of at least two classes")
    bases = Counter(folder.rpartition("/")[2] for folder in folders)
    return {
        folder: base if bases[base := folder.rpartition("/")[2]] == 1 else folder
        for folder in folders
    }


def _above(folder: str) -> list[str]:
    """Return the folders above a folder; the top one is the empty path."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:n]) for n in range(len(parts))]


PLUGIN = MillionAid()
