"""iSAID as it is downloaded and as mmsegmentation converts it, with the traps of both."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gpbench.api import DataError, DatasetNotFoundError, Problem
from gpbench_datasets.isaid import CARD, PLUGIN, Patches
from tests.datasets.miniatures.blocks import Picture
from tests.datasets.miniatures.isaid import SIZES, isaid_devkit, isaid_mmseg, pictures

TRUTH: dict[str, Picture] = {
    name: p for sizes in SIZES.values() for name, p in pictures(sizes).items()
}


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    return isaid_devkit(tmp_path / "isaid")


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    return isaid_mmseg(tmp_path / "patches")


def other_problems(root: Path) -> list[Problem]:
    """Return what is wrong but for the numbers of images, which a miniature cannot have."""
    return [problem for problem in PLUGIN.problems(root) if problem.kind != "count"]


def only_problem(root: Path) -> Problem:
    (problem,) = other_problems(root)
    return problem


def check_content(root: Path) -> None:
    """Check that names, splits, pixels and labels are those of the miniature."""
    names = {split: [ref.name for ref in PLUGIN.images(root, split)] for split in ("train", "test")}
    assert names == {"train": list(SIZES["train"]), "test": list(SIZES["val"])}
    for split in ("train", "test"):
        for ref in PLUGIN.images(root, split):
            image, label = PLUGIN.read(root, ref)
            np.testing.assert_array_equal(image, TRUTH[ref.name][0])
            np.testing.assert_array_equal(label, TRUTH[ref.name][1])
            assert ref.scene == ref.name


def collapsed(ids: NDArray[np.uint8]) -> bytes:
    """Return what mmsegmentation's converter writes with a Pillow that collapses ids."""
    file = io.BytesIO()
    picture = Image.frombytes("P", ids.shape[::-1], ids.tobytes())
    picture.putpalette([0, 0, 0])  # the table that such a Pillow makes of none
    picture.save(file, "PNG")
    return file.getvalue()


# --- the official files ---


def test_official_files_are_recognised_and_read(devkit: Path) -> None:
    assert PLUGIN.layout(devkit) == "the official files"
    assert other_problems(devkit) == []
    check_content(devkit)


def test_unzipped_download_with_masks_in_a_folder_of_their_own_is_read(devkit: Path) -> None:
    for folder in ("train", "val"):
        pictures_there = list((devkit / folder / "images").iterdir())
        (devkit / folder / "images/images").mkdir()
        (devkit / folder / "Semantic_masks/images").mkdir(parents=True)
        for path in pictures_there:
            kind = "Semantic_masks" if "instance_color" in path.name else "images"
            path.rename(devkit / folder / kind / "images" / path.name)
    assert other_problems(devkit) == []
    check_content(devkit)


def test_folder_that_holds_isaid_is_accepted(devkit: Path) -> None:
    (devkit.parent / "outer").mkdir()
    devkit.rename(devkit.parent / "outer/iSAID")
    check_content(devkit.parent / "outer")


def test_linked_folders_are_followed(devkit: Path) -> None:
    (devkit / "train/images").rename(devkit.parent / "elsewhere")
    (devkit / "train/images").symlink_to(devkit.parent / "elsewhere")
    check_content(devkit)


def test_images_without_labels_of_the_official_test_belong_to_no_split(devkit: Path) -> None:
    assert (devkit / "test/images/P0006.png").is_file()
    assert list(PLUGIN.images(devkit, "val")) == []
    named = {ref.name for split in ("train", "test") for ref in PLUGIN.images(devkit, split)}
    assert "P0006" not in named


def test_black_is_the_class_background(devkit: Path) -> None:
    size = SIZES["train"]["P0000"]
    black = devkit / "train/images/P0000_instance_color_RGB.png"
    Image.new("RGB", size[::-1]).save(black)
    _, label = PLUGIN.read(devkit, PLUGIN.images(devkit, "train")[0])
    assert np.unique(label).tolist() == [0]
    assert PLUGIN.info.classes[0] == "background"


def test_unknown_colour_names_the_file_and_the_colour(devkit: Path) -> None:
    path = devkit / "train/images/P0000_instance_color_RGB.png"
    picture = Image.open(path)
    picture.putpixel((3, 2), (1, 2, 3))
    picture.save(path)
    with pytest.raises(DataError, match=r"P0000_instance_color_RGB\.png .*#010203"):
        PLUGIN.read(devkit, PLUGIN.images(devkit, "train")[0])


def test_grey_image_is_repeated_to_three_channels(devkit: Path) -> None:
    path = devkit / "train/images/P0000.png"
    grey = np.asarray(Image.open(path).convert("L"))
    Image.fromarray(grey).save(path)
    image, _ = PLUGIN.read(devkit, PLUGIN.images(devkit, "train")[0])
    np.testing.assert_array_equal(image, np.stack([grey] * 3, axis=2))


