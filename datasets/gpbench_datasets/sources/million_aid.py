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
from gpbench_datasets.sources._files import folders_in, images_below, is_image
from gpbench_datasets.sources._refs import in_order, read
from gpbench_datasets.sources._tar import Stamp, members, stamped
from gpbench_datasets.sources._unpack import archives_in, how_to_unpack

OBTAIN = (
    "get it from https://captain-whu.github.io/DiRS/ (or torchgeo/million-aid on Hugging Face) and "
    "put it there as test/*.jpg (the role unlabelled) and train/LAND_USE/CLASS/*.jpg (the role "
    "scenes), or as test*.tar and train*.tar; or name its folder: --data-root million-aid=DIR"
)


class MillionAid:
    """Test images without labels, and training images whose class is the folder they lie in.

    Where nothing is called `test*` or `train*`, all images below the root are the unlabelled ones.
    Tars (`test.tar`, `test/000.tar`) are read in place where no folder holds images. `Test` and
    `Train` are `test` and `train`. A split that is unpacked in part is refused.
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
        if not root.is_dir():
            raise DatasetNotFoundError("million-aid", root, OBTAIN)
        top = _top(root, split)
        tars = _tars(root, top)
        refs = _in_folder(root, top)
        unread = tars if refs else []
        refs = refs or _in_tars(root, top, stamped(tars))
        if not refs and role == "unlabelled":
            top, refs = "", _without_splits(root)
        if not refs:
            raise DatasetNotFoundError("million-aid", root, how_to_unpack(root) or OBTAIN)
        _refuse_partly_unpacked(root, top, refs, unread)
        return refs if role == "unlabelled" else _labelled(refs, root)

    def read(self, root: Path, ref: SourceRef, least_px: int | None = None) -> SourceImage:
        """Return one image (H, W, 3) uint8: upright, grey repeated, alpha dropped."""
        return read(root, ref, least_px)


def _top(root: Path, split: str) -> str:
    """Return the name of a split's folder as it is written there; the split's where none is."""
    found = [name for name in folders_in(root) if name.lower() == split]
    if len(found) > 1:
        raise DataError(f"{root} holds both {found[0]} and {found[1]}: put them together", "names")
    return found[0] if found else split


def _without_splits(root: Path) -> Sequence[SourceRef]:
    """Return all images below the root; none if something there is of a split."""
    if any(_of_split(path.name) and not is_image(path.name) for path in root.iterdir()):
        return []
    refs = _in_folder(root, "")
    folders = {ref.file.rpartition("/")[0] for ref in refs}
    return [] if any(_of_split(name) for path in folders for name in path.split("/")) else refs


def _of_split(name: str) -> bool:
    return name.lower().startswith(("test", "train"))


def _refuse_partly_unpacked(
    root: Path, top: str, refs: Iterable[SourceRef], unread: Sequence[Path]
) -> None:
    """Refuse archives of a split that are neither read nor have become what is read."""
    files = {ref.file.rpartition("/")[0] if ref.offset is None else ref.file for ref in refs}
    done = files | {path.removesuffix(".tar") for path in files}
    done |= {above for path in files for above in _above(path)}
    done = {path.lower() for path in done}
    packed = [archive.stem for folder in {root, root / top} for archive in archives_in(folder)]
    packed += [tar.with_suffix("") for tar in unread]
    names = (path.relative_to(root).as_posix() for path in packed)
    left = sorted({n for n in names if n.lower().startswith(top.lower()) and n.lower() not in done})
    if left:
        raise DataError(
            f"{root / top} is unpacked in part, or looks so: nothing that is read came from "
            f"{len(left)} archives there, such as {left[0]}: unpack all, and then move the "
            "archives away"
        )


def _in_folder(root: Path, split: str) -> Sequence[SourceRef]:
    if not (root / split).is_dir():
        return []
    prefix = f"{split}/" if split else ""
    return in_order(
        SourceRef(_name(path, split), None, size, prefix + path)
        for path, size in images_below(root / split)
    )


def _tars(root: Path, split: str) -> list[Path]:
    found = [path for path in root.glob("*.tar") if path.name.lower().startswith(split.lower())]
    found += (root / split).glob("*.tar")
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
    first, _, rest = path.partition("/")
    return rest if rest and first.lower() == split.lower() else path


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
