"""PST900 in the authors' folders."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpbench.api import (
    DataError,
    DatasetNotFoundError,
    HasFacts,
    InspectedDataset,
    LabelError,
    Problem,
    Split,
)
from gpbench.core.problems import OF_SUBSETS
from gpbench.readers.image import read_image
from gpbench.readers.label import mapped, read_colours
from gpbench_datasets.pst900 import CARD, FRAME, PLUGIN
from tests.datasets.miniatures.pst900 import SPLITS, picture, pst900, save

FIRST = SPLITS["train"][0]
REAL = "60_bag23_rect_rgb_frame0000000001"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pst900(tmp_path_factory.mktemp("original") / "pst900")


@pytest.fixture
def root(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "pst900"))


def other_problems(root: Path) -> list[Problem]:
    """Return what is wrong but for the numbers of images, which a miniature cannot have."""
    return [problem for problem in PLUGIN.problems(root) if problem.kind != "count"]


def only_problem(root: Path) -> Problem:
    (problem,) = other_problems(root)
    return problem


def names(root: Path) -> dict[Split, list[str]]:
    return {split: [ref.name for ref in PLUGIN.images(root, split)] for split in SPLITS}


def refusal(root: Path) -> DataError:
    """Return the error of reading the first training image."""
    with pytest.raises(DataError) as caught:
        PLUGIN.read(root, PLUGIN.images(root, "train")[0])
    return caught.value


def test_plugin_meets_its_contracts() -> None:
    assert isinstance(PLUGIN, InspectedDataset)
    assert isinstance(PLUGIN, HasFacts)
    assert [band.name for band in PLUGIN.info.bands] == ["red", "green", "blue", "thermal"]
    assert not PLUGIN.info.images_may_be_shown


def test_authors_folders_are_recognised(root: Path) -> None:
    assert PLUGIN.layout(root) == "the authors' folders"
    assert names(root) == SPLITS
    assert PLUGIN.images(root, "val") == []
    assert other_problems(root) == []


def test_folders_may_lie_one_folder_down(root: Path) -> None:
    outer = root.parent / "outer"
    outer.mkdir()
    root.rename(outer / "PST900_RGBT_Dataset")
    assert names(outer) == SPLITS
    assert PLUGIN.read(outer, PLUGIN.images(outer, "test")[0])[0].shape == (720, 1280, 4)


def test_bag_is_the_scene(root: Path) -> None:
    assert [ref.scene for ref in PLUGIN.images(root, "train")] == ["bag1a", "bag10"]
    assert [ref.scene for ref in PLUGIN.images(root, "test")] == ["bag21", "bag23"]


def test_8_bit_thermal_is_the_fourth_band(root: Path) -> None:
    image, label = PLUGIN.read(root, PLUGIN.images(root, "train")[0])
    pixels, ids = picture(FIRST)
    np.testing.assert_array_equal(image, pixels)
    np.testing.assert_array_equal(label, ids)
    assert image.dtype == np.uint8


def test_thermal_as_three_equal_channels_is_accepted(root: Path) -> None:
    pixels, _ = picture(FIRST)
    save(root / f"train/thermal/{FIRST}.png", pixels[:, :, [3, 3, 3]])
    image, _ = PLUGIN.read(root, PLUGIN.images(root, "train")[0])
    np.testing.assert_array_equal(image, pixels)


def test_thermal_in_false_colours_is_refused(root: Path) -> None:
    save(root / f"train/thermal/{FIRST}.png", picture(FIRST)[0][:, :, :3])
    error = refusal(root)
    assert error.kind == "pixels"
    assert re.search(rf"thermal/{FIRST}\.png holds three channels that differ", str(error))


def test_raw_thermal_in_the_place_of_8_bits_is_refused(root: Path) -> None:
    shutil.copy(root / f"train/thermal_raw/{FIRST}.png", root / f"train/thermal/{FIRST}.png")
    error = refusal(root)
    assert error.kind == "pixels"
    assert re.search(rf"thermal/{FIRST}\.png has 1 channel\(s\) of uint16", str(error))


def test_image_without_a_label_is_unlabelled(root: Path) -> None:
    (root / f"train/labels/{FIRST}.png").unlink()
    problem = only_problem(root)
    assert problem.kind == "unlabelled"
    assert f"train/rgb/{FIRST}.png has no label" in problem.text
    assert names(root)["train"] == SPLITS["train"][1:]


@pytest.mark.parametrize(("absent", "there"), [("thermal", "rgb"), ("rgb", "thermal")])
def test_image_of_a_pair_that_is_absent_is_missing(root: Path, absent: str, there: str) -> None:
    (root / f"train/{absent}/{FIRST}.png").unlink()
    problems = other_problems(root)
    assert {problem.kind for problem in problems} == {"missing"}
    wanted = f"train/{absent}/{FIRST}.png is not there, and {there} has it"
    assert any(wanted in problem.text for problem in problems)
    assert names(root)["train"] == SPLITS["train"][1:]


def test_label_without_an_image_is_missing(root: Path) -> None:
    for folder in ("rgb", "thermal"):
        (root / f"train/{folder}/{FIRST}.png").unlink()
    problem = only_problem(root)
    assert problem.kind == "missing"
    assert f"train/labels/{FIRST}.png is the label of an image that is missing" in problem.text


def test_name_without_a_bag_is_refused(root: Path) -> None:
    for folder in ("rgb", "thermal", "labels"):
        (root / f"train/{folder}/{FIRST}.png").rename(root / f"train/{folder}/frame7.png")
    problems = other_problems(root)
    assert [problem.kind for problem in problems] == ["names"] * 3
    assert "train/rgb/frame7.png is not named like 60_bag23_rect" in problems[0].text


def test_frame_in_both_splits_is_named(root: Path) -> None:
    for folder in ("rgb", "thermal", "labels"):
        shutil.copy(root / f"train/{folder}/{FIRST}.png", root / f"test/{folder}")
    problem = only_problem(root)
    assert problem.kind == "names"
    assert f"'{FIRST}' is there 2 times: in train" in problem.text


def test_both_numbers_of_training_images_are_accepted(root: Path) -> None:
    texts = [problem.text for problem in PLUGIN.problems(root) if problem.kind == "count"]
    assert texts == [
        "the train split has 2 images; the card says 597 or 606",
        "the test split has 2 images; the card says 288",
    ]


def test_exchanged_splits_are_no_part_of_the_dataset(tmp_path: Path) -> None:
    """The authors' README writes each number of images beside the other folder."""
    for split, count in (("train", 288), ("test", 606)):
        for folder in ("rgb", "thermal", "labels"):
            (tmp_path / split / folder).mkdir(parents=True)
            for i in range(count):
                (tmp_path / split / folder / f"{i}_bag{split}_frame.png").touch()
    problems = PLUGIN.problems(tmp_path)
    assert [problem for problem in problems if problem.kind not in OF_SUBSETS] == [
        Problem("names", "606 images in the test split, more than the card's 288")
    ]