def test_image_without_a_label_is_named(devkit: Path) -> None:
    (devkit / "train/images/P0001_instance_color_RGB.png").unlink()
    problem = only_problem(devkit)
    assert problem.kind == "unlabelled"
    assert re.search(r"train/images/P0001\.png has no label", problem.text)
    assert "P0001" not in [ref.name for ref in PLUGIN.images(devkit, "train")]


def test_label_without_an_image_is_named(devkit: Path) -> None:
    (devkit / "val/images/P0003.png").unlink()
    problem = only_problem(devkit)
    assert problem.kind == "missing"
    assert re.search(r"val/images/P0003_instance_color_RGB\.png is the label", problem.text)
    assert [ref.name for ref in PLUGIN.images(devkit, "test")] == ["P0004"]


def test_image_in_train_and_val_is_named(devkit: Path) -> None:
    for path in (devkit / "train/images").glob("P0001*"):
        shutil.copy(path, devkit / "val/images")
    problem = only_problem(devkit)
    assert problem.kind == "names"
    assert re.search(r"'P0001' is there 2 times: in train \(train.*\) and test \(val", problem.text)


def test_image_that_lies_twice_in_a_split_is_named(devkit: Path) -> None:
    (devkit / "train/copy").mkdir()
    shutil.copy(devkit / "train/images/P0001.png", devkit / "train/copy")
    problem = only_problem(devkit)
    assert problem.kind == "names"
    assert re.search(
        r"train/copy/P0001\.png and .*train/images/P0001\.png have one name", problem.text
    )


def test_patches_of_the_devkit_are_not_taken_for_images(devkit: Path) -> None:
    name = "train/images/P0001_0_800_0_800"
    for ending in ("", "_instance_color_RGB", "_instance_id_RGB"):
        (devkit / f"{name}{ending}.png").touch()
    kinds = [problem.kind for problem in other_problems(devkit)]
    assert kinds == ["names", "names"]
    assert "patches of the devkit's split.py are not read" in other_problems(devkit)[0].text


def test_label_of_another_size_names_both_files(devkit: Path) -> None:
    path = devkit / "train/images/P0000_instance_color_RGB.png"
    Image.new("RGB", (51, 69)).save(path)
    with pytest.raises(
        DataError, match=r"'P0000' differ in size: 70 x 51 and 69 x 51 .*P0000\.png and .*_RGB\.png"
    ) as caught:
        PLUGIN.read(devkit, PLUGIN.images(devkit, "train")[0])
    assert caught.value.kind == "size"


def test_files_that_macos_leaves_behind_are_ignored(devkit: Path) -> None:
    (devkit / "train/__MACOSX/images").mkdir(parents=True)
    (devkit / "train/__MACOSX/images/._P0000.png").touch()
    (devkit / "train/images/._P0000.png").touch()
    assert other_problems(devkit) == []


def test_zips_are_named_with_the_command_that_unpacks_them(tmp_path: Path) -> None:
    part = tmp_path / "train/images/part1.zip"
    part.parent.mkdir(parents=True)
    part.touch()
    with pytest.raises(
        DatasetNotFoundError, match=rf"not unpack; run: unzip -n {part} -d {part.parent}$"
    ):
        PLUGIN.images(tmp_path, "train")


# --- mmsegmentation's patches ---


def test_patches_give_the_images_that_the_official_files_give(patches: Path) -> None:
    assert PLUGIN.layout(patches) == "mmsegmentation's patches"
    assert other_problems(patches) == []
    check_content(patches)


def test_patches_are_bmp_files_under_a_png_name(patches: Path) -> None:
    head = next((patches / "img_dir/train").iterdir()).read_bytes()[:2]
    assert head == b"BM"


def test_official_files_are_preferred_to_patches_in_the_same_folder(
    devkit: Path, patches: Path
) -> None:
    for kind in ("img_dir", "ann_dir"):
        (patches / kind).rename(devkit / kind)
    assert PLUGIN.layout(devkit) == "the official files"


def test_collapsed_labels_hold_1_for_every_class() -> None:
    ids = np.array([[0, 1, 2], [15, 255, 0]], dtype=np.uint8)
    found = np.asarray(Image.open(io.BytesIO(collapsed(ids))))
    assert found.tolist() == [[0, 1, 1], [1, 1, 0]]


def test_collapsed_labels_are_one_problem_with_the_mend(patches: Path) -> None:
    paths = sorted((patches / "ann_dir/train").iterdir())
    for path in paths:
        path.write_bytes(collapsed(np.asarray(Image.open(path))))
    problem = only_problem(patches)
    assert problem.kind == "label"
    assert re.search(r"ann_dir/train/P0000_.* Convert again with `Image\.fromarray", problem.text)


def test_single_collapsed_label_is_refused_when_it_is_read(patches: Path) -> None:
    path = max((patches / "ann_dir/train").glob("P0000_*"))
    path.write_bytes(collapsed(np.asarray(Image.open(path))))
    with pytest.raises(DataError, match=rf"{path.name} has less than 8 bits .* every class as 1"):
        PLUGIN.read(patches, PLUGIN.images(patches, "train")[0])


