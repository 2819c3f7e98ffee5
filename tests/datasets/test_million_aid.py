"""Million-AID: unlabelled test images, scenes by folder, and what people unpack differently."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gpbench.api import DataError, DatasetNotFoundError, Role
from gpbench_datasets.sources.million_aid import PLUGIN
from tests.datasets.miniatures.sources import (
    SCENES,
    million_aid,
    million_aid_images,
    picture,
    tar_bytes,
    write_files,
)


def told(root: Path, role: Role = "unlabelled") -> list[tuple[str, int | None]]:
    return [(ref.name, ref.label) for ref in PLUGIN.images(root, role)]


def packed(root: Path, split: str, folder: str = "") -> Path:
    """Write the images of a split as a tar in `folder`, with the split's name in their paths."""
    images = {n: data for n, data in million_aid_images().items() if n.startswith(f"{split}/")}
    return write_files(root, {f"{folder}{split}.tar": tar_bytes(images)})


def test_test_images_are_the_unlabelled_ones(tmp_path: Path) -> None:
    assert told(million_aid(tmp_path)) == [(f"P{1000 + i:07d}.jpg", None) for i in range(12)]


def test_class_of_a_scene_is_the_folder_that_it_lies_in(tmp_path: Path) -> None:
    labels = dict(zip(SCENES, (1, 2, 0), strict=True))  # commercial_area, dry_field, forest
    refs = PLUGIN.images(million_aid(tmp_path), "scenes")
    assert len(refs) == 12
    assert {ref.name.rpartition("/")[0]: ref.label for ref in refs} == labels


def test_classes_without_folders_above_them_have_the_same_labels(tmp_path: Path) -> None:
    nested = told(million_aid(tmp_path / "nested"), "scenes")
    for scene in SCENES:
        shutil.copytree(
            tmp_path / "nested/train" / scene, tmp_path / "flat/train" / Path(scene).name
        )
    flat = told(tmp_path / "flat", "scenes")
    short = {(name.split("/", name.count("/") - 1)[-1], label) for name, label in nested}
    assert set(flat) == short


def test_two_classes_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    paths = ("land/field/1.jpg", "water/field/2.jpg", "water/lake/3.jpg")
    write_files(tmp_path / "train", dict.fromkeys(paths, b""))
    assert told(tmp_path, "scenes") == list(zip(paths, (1, 2, 0), strict=True))


def test_images_of_any_depth_below_test_are_unlabelled(tmp_path: Path) -> None:
    write_files(tmp_path, dict.fromkeys(("test/1.jpg", "test/test/2.jpg", "test/a/3.jpg"), b""))
    assert [name for name, _ in told(tmp_path)] == ["1.jpg", "2.jpg", "a/3.jpg"]


@pytest.mark.parametrize(("split", "role"), [("test", "unlabelled"), ("train", "scenes")])
@pytest.mark.parametrize("folder", [True, False])
def test_tars_hold_the_same_images_as_folders(
    tmp_path: Path,
    split: str,
    role: Role,
    folder: bool,  # noqa: FBT001  parametrised
) -> None:
    unpacked = million_aid(tmp_path / "folders")
    root = packed(tmp_path / "tars", split, f"{split}/" if folder else "")
    both = PLUGIN.images(unpacked, role), PLUGIN.images(root, role)
    assert told(root, role) == told(unpacked, role)
    for one, other in zip(*both, strict=True):
        assert one.size_bytes == other.size_bytes
        np.testing.assert_array_equal(PLUGIN.read(unpacked, one), PLUGIN.read(root, other))


def test_without_splits_all_images_are_unlabelled(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.jpg": picture(0, "1"), "a/test_2.jpg": b"", "train_3.jpg": b""})
    assert [name for name, _ in told(tmp_path)] == ["1.jpg", "a/test_2.jpg", "train_3.jpg"]
    assert PLUGIN.read(tmp_path, PLUGIN.images(tmp_path, "unlabelled")[0]).shape[2] == 3


@pytest.mark.parametrize("folder", ["train", "Train", "TRAINING", "Million-AID/Train", "a/tests"])
def test_images_of_other_splits_are_not_the_unlabelled_ones(tmp_path: Path, folder: str) -> None:
    write_files(tmp_path, {f"{folder}/1.jpg": b"", "2.jpg": b""})
    with pytest.raises(DatasetNotFoundError, match=r"test/\*\.jpg \(the role unlabelled\)"):
        told(tmp_path)


@pytest.mark.parametrize("packed", [False, True], ids=["folders", "tars"])
def test_splits_may_be_written_in_capitals(
    tmp_path: Path,
    packed: bool,  # noqa: FBT001  parametrised
) -> None:
    plain, capitals = million_aid(tmp_path / "plain"), tmp_path / "capitals"
    for split in ("Test", "Train"):
        images = {
            name.replace(split.lower(), split, 1): data
            for name, data in million_aid_images().items()
            if name.startswith(split.lower())
        }
        write_files(capitals, {f"{split}.tar": tar_bytes(images)} if packed else images)
    for role in PLUGIN.info.roles:
        assert told(capitals, role) == told(plain, role)


def test_split_that_is_there_twice_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, {"test/1.jpg": b"", "Test/2.jpg": b""})
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("test and Test are one folder on this file system")
    with pytest.raises(DataError, match="holds both Test and test"):
        told(tmp_path)


