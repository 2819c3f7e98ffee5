"""Vaihingen: images and labels of equal names, areas of unequal sizes, a label of no image."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gpbench.api import DataError, DatasetNotFoundError, InspectedDataset, ParametrisedDataset
from gpbench.core.problems import OF_SUBSETS
from gpbench_datasets._published import Published
from gpbench_datasets.vaihingen import CARD, PLUGIN, TEST, TRAIN, Labels, Params
from tests.datasets.miniatures import isprs
from tests.datasets.miniatures.vaihingen import (
    COMPLETE,
    ERODED,
    SIZES,
    picture,
    vaihingen_mmseg,
    vaihingen_raw,
)


def made(labels: Labels = "full") -> Published:
    return PLUGIN.configured(Params(labels))[1]


def read(dataset: Published, root: Path, area: int) -> tuple[np.ndarray, np.ndarray]:
    refs = dataset.images(root, "test" if area in TEST else "train")
    return dataset.read(root, next(ref for ref in refs if ref.name == f"area{area}"))


def kinds_and_texts(dataset: Published, root: Path) -> list[tuple[str, str]]:
    """Return the problems but for those that every miniature has: areas that are not there."""
    image = "tiles have no top/"
    return [
        (problem.kind, problem.text)
        for problem in dataset.problems(root)
        if problem.kind != "count" and not (problem.kind == "missing" and image in problem.text)
    ]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return vaihingen_raw(tmp_path / "vaihingen")


def test_name_is_the_canonical_selector() -> None:
    assert PLUGIN.configured(Params())[0] == "vaihingen"
    assert PLUGIN.configured(Params("eroded"))[0] == "vaihingen[labels=eroded]"
    assert PLUGIN.configured(Params("eroded"))[2] == {"labels": "eroded"}


def test_plugin_keeps_its_promises() -> None:
    assert isinstance(PLUGIN, ParametrisedDataset)
    assert isinstance(made(), InspectedDataset)
    assert [band.name for band in made().info.bands] == ["nir", "red", "green"]
    assert made().protocol.excluded == ("clutter",)
    assert made().info.images_may_be_shown is False


def test_splits_are_those_of_the_contest() -> None:
    assert (len(set(TRAIN)), len(set(TEST)), len({*TRAIN, *TEST})) == (16, 17, 33)
    assert CARD.counts == {"train": (16,), "test": (17,)}


@pytest.mark.parametrize("area", SIZES)
def test_image_and_label_are_told_apart_by_their_folders(raw: Path, area: int) -> None:
    image, label = read(made(), raw, area)
    expected, ids = picture(area, SIZES[area])
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(label, ids)
    assert label.shape == SIZES[area]


def test_areas_are_scenes_in_the_order_of_their_names(raw: Path) -> None:
    refs = made().images(raw, "train")
    assert [(ref.name, ref.scene) for ref in refs] == [("area1", "area1"), ("area3", "area3")]
    assert refs[0].files == (
        "top/top_mosaic_09cm_area1.tif",
        f"{COMPLETE}/top_mosaic_09cm_area1.tif",
    )
    assert [ref.name for ref in made().images(raw, "test")] == ["area2"]


def test_eroded_labels_ignore_borders(raw: Path) -> None:
    label = read(made("eroded"), raw, 2)[1]
    np.testing.assert_array_equal(label, isprs.eroded(picture(2, SIZES[2])[1]))
    assert 255 in label


def test_labels_may_lie_beside_the_folder_of_images(raw: Path) -> None:
    for path in (raw / COMPLETE).iterdir():
        path.rename(raw / path.name)
    assert made().images(raw, "train")[0].files[1] == "top_mosaic_09cm_area1.tif"
    np.testing.assert_array_equal(read(made(), raw, 1)[1], picture(1, SIZES[1])[1])


def test_zips_may_be_unpacked_into_folders_of_their_own(raw: Path) -> None:
    (raw / "ISPRS_semantic_labeling_Vaihingen").mkdir()
    (raw / "top").rename(raw / "ISPRS_semantic_labeling_Vaihingen/top")
    assert read(made(), raw, 1)[0].shape == (*SIZES[1], 3)


def test_part_of_the_areas_is_a_subset(raw: Path) -> None:
    assert {problem.kind for problem in made().problems(raw)} == OF_SUBSETS


def test_label_of_area_9_belongs_to_no_image(raw: Path) -> None:
    labels = raw / ERODED
    stray = labels / "top_mosaic_09cm_area9_noBoundary.tif"
    shutil.copy(labels / "top_mosaic_09cm_area1_noBoundary.tif", stray)
    assert kinds_and_texts(made("eroded"), raw) == []
    shutil.copy(stray, labels / "top_mosaic_09cm_area19_noBoundary.tif")
    ((kind, text),) = kinds_and_texts(made("eroded"), raw)
    assert kind == "names"
    assert "is of 'area19', which is none of the 33" in text


def test_labels_for_participants_leave_test_areas_without_labels(raw: Path) -> None:
    shutil.rmtree(raw / COMPLETE)
    assert len(made().images(raw, "train")) == 2
    assert made().images(raw, "test") == []
    ((kind, text),) = kinds_and_texts(made(), raw)
    assert kind == "missing"
    assert text.endswith("area2; the labels for participants are of train tiles only")


def test_train_area_without_label_is_named(raw: Path) -> None:
    (raw / COMPLETE / "top_mosaic_09cm_area3.tif").unlink()
    ((kind, text),) = kinds_and_texts(made(), raw)
    assert kind == "unlabelled"
    assert text.endswith("/top_mosaic_09cm_areaN.tif: area3")


def test_labels_without_images_promise_nothing(raw: Path) -> None:
    shutil.rmtree(raw / "top")
    with pytest.raises(DatasetNotFoundError, match=r"no tile has top/top_mosaic_09cm_areaN.tif"):
        made().images(raw, "train")


def test_labels_that_are_not_there_are_refused_with_those_that_are(raw: Path) -> None:
    shutil.rmtree(raw / ERODED)
    with pytest.raises(DatasetNotFoundError, match=r"choose -d 'vaihingen'$"):
        made("eroded").problems(raw)


def test_colours_near_a_class_are_no_class(raw: Path) -> None:
    ids = picture(1, SIZES[1])[1]
    colours = isprs.coloured(ids, CARD)
    colours[0, 5] = (252, 255, 0)
    isprs.save_tif(raw / COMPLETE / "top_mosaic_09cm_area1.tif", colours)
    with pytest.raises(DataError, match=r"area1.tif .*#fcff00 on 1 pixel.* row 0, column 5"):
        read(made(), raw, 1)


def test_label_of_another_size_is_refused(raw: Path) -> None:
    labels = raw / COMPLETE
    shutil.copy(labels / "top_mosaic_09cm_area3.tif", labels / "top_mosaic_09cm_area1.tif")
    with pytest.raises(DataError, match="'area1' differ in size: 120 x 96 and 96 x 150") as error:
        read(made(), raw, 1)
    assert error.value.kind == "size"


def test_patches_give_what_official_files_give(raw: Path, tmp_path: Path) -> None:
    cut = vaihingen_mmseg(tmp_path / "cut")
    for area in SIZES:
        parts = zip(read(made("eroded"), raw, area), read(made("eroded"), cut, area), strict=True)
        for ours, theirs in parts:
            np.testing.assert_array_equal(ours, theirs)
    assert kinds_and_texts(made("eroded"), cut) == []


def test_patches_do_not_serve_full_labels(tmp_path: Path) -> None:
    cut = vaihingen_mmseg(tmp_path)
    with pytest.raises(DatasetNotFoundError, match=r"serve only -d 'vaihingen\[labels=eroded\]'"):
        made().images(cut, "train")


def test_patches_of_area_9_are_named(tmp_path: Path) -> None:
    cut = vaihingen_mmseg(tmp_path)
    for folder in ("img_dir", "ann_dir"):
        for path in [*(cut / folder / "val").glob("area2_*")]:
            path.rename(path.with_name(path.name.replace("area2_", "area9_")))
    ((kind, text),) = kinds_and_texts(made("eroded"), cut)
    assert kind == "names"
    assert text.endswith("is of 'area9', no labelled tile")


def test_real_patch_is_read(samples: Path, tmp_path: Path) -> None:
    for folder in ("img_dir", "ann_dir"):
        (tmp_path / folder).mkdir()
        real = samples / "isprs_patches/pseudo_vaihingen_dataset" / folder
        (tmp_path / folder / "train").symlink_to(real)
    assert {problem.kind for problem in made("eroded").problems(tmp_path)} == {"count"}
    (ref,) = made("eroded").images(tmp_path, "train")
    image, label = made("eroded").read(tmp_path, ref)
    assert image.shape == (512, 512, 3)
    assert set(np.unique(label)) == {0, 1, 2, 3, 4, 255}
    trees = image[label == CARD.info().classes.index("tree")].mean(axis=0)
    assert trees[0] > 1.5 * trees[1]  # the first band is infrared, in which trees are bright
