"""MFNet as the authors publish it and with its channels in separate files."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
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
from gpbench_datasets.mfnet import CARD, PLUGIN
from tests.datasets.miniatures.mfnet import SPLITS, mfnet, mfnet_separate, picture


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mfnet(tmp_path_factory.mktemp("original") / "mfnet")


@pytest.fixture
def root(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "mfnet"))


@pytest.fixture
def separate(tmp_path: Path) -> Path:
    return mfnet_separate(tmp_path / "separate")


def other_problems(root: Path) -> list[Problem]:
    """Return what is wrong but for the numbers of images, which a miniature cannot have."""
    return [problem for problem in PLUGIN.problems(root) if problem.kind != "count"]


def only_problem(root: Path) -> Problem:
    (problem,) = other_problems(root)
    return problem


def names(root: Path) -> dict[Split, list[str]]:
    return {split: [ref.name for ref in PLUGIN.images(root, split)] for split in SPLITS}


def refusal(root: Path, split: Split = "train") -> DataError:
    """Return the error of reading the first image of a split."""
    with pytest.raises(DataError) as caught:
        PLUGIN.read(root, PLUGIN.images(root, split)[0])
    return caught.value


def test_plugin_meets_its_contracts() -> None:
    assert isinstance(PLUGIN, InspectedDataset)
    assert isinstance(PLUGIN, HasFacts)
    assert [band.name for band in PLUGIN.info.bands] == ["red", "green", "blue", "thermal"]
    assert PLUGIN.info.classes[0] == "unlabelled"
    assert PLUGIN.protocol.excluded == ()
    assert not PLUGIN.info.images_may_be_shown


def test_numbers_of_the_card_are_all_images_of_the_paper() -> None:
    assert sum(count for (count,) in CARD.counts.values()) == 820 + 749


def test_authors_files_are_recognised(root: Path) -> None:
    assert PLUGIN.layout(root) == "the authors' files"
    assert names(root) == SPLITS
    assert other_problems(root) == []


@pytest.mark.parametrize("folder", ["ir_seg_dataset", "MFNet"])
def test_files_may_lie_one_folder_down(root: Path, folder: str) -> None:
    (root.parent / "outer").mkdir()
    root.rename(root.parent / "outer" / folder)
    outer = root.parent / "outer"
    assert names(outer) == SPLITS
    assert PLUGIN.read(outer, PLUGIN.images(outer, "test")[0])[0].shape == (480, 640, 4)


def test_thermal_comes_from_the_alpha_channel_untouched(root: Path) -> None:
    """Compositing would turn visible pixels black where thermal is cold."""
    pixels, ids = picture("00001D")
    pixels[:100, :, 3] = 0
    Image.fromarray(pixels).save(root / "images/00001D.png")
    image, label = PLUGIN.read(root, PLUGIN.images(root, "train")[0])
    np.testing.assert_array_equal(image, pixels)
    np.testing.assert_array_equal(label, ids)


def test_zero_is_a_class_and_nothing_is_ignored(root: Path) -> None:
    _, label = PLUGIN.read(root, PLUGIN.images(root, "train")[0])
    assert set(np.unique(label).tolist()) == set(range(9))


def test_time_of_day_is_a_tag_and_a_scene_has_20_numbers(root: Path) -> None:
    for name in ("00019D", "00020D", "00020N"):
        for folder in ("images", "labels"):
            (root / folder / f"{name}.png").symlink_to(root / folder / "00001D.png")
    (root / "train.txt").write_text("00001D\n00019D\n00020D\n00020N\n")
    refs = PLUGIN.images(root, "train")
    assert [ref.scene for ref in refs] == ["day-00000", "day-00000", "day-00020", "night-00020"]
    assert [ref.tags for ref in refs] == [("day",)] * 3 + [("night",)]


def test_mirrored_copies_are_left_out_listed_or_not(root: Path) -> None:
    assert "00001D_flip" in (root / "train.txt").read_text()
    assert names(root)["train"] == ["00001D", "00719N"]


def test_mirrored_copies_that_were_never_made_are_not_missed(root: Path) -> None:
    for folder in ("images", "labels"):
        (root / folder / "00001D_flip.png").unlink()
    assert other_problems(root) == []


def test_windows_line_ends_and_spaces_are_no_part_of_a_name(root: Path) -> None:
    (root / "train.txt").write_bytes("\ufeff00719N \r\n\r\n  00001D\r\n".encode())
    assert names(root)["train"] == ["00719N", "00001D"]
    assert other_problems(root) == []


def test_image_that_no_list_names_is_not_used(root: Path) -> None:
    (root / "train.txt").write_text("00001D\n")
    assert names(root)["train"] == ["00001D"]
    assert other_problems(root) == []


@pytest.mark.parametrize("line", ["1D", "00001X", "images/00001D.png", "00001D 00002D"])
def test_line_that_is_no_name_is_shown(root: Path, line: str) -> None:
    (root / "val.txt").write_text(f"01065N\n{line}\n")
    problem = only_problem(root)
    assert problem.kind == "names"
    assert f"val.txt lists '{line}', which is not named like 00001D" in problem.text
    assert names(root)["val"] == ["01065N"]


def test_name_in_two_lists_is_shown(root: Path) -> None:
    (root / "val.txt").write_text("01065N\n01402D\n")
    problem = only_problem(root)
    assert problem.kind == "names"
    assert re.search(r"'01402D' is there 2 times: in val .* and test", problem.text)


def test_name_twice_in_a_list_is_shown(root: Path) -> None:
    (root / "val.txt").write_text("01065N\n01065N\n")
    assert only_problem(root).kind == "names"


def test_listed_image_that_is_absent_is_missing_only(root: Path) -> None:
    for folder in ("images", "labels"):
        (root / folder / "01189N.png").unlink()
    problem = only_problem(root)
    assert problem.kind == "missing"
    assert "images/01189N.png is not there, and test.txt names it" in problem.text
    assert names(root)["test"] == ["01402D"]


def test_image_without_a_label_is_unlabelled(root: Path) -> None:
    (root / "labels/01189N.png").unlink()
    problem = only_problem(root)
    assert problem.kind == "unlabelled"
    assert re.search(r"images/01189N\.png has no label .*labels/01189N\.png", problem.text)
    assert names(root)["test"] == ["01402D"]


def test_list_that_is_absent_is_missing(root: Path) -> None:
    (root / "val.txt").unlink()
    problem = only_problem(root)
    assert problem.kind == "missing"
    assert "val.txt cannot be read: No such file" in problem.text


def test_list_that_cannot_be_read_is_not_missing(root: Path) -> None:
    (root / "val.txt").unlink()
    (root / "val.txt").mkdir()
    problem = only_problem(root)
    assert problem.kind == "unreadable"
    assert "val.txt cannot be read: Is a directory" in problem.text


def test_numbers_of_images_are_compared_with_the_card(root: Path) -> None:
    texts = [problem.text for problem in PLUGIN.problems(root) if problem.kind == "count"]
    assert "the train split has 2 images; the card says 784" in texts
    assert len(texts) == 3


def test_image_without_its_thermal_channel_is_refused(root: Path) -> None:
    Image.fromarray(picture("00001D")[0][:, :, :3]).save(root / "images/00001D.png")
    error = refusal(root)
    assert error.kind == "pixels"
    assert re.search(
        r"images/00001D\.png has 3 channel\(s\) of uint8.* thermal belongs in the fourth",
        str(error),
    )


@pytest.mark.parametrize("value", [9, 255])
def test_value_that_is_no_class_is_refused_with_its_place(root: Path, value: int) -> None:
    _, ids = picture("00001D")
    ids[7, 11:13] = value
    Image.fromarray(ids).save(root / "labels/00001D.png")
    error = refusal(root)
    assert isinstance(error, LabelError)
    wanted = rf"labels/00001D\.png .* {value} on 2 pixels, first at row 7, column 11"
    assert re.search(wanted, str(error))


def test_label_picture_in_colours_is_refused(root: Path) -> None:
    Image.new("RGB", (640, 480)).save(root / "labels/00001D.png")
    assert refusal(root).kind == "label"


def test_image_and_label_of_two_sizes_are_refused(root: Path) -> None:
    Image.new("L", (640, 479)).save(root / "labels/00001D.png")
    error = refusal(root)
    assert error.kind == "size"
    assert "image and label of '00001D' differ in size: 480 x 640 and 479 x 640" in str(error)


def test_image_of_another_size_is_refused(root: Path) -> None:
    Image.new("RGBA", (320, 240)).save(root / "images/00001D.png")
    Image.new("L", (320, 240)).save(root / "labels/00001D.png")
    error = refusal(root)
    assert error.kind == "size"
    assert "240 x 320 pixels (height x width), not 480 x 640" in str(error)


def test_damaged_image_is_named(root: Path) -> None:
    path = root / "images/00001D.png"
    path.write_bytes(path.read_bytes()[:500])
    error = refusal(root)
    assert error.kind == "unreadable"
    assert str(path) in str(error)


@pytest.mark.parametrize("thermal", ["Modal", "Thermal"])
def test_separate_files_give_the_same_images(root: Path, tmp_path: Path, thermal: str) -> None:
    separate = mfnet_separate(tmp_path / "separate", thermal)
    assert PLUGIN.layout(separate) == f"separate files: RGB, {thermal}, Label"
    assert other_problems(separate) == []
    assert names(separate) == SPLITS
    for split in SPLITS:
        pairs = zip(PLUGIN.images(root, split), PLUGIN.images(separate, split), strict=True)
        for one, other in pairs:
            assert (one.name, one.scene, one.tags) == (other.name, other.scene, other.tags)
            for a, b in zip(PLUGIN.read(root, one), PLUGIN.read(separate, other), strict=True):
                np.testing.assert_array_equal(a, b)


def test_separate_thermal_file_may_be_grey(separate: Path) -> None:
    pixels, _ = picture("00001D")
    Image.fromarray(pixels[:, :, 3]).save(separate / "Modal/00001D.png")
    image, _ = PLUGIN.read(separate, PLUGIN.images(separate, "train")[0])
    np.testing.assert_array_equal(image, pixels)


def test_separate_thermal_file_in_false_colours_is_refused(separate: Path) -> None:
    pixels, _ = picture("00001D")
    Image.fromarray(pixels[:, :, :3]).save(separate / "Modal/00001D.png")
    error = refusal(separate)
    assert error.kind == "pixels"
    assert "Modal/00001D.png holds three channels that differ" in str(error)


@pytest.mark.parametrize(
    ("mode", "held"),
    [("I;16", "1 channel(s) of uint16"), ("LA", "2 channel"), ("RGBA", "4 channel")],
)
def test_separate_thermal_file_of_another_type_is_refused(
    separate: Path, mode: str, held: str
) -> None:
    Image.new(mode, (640, 480)).save(separate / "Modal/00001D.png")
    error = refusal(separate)
    assert error.kind == "pixels"
    assert f"Modal/00001D.png has {held}" in str(error)


def test_separate_visible_file_of_16_bits_is_refused(separate: Path) -> None:
    deep = picture("00001D")[0][:, :, :3].astype(np.uint16)
    tifffile.imwrite(separate / "RGB/00001D.png", deep, photometric="rgb")
    error = refusal(separate)
    assert error.kind == "pixels"
    assert re.search(r"RGB/00001D\.png has 3 channel\(s\) of uint16", str(error))


def test_separate_image_with_thermal_still_in_it_is_refused(separate: Path) -> None:
    Image.fromarray(picture("00001D")[0]).save(separate / "RGB/00001D.png")
    error = refusal(separate)
    assert error.kind == "pixels"
    assert re.search(r"RGB/00001D\.png has 4 channel\(s\) of uint8", str(error))


def test_separate_files_of_two_sizes_are_refused(separate: Path) -> None:
    Image.new("L", (320, 240)).save(separate / "Modal/00001D.png")
    error = refusal(separate)
    assert error.kind == "size"
    assert re.search(r"RGB/00001D\.png is 480 x 640 .*Modal/00001D\.png 240 x 320", str(error))


def test_separate_thermal_file_that_is_absent_is_missing(separate: Path) -> None:
    (separate / "Modal/00001D.png").unlink()
    problem = only_problem(separate)
    assert problem.kind == "missing"
    assert "Modal/00001D.png is not there" in problem.text


def test_folders_of_any_other_dataset_are_not_taken_for_mfnet(root: Path) -> None:
    for split in SPLITS:
        (root / f"{split}.txt").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"no data for 'mfnet' .*ir_seg_dataset\.zip"):
        PLUGIN.layout(root)


def test_zip_is_named_with_the_command_that_unpacks_it(tmp_path: Path) -> None:
    (tmp_path / "ir_seg_dataset.zip").touch()
    with pytest.raises(DatasetNotFoundError, match=rf"unzip -n {tmp_path}/ir_seg_dataset\.zip"):
        PLUGIN.layout(tmp_path)


def test_real_images_are_read_with_their_thermal_channel(samples: Path, tmp_path: Path) -> None:
    """The labels are made up: the sample's masks are a network's predictions."""
    (tmp_path / "images").symlink_to(samples / "mfnet_rgbt/image")
    (tmp_path / "labels").mkdir()
    for name in ("01234N", "01477D"):
        Image.new("L", (640, 480)).save(tmp_path / f"labels/{name}.png")
    (tmp_path / "test.txt").write_text("01234N\n01477D\n")
    night, day = PLUGIN.images(tmp_path, "test")
    assert (night.tags, day.tags) == (("night",), ("day",))
    thermals = [PLUGIN.read(tmp_path, ref)[0][:, :, 3] for ref in (night, day)]
    assert [(int(each.min()), int(each.max())) for each in thermals] == [(8, 243), (4, 245)]


def test_official_test_names_are_those_that_the_card_describes(samples: Path) -> None:
    names = (samples / "mfnet_rgbt/mfnet_test_names_393.txt").read_text().split()
    numbers = {time: sorted(int(n[:5]) for n in names if n.endswith(time)) for time in ("D", "N")}
    assert (len(names),) == CARD.counts["test"]
    assert numbers == {"D": list(range(1402, 1607)), "N": list(range(1189, 1377))}