def test_labels_of_an_older_pillow_with_a_grey_colour_table_are_read(patches: Path) -> None:
    for path in (patches / "ann_dir").rglob("*.png"):
        ids = np.asarray(Image.open(path))
        picture = Image.frombytes("P", ids.shape[::-1], ids.tobytes())
        picture.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
        picture.save(path)
        assert path.read_bytes()[24:26] == b"\x08\x03"
    assert other_problems(patches) == []
    check_content(patches)


def test_grey_labels_that_a_tool_packed_to_one_bit_are_read(patches: Path) -> None:
    paths = sorted((patches / "ann_dir/train").glob("P0000_*"))
    for path in paths:
        Image.new("1", (32, 32), 1).save(path)
        assert path.read_bytes()[24:26] == b"\x01\x00"
    assert other_problems(patches) == []
    _, label = PLUGIN.read(patches, PLUGIN.images(patches, "train")[0])
    assert np.unique(label).tolist() == [1]


def test_label_patch_with_an_id_that_is_no_class_is_named(patches: Path) -> None:
    path = min((patches / "ann_dir/train").glob("P0000_*"))
    Image.fromarray(np.full((32, 32), 16, np.uint8)).save(path)
    with pytest.raises(DataError, match=rf"{path.name} holds label value\(s\) 16 .*16 classes"):
        PLUGIN.read(patches, PLUGIN.images(patches, "train")[0])


@pytest.mark.parametrize("name", ["P0000", "P0001"])
def test_background_that_is_marked_as_padding_is_refused(patches: Path, name: str) -> None:
    """Methods that score the 15 kinds of objects only write 255 for background."""
    for path in (patches / "ann_dir/train").glob(f"{name}_*"):
        ids = np.array(Image.open(path))
        ids[ids == 0] = 255
        Image.fromarray(ids).save(path)
    (ref,) = [ref for ref in PLUGIN.images(patches, "train") if ref.name == name]
    row, column = np.argwhere(TRUTH[name][1] == 0)[0]
    with pytest.raises(
        DataError,
        match=rf"ann_dir/train/{name}_.* holds 255 at row {row}, column {column} .* no padding",
    ) as caught:
        PLUGIN.read(patches, ref)
    assert caught.value.kind == "label"
    edges = re.search(rf"{name}_(\d+)_(\d+)_(\d+)_(\d+)_instance", str(caught.value))
    assert edges
    y0, y1, x0, x1 = map(int, edges.groups())
    assert y0 <= row < y1
    assert x0 <= column < x1


def test_patches_are_counted(patches: Path) -> None:
    texts = [problem.text for problem in PLUGIN.problems(patches) if problem.kind == "count"]
    number = len(list((patches / "img_dir/train").iterdir()))
    assert f"the train split has {number} patches; the card says 33,978" in texts
    assert Patches({"train": number}).listing(patches).problems == []
    for said in (number - 1, number + 1):
        assert Patches({"train": said}).listing(patches).problems == [
            Problem("count", f"the train split has {number} patches; the card says {said}")
        ]


def test_part_that_the_converter_lost_is_named(patches: Path) -> None:
    for kind in ("img_dir", "ann_dir"):
        for path in list((patches / kind / "train").glob("P0001_*")):
            path.unlink()
        ending = "" if kind == "img_dir" else "_instance_color_RGB"
        # 32 rows, which is a patch's height, and 20 columns: the slice begins at -12
        part = Image.new("RGB" if kind == "img_dir" else "L", (12, 32))
        part.save(patches / kind / "train" / f"P0001_0_32_-12_20{ending}.png")
    problem = only_problem(patches)
    assert problem.kind == "missing"
    assert re.search(r"no patch of 'P0001' covers row 0, column 0", problem.text)


# --- the card and the samples ---


def test_card_has_16_classes_and_the_counts_of_the_official_split() -> None:
    assert len(CARD.classes) == 16
    assert CARD.counts == {"train": (1411,), "test": (458,)}
    assert CARD.patches == {"train": 33978, "test": 11644}
    assert (PLUGIN.protocol.name, PLUGIN.protocol.excluded) == ("patches-896", ())


def test_real_images_are_read_with_the_classes_that_are_known_of_them(samples: Path) -> None:
    root = samples / "isaid_raw"
    assert {problem.kind for problem in PLUGIN.problems(root)} <= {"count", "missing"}
    refs = [ref for split in ("train", "test") for ref in PLUGIN.images(root, split)]
    assert [ref.name for ref in refs] == ["P0005", "P0003", "P0004"]
    pixels = {
        ref.name: np.bincount(PLUGIN.read(root, ref)[1].ravel(), minlength=16) for ref in refs
    }
    assert pixels["P0003"][2] == 403
    for name, size in (("P0005", 977 * 884), ("P0003", 1023 * 1147), ("P0004", 1464 * 824)):
        present = np.flatnonzero(pixels[name]).tolist()
        assert present == ([0, 2, 8, 9] if name == "P0003" else [0, 8, 9])
        assert pixels[name].sum() == size
