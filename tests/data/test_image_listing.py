"""What is listed, in which order, and everything that is wrong with the list."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.core.dataset import ImageRef, Split
from gpbench.core.errors import DataError, DatasetNotFoundError
from gpbench.core.problems import Problem
from gpbench.data.image_listing import Listed, list_images
from tests.data.held import HeldDataset, Inspected, PictureFolder

MISSING = Problem("missing", "b.png is not there")
STRANGE = Problem("names", "x.png is no name of this dataset")


def test_images_are_numbered_over_all_splits(held: HeldDataset, tmp_path: Path) -> None:
    listing = list_images(held, tmp_path)
    assert [(each.position, each.split, each.ref.name) for each in listing.images] == [
        (0, "train", "a"), (1, "train", "b"), (2, "val", "c"), (3, "test", "d"), (4, "test", "e"),
    ]  # fmt: skip
    assert listing.problems == ()


def test_the_problems_that_a_dataset_knows_of_come_first(held: HeldDataset, tmp_path: Path) -> None:
    dataset = Inspected({**held.contents, "test": {}}, known=(STRANGE, MISSING))
    empty = Problem("count", "the test split is empty")
    assert list_images(dataset, tmp_path).problems == (STRANGE, MISSING, empty)


def test_a_part_of_a_dataset_may_lack_files_and_the_test_split(
    held: HeldDataset, tmp_path: Path
) -> None:
    dataset = Inspected({**held.contents, "test": {}}, known=(STRANGE, MISSING))
    assert list_images(dataset, tmp_path, allow_partial=True).problems == (STRANGE,)


def test_a_part_of_a_dataset_has_training_images(held: HeldDataset, tmp_path: Path) -> None:
    dataset = Inspected({**held.contents, "train": {}}, known=(MISSING,))
    found = list_images(dataset, tmp_path, allow_partial=True).problems
    assert found == (Problem("count", "the train split is empty"),)


def test_an_empty_validation_split_is_no_problem(held: HeldDataset, tmp_path: Path) -> None:
    del held.contents["val"]
    assert list_images(held, tmp_path).problems == ()


def test_names_twice_are_said_once_where_the_dataset_says_so_itself(
    held: HeldDataset, tmp_path: Path
) -> None:
    contents = {**held.contents, "val": {"a": held.contents["train"]["a"]}}
    own = Problem("names", "'a' is in two splits")
    assert list_images(Inspected(contents, known=(own,)), tmp_path).problems == (own,)
    (ours,) = list_images(Inspected(contents, known=()), tmp_path).problems
    assert ours == Problem("names", "image 'a' is listed 2 times: in train and val")


def test_names_twice_are_said_where_the_dataset_says_only_other_things_of_names(
    held: HeldDataset, tmp_path: Path
) -> None:
    contents = {**held.contents, "val": {"a": held.contents["train"]["a"]}}
    ours = Problem("names", "image 'a' is listed 2 times: in train and val")
    dataset = Inspected(contents, known=(STRANGE,))
    assert list_images(dataset, tmp_path).problems == (STRANGE, ours)


def test_what_an_inspection_raises_is_one_problem_among_others(
    held: HeldDataset, tmp_path: Path
) -> None:
    class Torn(Inspected):
        def problems(self, root: Path) -> list[Problem]:
            raise DataError(f"{root.name} holds two layouts", "names")

    dataset = Torn({**held.contents, "test": {}})
    assert list_images(dataset, tmp_path).problems == (
        Problem("names", f"{tmp_path.name} holds two layouts"),
        Problem("count", "the test split is empty"),
    )


def test_an_inspection_that_finds_no_dataset_says_so(held: HeldDataset, tmp_path: Path) -> None:
    class Absent(Inspected):
        def problems(self, root: Path) -> list[Problem]:
            raise DatasetNotFoundError("held", root)

    with pytest.raises(DatasetNotFoundError):
        list_images(Absent(held.contents), tmp_path)


def test_what_a_split_raises_is_one_problem_among_others(held: HeldDataset, tmp_path: Path) -> None:
    class Torn(HeldDataset):
        def images(self, root: Path, split: Split) -> list[ImageRef]:
            if split == "train":
                raise DataError("train.txt names a twice", "names")
            return list(super().images(root, split))

    listing = list_images(Torn({**held.contents, "test": {}}), tmp_path)
    assert listing.problems == (
        Problem("names", "train.txt names a twice"),
        Problem("count", "the test split is empty"),
    )
    assert [each.ref.name for each in listing.images] == ["c"]


def test_a_missing_dataset_stays_a_missing_dataset(held: HeldDataset, tmp_path: Path) -> None:
    class Absent(HeldDataset):
        def images(self, root: Path, split: Split) -> list[ImageRef]:
            raise DatasetNotFoundError(f"held ({split})", root)

    with pytest.raises(DatasetNotFoundError):
        list_images(Absent(held.contents), tmp_path)


def test_an_image_is_named_with_its_files() -> None:
    assert Listed(0, "val", ImageRef("a", "s")).where == "val image 'a'"
    ref = ImageRef("a", "s", ("i/a.png", "l/a.png"))
    assert Listed(0, "val", ref).where == "val image 'a' (i/a.png, l/a.png)"


def test_the_origin_changes_with_all_that_an_image_is_made_from(
    held: HeldDataset, tmp_path: Path
) -> None:
    folder = PictureFolder.written(tmp_path, 3)
    info = folder.dataset.info
    first = list_images(folder.dataset, tmp_path).images[0]
    origins = [
        first.origin(tmp_path, info),
        first.origin(tmp_path, replace(info, version=2)),
        first.origin(tmp_path, held.info),
        replace(first, split="test").origin(tmp_path, info),
        replace(first, ref=replace(first.ref, scene="other")).origin(tmp_path, info),
    ]
    assert replace(first, position=7).origin(tmp_path, info) == origins[0]
    label = folder.file("labels", 0)
    seen = label.stat()
    os.utime(label, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    origins.append(first.origin(tmp_path, info))
    label.write_bytes(label.read_bytes() + b"\0")
    os.utime(label, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    origins.append(first.origin(tmp_path, info))
    label.unlink()
    origins.append(first.origin(tmp_path, info))
    assert len(set(origins)) == 8