def test_value_that_is_no_class_is_refused_with_its_place(root: Path) -> None:
    _, ids = picture(FIRST)
    ids[719, 3] = 5
    save(root / f"train/labels/{FIRST}.png", ids)
    error = refusal(root)
    assert isinstance(error, LabelError)
    assert re.search(r"labels/.*\.png .* 5 on 1 pixel, first at row 719, column 3", str(error))


def test_image_of_another_size_is_refused(root: Path) -> None:
    for folder, mode in (("rgb", "RGB"), ("thermal", "L"), ("labels", "L")):
        Image.new(mode, (640, 360)).save(root / f"train/{folder}/{FIRST}.png")
    error = refusal(root)
    assert error.kind == "size"
    assert "360 x 640 pixels (height x width), not 720 x 1280" in str(error)


def test_damaged_label_is_named(root: Path) -> None:
    (root / f"train/labels/{FIRST}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    error = refusal(root)
    assert error.kind == "unreadable"
    assert f"labels/{FIRST}.png" in str(error)


def test_empty_folder_says_how_to_get_the_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"no data for 'pst900' .*PST900_RGBT_Dataset"):
        PLUGIN.layout(tmp_path)


def test_official_test_names_are_those_that_the_card_describes(samples: Path) -> None:
    names = (samples / "pst900_doc_frames/pst900_test_names_288.txt").read_text().split()
    bags = Counter(match["bag"] for name in names if (match := FRAME.fullmatch(f"{name}.png")))
    assert (len(names),) == CARD.counts["test"]
    assert bags == {"bag21": 40, "bag22": 59, "bag23": 28, "bag24": 72, "bag25": 89}


def test_real_frame_is_read(samples: Path, tmp_path: Path) -> None:
    """Rebuilt from pictures in the documentation: it is no file of the dataset.

    Thermal is a channel of a grey picture, ids are made from the label picture's colours.
    """
    source = samples / "pst900_doc_frames/imgs"
    shown = source / "utils_label_vis.png"
    colours, thermal = read_colours(shown), read_image(source / "utils_thermal_loader.png")
    parts = {
        "rgb": read_image(source / "utils_rgb_loader.png"),
        "thermal": thermal[:, :, 0],
        "labels": mapped(colours, CARD.palette, str(shown)),
    }
    for folder, pixels in parts.items():
        save(tmp_path / f"test/{folder}/{REAL}.png", pixels)
    (ref,) = PLUGIN.images(tmp_path, "test")
    image, label = PLUGIN.read(tmp_path, ref)
    np.testing.assert_array_equal(image, np.dstack([parts["rgb"], thermal[:, :, 0]]))
    found = [PLUGIN.info.classes[value] for value in np.unique(label)]
    assert found == ["background", "fire_extinguisher", "backpack", "hand_drill"]
    extinguisher, drill = (image[label == value].mean(axis=0) for value in (1, 3))
    assert extinguisher[0] > 2 * extinguisher[1]  # red paint; the drill is orange
    assert drill[0] < 2 * drill[1]
