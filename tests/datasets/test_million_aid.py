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


def test_without_a_test_set_all_images_are_unlabelled(tmp_path: Path) -> None:
    million_aid(tmp_path)
    shutil.rmtree(tmp_path / "test")
    assert len(told(tmp_path)) == 12
    assert PLUGIN.read(tmp_path, PLUGIN.images(tmp_path, "unlabelled")[0]).shape[2] == 3


def test_parts_of_the_test_set_are_not_passed_over_for_the_training_images(tmp_path: Path) -> None:
    million_aid(tmp_path)
    shutil.rmtree(tmp_path / "test")
    write_files(tmp_path, {f"test.zip.{n:03d}": b"" for n in range(1, 4)})
    zipped = tmp_path / "test.zip"
    with pytest.raises(DatasetNotFoundError) as caught:
        told(tmp_path)
    commands = f"cat '{zipped}'.* > '{zipped}' && unzip -n '{zipped}' -d '{tmp_path}'"
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
