"""Images in folders as a pre-training source, and the traps of such folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpbench.api import DataError, DatasetNotFoundError
from gpbench_datasets.sources.folder import PLUGIN


def fill(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4), (10, 20, 30)).save(path)
    return root


def listed(root: Path, role: str = "labelled") -> list[tuple[str, int | None]]:
    return [(ref.name, ref.label) for ref in PLUGIN.images(root, role)]  # type: ignore[arg-type]  # parametrised


def test_classes_count_by_sorted_folder_name(tmp_path: Path) -> None:
    fill(tmp_path, ["zebra/1.png", "ant/2.jpg", "ant/1.JPEG"])
    assert listed(tmp_path) == [("ant/1.JPEG", 0), ("ant/2.jpg", 0), ("zebra/1.png", 1)]


def test_scenes_are_listed_like_classes(tmp_path: Path) -> None:
    fill(tmp_path, ["port/1.png", "farm/1.png"])
    assert listed(tmp_path, "scenes") == listed(tmp_path)


def test_tiny_imagenet_keeps_its_images_a_folder_deeper(tmp_path: Path) -> None:
    fill(tmp_path, ["train/n1/images/n1_0.JPEG", "train/n2/images/n2_0.JPEG", "val/images/v.JPEG"])
    (tmp_path / "train/n1/n1_boxes.txt").write_text("n1_0.JPEG 0 0 1 1")
    assert listed(tmp_path) == [("train/n1/images/n1_0.JPEG", 0), ("train/n2/images/n2_0.JPEG", 1)]


def test_only_training_images_are_unlabelled_images(tmp_path: Path) -> None:
    fill(tmp_path, ["train/a/1.png", "train/2.png", "test/3.png"])
    assert listed(tmp_path, "unlabelled") == [("train/2.png", None), ("train/a/1.png", None)]


def test_flat_folder_is_unlabelled(tmp_path: Path) -> None:
    fill(tmp_path, ["b.png", "a.tif"])
    assert listed(tmp_path, "unlabelled") == [("a.tif", None), ("b.png", None)]
    with pytest.raises(DataError, match=r"must hold a folder per class, .*folders: none"):
        listed(tmp_path)


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.png", "b/1.png", "a/._1.png", ".cache/1.png", "b/.thumbs/1.png"])
    assert listed(tmp_path) == [("a/1.png", 0), ("b/1.png", 1)]


def test_sizes_are_those_of_the_files(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.png", "b/1.png"])
    refs = PLUGIN.images(tmp_path, "labelled")
    assert [ref.size_bytes for ref in refs] == [
        (tmp_path / ref.name).stat().st_size for ref in refs
    ]


def test_folder_above_the_right_one_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, ["tiny/train/a/1.png", "tiny/train/b/1.png"])
    with pytest.raises(DataError, match=r"at least two; its folders: tiny\. Name the folder"):
        listed(tmp_path)


def test_folders_of_splits_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path, ["val/1.png", "test/1.png"])
    with pytest.raises(DataError, match=r"its folders: test, val\."):
        listed(tmp_path)


def test_class_without_images_is_named(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.png", "b/1.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"class folder .*empty holds no image"):
        listed(tmp_path)


def test_missing_and_empty_folders_say_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"absent; .*folder\[root=DIR\]"):
        listed(tmp_path / "absent")
    with pytest.raises(DatasetNotFoundError, match="no image file lies below it"):
        listed(tmp_path, "unlabelled")


def test_images_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    names = ["a/b.png", "a/b/1.png", "a-b/1.png", "a/B.png"]
    refs = PLUGIN.images(fill(tmp_path, names), "unlabelled")
    assert [Path(ref.name) for ref in refs] == sorted(map(Path, names))


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", ["1.png"])
    fill(tmp_path / "root", ["a/1.png"])
    (tmp_path / "root/b").symlink_to(tmp_path / "elsewhere")
    assert listed(tmp_path / "root") == [("a/1.png", 0), ("b/1.png", 1)]


def test_image_may_come_smaller_but_not_smaller_than_asked(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300)).save(tmp_path / "1.jpg")
    (ref,) = PLUGIN.images(tmp_path, "unlabelled")
    assert PLUGIN.read(tmp_path, ref).shape == (300, 400, 3)
    height, width, _ = PLUGIN.read(tmp_path, ref, 100).shape
    assert 100 <= height < 300
    assert abs(width / height - 4 / 3) < 0.02


def test_damaged_image_is_named(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.jpg", "b/1.jpg"])
    (tmp_path / "a/1.jpg").write_bytes((tmp_path / "a/1.jpg").read_bytes()[:300])
    with pytest.raises(DataError, match=r"a/1\.jpg cannot be decoded"):
        PLUGIN.read(tmp_path, PLUGIN.images(tmp_path, "labelled")[0])


def test_images_are_read_as_red_green_blue(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.png", "b/1.png"])
    Image.new("L", (5, 4), 77).save(tmp_path / "b/1.png")
    first, second = (PLUGIN.read(tmp_path, ref) for ref in PLUGIN.images(tmp_path, "labelled"))
    assert first.shape == second.shape == (4, 5, 3)
    assert first[0, 0].tolist() == [10, 20, 30]
    assert np.unique(second).tolist() == [77]


def test_tiny_imagenet_sample_is_read_whole(samples: Path) -> None:
    root = samples / "tiny_imagenet_20c" / "tiny-imagenet-200"
    refs = PLUGIN.images(root, "labelled")
    assert np.bincount([ref.label for ref in refs if ref.label is not None]).tolist() == [150] * 20
    grey = 0
    for ref in refs:
        image = PLUGIN.read(root, ref)
        assert image.shape == (64, 64, 3)
        grey += np.ptp(image, axis=2).max() == 0
    assert grey >= 50  # 97 of the 4,000 files, validation included, are greyscale