@pytest.mark.parametrize(
    "archive",
    ["test/001.tar", "test/001.zip", "test2.tar", "Test2.zip.001", "test/001.tar.gzaa"],
)
@pytest.mark.parametrize("images", ["test/000/1.jpg", "test/1.jpg"])
def test_split_that_is_unpacked_in_part_is_refused(
    tmp_path: Path, archive: str, images: str
) -> None:
    write_files(tmp_path, {images: b"", archive: b""})
    with pytest.raises(DataError, match=rf"test is unpacked in part.* {archive.partition('.')[0]}"):
        told(tmp_path)


def test_tars_beside_parts_that_are_still_zips_are_refused(tmp_path: Path) -> None:
    tar = tar_bytes({"1.jpg": b"1"})
    notes = tar_bytes({"notes.txt": b""})
    write_files(tmp_path, {"test/000.tar": tar, "test/000.tar.gzaa": b"", "test/notes.tar": notes})
    assert len(told(tmp_path)) == 1
    write_files(tmp_path, {"test/001.zip": b""})
    with pytest.raises(DataError, match=r"came from 1 archives there, such as test/001: unpack"):
        told(tmp_path)


def test_archives_that_have_become_what_is_read_may_stay(tmp_path: Path) -> None:
    names = ("test/000/1.jpg", "test/000.tar", "test/000.zip", "test.zip.001", "test.tar")
    write_files(tmp_path, dict.fromkeys((*names, "train.zip", "train2.tar"), b""))
    assert [name for name, _ in told(tmp_path)] == ["000/1.jpg"]


def test_parts_of_the_test_set_are_not_passed_over_for_the_training_images(tmp_path: Path) -> None:
    million_aid(tmp_path)
    shutil.rmtree(tmp_path / "test")
    write_files(tmp_path, {f"test.zip.{n:03d}": b"" for n in range(1, 4)})
    zipped = tmp_path / "test.zip"
    with pytest.raises(DatasetNotFoundError) as caught:
        told(tmp_path)
    parts = f"{zipped}.001 {zipped}.002 {zipped}.003"
    commands = f"cat {parts} > {zipped} && unzip -n {zipped} -d {tmp_path}"
    assert str(caught.value).endswith(commands)


def test_missing_data_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "empty/test").mkdir(parents=True)
    for root in ("empty", "absent"):
        for role in PLUGIN.info.roles:
            with pytest.raises(DatasetNotFoundError, match=r"captain-whu.*test/\*\.jpg.*=DIR"):
                told(tmp_path / root, role)
    with pytest.raises(DatasetNotFoundError):
        told(Path("/dev/null/no-folder-is-known"))


def test_scenes_need_the_training_set(tmp_path: Path) -> None:
    write_files(tmp_path, {"test/field/1.jpg": b"", "test/lake/2.jpg": b""})
    with pytest.raises(DatasetNotFoundError, match=r"train/LAND_USE/CLASS"):
        told(tmp_path, "scenes")


@pytest.mark.parametrize(
    ("path", "where"), [("1.jpg", "train"), ("land/1.jpg", "train/land")], ids=["top", "between"]
)
def test_scene_that_lies_above_the_classes_is_named(tmp_path: Path, path: str, where: str) -> None:
    paths = (path, "land/field/2.jpg", "land/lake/3.jpg")
    write_files(tmp_path / "train", dict.fromkeys(paths, b""))
    with pytest.raises(DataError, match=rf"{where} holds images beside folders with images"):
        told(tmp_path, "scenes")


def test_single_class_is_no_source_of_scenes(tmp_path: Path) -> None:
    write_files(tmp_path, {"train/land/field/1.jpg": picture(0, "1")})
    with pytest.raises(DataError, match="at least two classes"):
        told(tmp_path, "scenes")


def test_image_in_two_tars_is_named(tmp_path: Path) -> None:
    packed(packed(tmp_path, "test"), "test", "test/")
    with pytest.raises(DataError, match=r"is there twice, in test\.tar at .* test/test\.tar at"):
        told(tmp_path)
