"""ImageNet in tars, read in place: a tar per class, a tar of tars, of folders, webdataset shards.

A shard tells a class by a wnid in its keys, or by the class index in KEY.cls or KEY.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gpbench.api import DataError, SourceRef
from gpbench_datasets.sources._files import is_image
from gpbench_datasets.sources._refs import in_order
from gpbench_datasets.sources._tar import Member, Stamp, members, stored_bytes
from gpbench_datasets.sources._wnids import WNID, image_name, refuse_many_classes, wnid_in

CLASS_TAR = re.compile(rf"({WNID.pattern})\.tar")
OTHER_SPLITS = {"val", "validation", "test"}
Class = str | int | None
"""A wnid; or the class index that a shard tells; or nothing is known."""


class Picture(NamedTuple):
    """An image in a tar, by the name that it has wherever it lies."""

    name: str
    class_: Class
    member: Member


@lru_cache(maxsize=1)  # all headers are read: about a minute for the whole of ImageNet
def refs_in_tars(root: Path, tars: tuple[Stamp, ...]) -> Sequence[SourceRef]:
    """Return the images in tars below `root`, labelled if something tells their classes.

    Raises:
        DataError: If a tar is damaged or holds other splits, a class is empty or not told as it
            should, or an image is there twice.
    """
    pictures: list[tuple[str, Picture]] = []
    for stamp in tars:
        tar = Path(stamp.path)
        file = tar.relative_to(root).as_posix()
        match = CLASS_TAR.fullmatch(tar.name)
        found = _pictures_of_class(tar, match[1]) if match else _pictures_of_many(tar)
        pictures += [(file, picture) for picture in found]
    labels = _labels({picture.class_ for _, picture in pictures}, root)
    refs = (
        SourceRef(name, labels[class_], member.size_bytes, file, member.offset)
        for file, (name, class_, member) in pictures
    )
    return tuple(in_order(refs))


def _labels(classes: set[Class], root: Path) -> dict[Class, int | None]:
    """Return each class's label: its place among the wnids, or indices, that are there."""
    wnids = sorted(class_ for class_ in classes if isinstance(class_, str))
    indices = sorted(class_ for class_ in classes if isinstance(class_, int))
    if wnids and indices:
        raise DataError(
            f"the tars in {root} name classes in two ways, such as {wnids[0]} and {indices[0]}: "
            "keep those of one kind",
            "label",
        )
    ordered: list[Class] = [*wnids, *indices]
    refuse_many_classes(ordered, root)
    return {None: None, **{class_: rank for rank, class_ in enumerate(ordered)}}


def _pictures_of_class(tar: Path, wnid: str, inner: Member | None = None) -> list[Picture]:
    found = [
        Picture(image_name(wnid, _base(member.path)), wnid, member)
        for member in _training_members(tar, inner)
        if is_image(_base(member.path))
    ]
    if not found:
        where = f"{tar}!{inner.path}" if inner else tar
        raise DataError(f"the class archive {where} holds no image: copy it again, or remove it")
    return found


def _training_members(tar: Path, inner: Member | None = None) -> Iterator[Member]:
    for member in members(tar, inner):
        other = OTHER_SPLITS.intersection(member.path.lower().split("/")[:-1])
        if other:
            raise DataError(
                f"{tar} holds '{member.path}' in a folder '{other.pop()}': validation and test "
                "images are not trained on; make a tar of the training images alone",
                "names",
            )
        yield member


def _pictures_of_many(tar: Path) -> list[Picture]:
    images: list[Member] = []
    beside: dict[str, Member] = {}
    found: list[Picture] = []
    for member in _training_members(tar):
        base = _base(member.path)
        if match := CLASS_TAR.fullmatch(base):
            found += _pictures_of_class(tar, match[1], member)
        elif is_image(base):
            images.append(member)
        else:
            beside[member.path] = member
    return [*found, *_pictures_in(tar, images, beside)]


def _pictures_in(tar: Path, images: list[Member], beside: dict[str, Member]) -> Iterator[Picture]:
    paths: dict[str, str] = {}
    for member in images:
        wnid = wnid_in(member.path)
        if wnid:
            yield Picture(image_name(wnid, _base(member.path)), wnid, member)
            continue
        key = _key(member.path)
        if key in paths:
            raise DataError(
                f"{tar} holds two images for the sample '{key}', '{paths[key]}' and "
                f"'{member.path}': which one is meant cannot be told",
                "names",
            )
        paths[key] = member.path
        yield Picture(member.path, _told(tar, key, beside), member)


def _told(tar: Path, key: str, beside: dict[str, Member]) -> int | None:
    """Return the class index that KEY.cls or KEY.json tells, if one is there."""
    for ending in ("cls", "json"):
        member = beside.get(f"{key}.{ending}")
        if member:
            where = f"{tar}!{member.path}"
            return _index(stored_bytes(tar, member.offset, member.size_bytes, where), where)
    return None


def _index(text: bytes, where: str) -> int | None:
    """Return the number that a .cls file is, or that "label" is in a .json file; None if absent."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text.decode(errors="replace").strip()
    if isinstance(value, dict):
        value = value.get("label")
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise DataError(
        f"{where} says that the class is {value!r}; it is a whole number from 0", "label"
    )


def _key(path: str) -> str:
    """Return webdataset's key: the path up to the first dot of the file name."""
    folder, slash, base = path.rpartition("/")
    return f"{folder}{slash}{base.partition('.')[0]}"


def _base(path: str) -> str:
    return path.rpartition("/")[2]
