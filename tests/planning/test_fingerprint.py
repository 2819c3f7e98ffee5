"""Fingerprints: what moves them and what does not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gpbench.api import Role, SourceInfo, SourceRef
from gpbench.core.dataset import Band, DatasetInfo, ImageRef, Protocol, Split
from gpbench.core.errors import DataError
from gpbench.planning import dataset_fingerprint, source_fingerprint

INFO = DatasetInfo("Files", 1, (Band("red"),), ("a", "b"))
PROTOCOL = Protocol("standard", 1, "mIoU", 8, 8)
SOURCE_INFO = SourceInfo("Pictures", 1, ("labelled",))


@dataclass
class Files:
    """A dataset of the files that it is told."""

    splits: dict[Split, list[ImageRef]]
    info: DatasetInfo = INFO
    protocol: Protocol = PROTOCOL

    def images(self, root: Path, split: Split) -> Sequence[ImageRef]:  # noqa: ARG002  told
        return self.splits.get(split, [])

    def read(self, root: Path, ref: ImageRef) -> Any:
        raise NotImplementedError


@dataclass
class Pictures:
    """A source of the images that it is told."""

    refs: list[SourceRef]
    info: SourceInfo = SOURCE_INFO

    def images(self, root: Path, role: Role) -> Sequence[SourceRef]:  # noqa: ARG002  told
        return self.refs

    def read(self, root: Path, ref: SourceRef, least_px: int | None = None) -> Any:
        raise NotImplementedError


def image(name: str) -> ImageRef:
    return ImageRef(name, name, (f"{name}.png",))


def folder_of(root: Path, **sizes: int) -> Path:
    root.mkdir()
    for name, size in sizes.items():
        (root / f"{name}.png").write_bytes(b"x" * size)
    return root


def test_fingerprint_is_the_digest_of_sorted_rows(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "a", one=3)
    rows = b'["train","one","",0]\n["train","one","one.png",3]\n'
    expected = hashlib.sha256(rows).hexdigest()
    assert dataset_fingerprint(Files({"train": [image("one")]}), root) == expected


def test_order_of_images_and_place_of_the_folder_change_nothing(tmp_path: Path) -> None:
    a, b = (folder_of(tmp_path / name, one=3, two=4) for name in "ab")
    forth = Files({"train": [image("one"), image("two")]})
    back = Files({"train": [image("two"), image("one")]})
    assert dataset_fingerprint(forth, a) == dataset_fingerprint(back, b)


def test_size_and_split_of_an_image_count(tmp_path: Path) -> None:
    a = folder_of(tmp_path / "a", one=3, two=4)
    b = folder_of(tmp_path / "b", one=3, two=5)
    plain = Files({"train": [image("one"), image("two")]})
    moved = Files({"train": [image("one")], "test": [image("two")]})
    found = {
        dataset_fingerprint(plain, a), dataset_fingerprint(plain, b), dataset_fingerprint(moved, a)
    }  # fmt: skip
    assert len(found) == 3


def test_procedural_dataset_counts_by_its_names() -> None:
    one, two = (Files({"train": [ImageRef(name, "s")]}) for name in ("1", "2"))
    assert dataset_fingerprint(one, None) != dataset_fingerprint(two, None)
    assert dataset_fingerprint(one, None) == dataset_fingerprint(one, Path("/anywhere"))


def test_file_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one\.png cannot be read: No such file"):
        dataset_fingerprint(Files({"train": [image("one")]}), tmp_path)


def test_source_counts_by_name_label_and_size() -> None:
    variants = [
        [SourceRef("a", 0, 5), SourceRef("b", 1, 5)],
        [SourceRef("a", 0, 5), SourceRef("b", 0, 5)],
        [SourceRef("a", None, 5), SourceRef("b", None, 5)],
        [SourceRef("a", 0, 5), SourceRef("b", 1, 6)],
        [SourceRef("a", 0, 5), SourceRef("c", 1, 5)],
    ]
    found = [source_fingerprint(Pictures(refs), None, "labelled") for refs in variants]
    assert len({text for text, _ in found}) == 5
    assert [count for _, count in found] == [2] * 5
    turned = Pictures(variants[0][::-1])
    assert source_fingerprint(turned, None, "labelled") == found[0]
