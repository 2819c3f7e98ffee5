"""LoveDA as it is downloaded and as mmsegmentation converts it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpbench.api import DataError, DatasetNotFoundError, Problem, Split
from gpbench_datasets.loveda import PLUGIN
from tests.datasets.miniatures.loveda import loveda, loveda_mmseg, picture

SPLITS: dict[Split, list[str]] = {"train": ["0", "1366"], "test": ["2522", "3514"]}


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return loveda(tmp_path / "loveda")


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    return loveda_mmseg(tmp_path / "converted")


def other_problems(root: Path) -> list[Problem]:
    """Return what is wrong but for the numbers of images, which a miniature cannot have."""
    return [problem for problem in PLUGIN.problems(root) if problem.kind != "count"]


def only_problem(root: Path) -> Problem:
    (problem,) = other_problems(root)
    return problem


def check_names(root: Path) -> None:
    assert {split: [r.name for r in PLUGIN.images(root, split)] for split in SPLITS} == SPLITS


def test_official_files_are_recognised_with_area_and_pixels(official: Path) -> None:
    assert PLUGIN.layout(official) == "the official files"
    assert other_problems(official) == []
    check_names(official)
    rural, urban = PLUGIN.images(official, "train")
    assert (rural.tags, urban.tags) == (("rural",), ("urban",))
    assert urban.files == ("Train/Urban/images_png/1366.png", "Train/Urban/masks_png/1366.png")
    image, _ = PLUGIN.read(official, urban)
    np.testing.assert_array_equal(image, picture("1366")[0])


def test_no_data_is_ignored_and_the_first_class_is_background(official: Path) -> None:
    ref = PLUGIN.images(official, "test")[0]
    _, label = PLUGIN.read(official, ref)
    values = picture(ref.name)[1]
    assert set(np.unique(values).tolist()) == set(range(8))
    assert (label[values == 0] == 255).all()
    for value in range(1, 8):
        assert (label[values == value] == value - 1).all()
    assert PLUGIN.info.classes[0] == "background"


def test_converted_folders_give_the_same_images_without_areas(
    official: Path, converted: Path
) -> None:
    assert PLUGIN.layout(converted) == "mmsegmentation's folders"
    assert other_problems(converted) == []
    check_names(converted)
    for split in ("train", "test"):
        pairs = zip(PLUGIN.images(official, split), PLUGIN.images(converted, split), strict=True)
        for one, other in pairs:
            assert (one.name, one.scene, other.tags) == (other.name, other.scene, ())
            for a, b in zip(PLUGIN.read(official, one), PLUGIN.read(converted, other), strict=True):
                np.testing.assert_array_equal(a, b)


def test_images_come_in_the_order_of_their_numbers(converted: Path) -> None:
    for kind in ("img_dir", "ann_dir"):
        (converted / kind / "train/1366.png").rename(converted / kind / "train/9.png")
        (converted / kind / "train/0.png").rename(converted / kind / "train/10.png")
    assert [ref.name for ref in PLUGIN.images(converted, "train")] == ["9", "10"]


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_folders_are_found_in_capitals_or_not(official: Path, change: Callable[[str], str]) -> None:
    for folder in sorted(official.rglob("*"), reverse=True):
        if folder.is_dir() and folder.name in {"Train", "Val", "Urban", "Rural"}:
            folder.rename(folder.with_name(change(folder.name)))
    check_names(official)
    assert PLUGIN.images(official, "train")[1].tags == ("urban",)


@pytest.mark.parametrize("name", ["LoveDA", "loveDA"])
def test_folder_that_holds_loveda_is_accepted(official: Path, name: str) -> None:
    (official.parent / "outer").mkdir()
    official.rename(official.parent / "outer" / name)
    check_names(official.parent / "outer")


def test_number_in_both_areas_is_named(official: Path) -> None:
    for kind in ("images_png", "masks_png"):
        (official / "Train/Rural" / kind / "0.png").rename(
            official / "Train/Rural" / kind / "1366.png"
        )
    problem = only_problem(official)
    assert problem.kind == "names"
    assert re.search(r"'1366' is there 2 times: in train \(.*Urban.*\) and train", problem.text)


def test_image_without_a_mask_is_named(official: Path) -> None:
    (official / "Val/Urban/masks_png/3514.png").unlink()
    problem = only_problem(official)
    assert problem.kind == "unlabelled"
    assert "Val/Urban/images_png/3514.png has no label" in problem.text
    assert [ref.name for ref in PLUGIN.images(official, "test")] == ["2522"]


def test_mask_without_an_image_is_named(converted: Path) -> None:
    (converted / "img_dir/val/3514.png").unlink()
    problem = only_problem(converted)
    assert problem.kind == "missing"
    assert "ann_dir/val/3514.png is the label of an image that is missing" in problem.text


def test_file_that_is_no_tile_is_named(converted: Path) -> None:
    (converted / "img_dir/train/preview.png").touch()
    problem = only_problem(converted)
    assert problem.kind == "names"
    assert re.search(r"img_dir/train/preview\.png is not named like 0\.png", problem.text)


def test_tile_of_another_size_is_refused(official: Path) -> None:
    for kind, mode in (("images_png", "RGB"), ("masks_png", "L")):
        Image.new(mode, (1024, 1023)).save(official / "Train/Rural" / kind / "0.png")
    with pytest.raises(DataError, match=r"'0' is 1023 x 1024 .* not 1024 x 1024") as caught:
        PLUGIN.read(official, PLUGIN.images(official, "train")[0])
    assert caught.value.kind == "size"


def test_image_with_an_alpha_channel_is_refused(official: Path) -> None:
    Image.new("RGBA", (1024, 1024)).save(official / "Train/Rural/images_png/0.png")
    with pytest.raises(DataError, match=r"0\.png has 4 channel\(s\), not 3: red, green, blue"):
        PLUGIN.read(official, PLUGIN.images(official, "train")[0])


def test_mask_value_that_is_no_class_is_named(official: Path) -> None:
    Image.new("L", (1024, 1024), 8).save(official / "Train/Rural/masks_png/0.png")
    with pytest.raises(DataError, match=r"masks_png/0\.png .*8"):
        PLUGIN.read(official, PLUGIN.images(official, "train")[0])


def test_zips_are_named_with_the_command_that_unpacks_them(tmp_path: Path) -> None:
    (tmp_path / "Train.zip").touch()
    with pytest.raises(DatasetNotFoundError, match=rf"unzip -n {tmp_path}/Train\.zip"):
        PLUGIN.layout(tmp_path)


def test_flat_folders_without_splits_are_not_loveda(samples: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"no data for 'loveda'.* DIR/Train/Urban"):
        PLUGIN.layout(samples / "loveda_samples/pseudo_loveda_dataset")


def test_real_tiles_are_read(samples: Path, tmp_path: Path) -> None:
    source = samples / "loveda_samples/pseudo_loveda_dataset"
    for number, split in (("0", "train"), ("1", "train"), ("2", "val")):
        for kind in ("img_dir", "ann_dir"):
            place = tmp_path / kind / split
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").symlink_to(source / kind / f"{number}.png")
    assert other_problems(tmp_path) == []
    found: set[int] = set()
    expected: dict[Split, list[str]] = {"train": ["0", "1"], "test": ["2"]}
    for split, names in expected.items():
        refs = PLUGIN.images(tmp_path, split)
        assert [ref.name for ref in refs] == names
        for ref in refs:
            image, label = PLUGIN.read(tmp_path, ref)
            assert image.shape == (1024, 1024, 3)
            found |= set(np.unique(label).tolist())
    assert [PLUGIN.info.classes[value] for value in sorted(found)] == [
        "background", "building", "road", "water", "forest", "agriculture",
    ]  # fmt: skip
