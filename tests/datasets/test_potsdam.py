"""Potsdam: official files in every way they lie on disks, chosen bands, two strange labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gpbench.api import (
    DataError,
    DatasetNotFoundError,
    HasFacts,
    InspectedDataset,
    ParametrisedDataset,
    Split,
)
from gpbench.core.problems import OF_SUBSETS
from gpbench.core.selector import parse_selector
from gpbench.data.windows import grid
from gpbench_datasets._published import Published
from gpbench_datasets.potsdam import CARD, PLUGIN, TEST, TRAIN, Bands, Labels, Params, dataset
from tests.datasets.miniatures import isprs
from tests.datasets.miniatures.potsdam import (
    ALL_KINDS,
    DEFAULT_KINDS,
    picture,
    potsdam_mmseg,
    potsdam_raw,
    save_ndsm,
)

SIDE = 40
SMALL = CARD.model_copy(update={"image_px": ((SIDE, SIDE),)})
RGBIR = "4_Ortho_RGBIR/4_Ortho_RGBIR/top_potsdam_{}_RGBIR.tif"
LABEL = "5_Labels_all/top_potsdam_{}_label.tif"


def small(bands: Bands = "rgb-nir-ndsm", labels: Labels = "full") -> Published:
    """Return the dataset as it is, but for tiles of 40 px."""
    return dataset(SMALL, Params(bands, labels))


def read(made: Published, root: Path, tile: str) -> tuple[np.ndarray, np.ndarray]:
    refs = made.images(root, "test" if tile in TEST.split() else "train")
    return made.read(root, next(ref for ref in refs if ref.name == tile))


def kinds_and_texts(made: Published, root: Path) -> list[tuple[str, str]]:
    """Return the problems but for those that every miniature has: tiles that are not there."""
    absent = "tiles have no"
    return [
        (problem.kind, problem.text)
        for problem in made.problems(root)
        if problem.kind != "count" and not (problem.kind == "missing" and absent in problem.text)
    ]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return potsdam_raw(tmp_path / "potsdam", side_px=SIDE, kinds=ALL_KINDS)


def test_name_with_default_parameters_is_the_plugins() -> None:
    assert PLUGIN.configured(Params())[0] == "potsdam"


def test_name_with_other_parameters_is_the_canonical_selector() -> None:
    name = PLUGIN.configured(Params(labels="eroded", bands="rgb"))[0]
    assert name == "potsdam[bands=rgb,labels=eroded]"
    assert str(parse_selector(name)) == name
    assert PLUGIN.configured(Params(labels="eroded"))[0] == "potsdam[labels=eroded]"


def test_parameters_enter_the_key() -> None:
    assert PLUGIN.configured(Params("irrg"))[2] == {"bands": "irrg", "labels": "full"}


def test_plugin_keeps_its_promises() -> None:
    made = PLUGIN.configured(Params())[1]
    assert isinstance(PLUGIN, ParametrisedDataset)
    assert isinstance(made, InspectedDataset)
    assert isinstance(made, HasFacts)


@pytest.mark.parametrize(
    ("bands", "kind", "names"),
    [
        ("rgb-nir-ndsm", "RGBIR", ["red", "green", "blue", "nir", "ndsm"]),
        ("rgb-nir", "RGBIR", ["red", "green", "blue", "nir"]),
        ("rgb", "RGB", ["red", "green", "blue"]),
        ("irrg", "IRRG", ["nir", "red", "green"]),
    ],
)
def test_bands_are_named_and_read_as_chosen(
    raw: Path, bands: Bands, kind: str, names: list[str]
) -> None:
    made = small(bands)
    assert made.images(raw, "train")[0].files[0].endswith(f"_{kind}.tif")
    assert [band.name for band in made.info.bands] == names
    image, _ = read(made, raw, "2_10")
    expected, _ = picture("2_10", SIDE)
    assert image.dtype == np.uint8
    assert image.shape == (SIDE, SIDE, len(names))
    for i, name in enumerate(names):
        channel = ["red", "green", "blue", "nir", "ndsm"].index(name)
        error = np.abs(image[:, :, i].astype(int) - expected[:, :, channel])
        assert error.max() <= (16 if name == "ndsm" else 0)  # the height went through JPEG


def test_splits_are_those_of_the_contest() -> None:
    train, test = set(TRAIN.split()), set(TEST.split())
    assert (len(train), len(test), len(train & test)) == (24, 14, 0)
    assert CARD.counts == {"train": (24,), "test": (14,)}


def test_windows_are_as_many_as_mmsegmentations_patches() -> None:
    ((height, width),) = CARD.image_px
    per_tile = len(grid(height, width, CARD.protocol.tile_px, CARD.protocol.stride_px))
    assert per_tile * len(TRAIN.split()) == 3456
    assert per_tile * len(TEST.split()) == 2016


def test_protocol_scores_f1_without_clutter() -> None:
    made = PLUGIN.configured(Params())[1]
    assert made.protocol.metric == "mF1"
    assert made.protocol.excluded == ("clutter",)
    assert made.info.images_may_be_shown is False


def test_tiles_are_scenes_in_the_order_of_their_names(raw: Path) -> None:
    refs = small().images(raw, "train")
    assert [(ref.name, ref.scene) for ref in refs] == [("2_10", "2_10"), ("6_7", "6_7")]
    assert refs[0].files == (
        RGBIR.format("2_10"),
        "1_DSM_normalisation/1_DSM_normalisation/dsm_potsdam_02_10_normalized_lastools.jpg",
        LABEL.format("2_10"),
    )
    assert [ref.name for ref in small().images(raw, "test")] == ["2_13"]
    assert small().images(raw, "val") == []
    assert small().layout(raw) == "the official files"


def test_files_may_all_lie_in_one_folder(raw: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in raw.rglob("*.*"):
        shutil.copy(path, flat)
    for ours, theirs in zip(read(small(), raw, "6_7"), read(small(), flat, "6_7"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_files_may_lie_deeper(raw: Path) -> None:
    assert len(small().images(raw.parent, "train")) == 2


def test_files_of_macos_and_of_gis_programs_are_passed_over(raw: Path) -> None:
    folder = raw / "5_Labels_all"
    for name in ("._top_potsdam_2_10_label.tif", "top_potsdam_2_10_label.tfw"):
        (folder / name).write_bytes(b"")
    assert kinds_and_texts(small(), raw) == []


def test_heights_of_the_other_approach_are_not_taken(raw: Path) -> None:
    (model,) = raw.rglob("*_02_10_normalized_lastools.jpg")
    model.rename(model.with_name(model.name.replace("lastools", "ownapproach")))
    assert [ref.name for ref in small().images(raw, "train")] == ["6_7"]


def test_label_ids_come_back_from_their_colours(raw: Path) -> None:
    label = read(small(), raw, "2_10")[1]
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, picture("2_10", SIDE)[1])


def test_black_is_ignored(raw: Path) -> None:
    label = read(small(labels="eroded"), raw, "2_10")[1]
    np.testing.assert_array_equal(label, isprs.eroded(picture("2_10", SIDE)[1]))
    assert 255 in label


def test_unknown_colour_is_named_with_its_count_and_place(raw: Path) -> None:
    colours = isprs.coloured(picture("2_10", SIDE)[1], CARD)
    colours[3, 7:9] = (252, 255, 0)
    isprs.save_tif(raw / LABEL.format("2_10"), colours)
    with pytest.raises(DataError, match=r"2_10_label.tif .*#fcff00 on 2 pixels.* row 3, column 7"):
        read(small(), raw, "2_10")


@pytest.mark.parametrize("tile", ["6_7", "4_12"])
def test_cars_of_another_yellow_are_read_in_the_tiles_that_are_known_for_it(
    tmp_path: Path, tile: str
) -> None:
    potsdam_raw(tmp_path, [tile], SIDE)
    ids = picture(tile, SIDE)[1]
    ids[5:9] = CARD.info().classes.index("car")
    colours = isprs.coloured(ids, CARD)
    colours[5:9, :, 0] = 252
    isprs.save_tif(tmp_path / LABEL.format(tile), colours)
    np.testing.assert_array_equal(read(small(), tmp_path, tile)[1], ids)


@given(st.integers(0, 2**32 - 1))
def test_label_into_which_the_image_was_mixed_is_recovered(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    root = potsdam_raw(tmp_path_factory.mktemp("potsdam"), ["4_12"], SIDE, ("RGB", "eroded"))
    rng = np.random.default_rng(seed)
    ids = isprs.eroded(rng.integers(6, size=(SIDE, SIDE), dtype=np.uint8).repeat(2, 0)[:SIDE])
    image = rng.integers(256, size=(SIDE, SIDE, 3))
    mixed = 0.83 * isprs.coloured(ids, CARD) + 0.17 * image
    (path,) = root.rglob("*_noBoundary.tif")
    isprs.save_tif(path, mixed.round().astype(np.uint8))
    np.testing.assert_array_equal(read(small("rgb", labels="eroded"), root, "4_12")[1], ids)


def test_colour_between_classes_is_refused_in_these_tiles_too(tmp_path: Path) -> None:
    potsdam_raw(tmp_path, ["4_12"], SIDE)
    colours = isprs.coloured(picture("4_12", SIDE)[1], CARD)
    colours[2, 1] = (255, 127, 0)
    isprs.save_tif(tmp_path / LABEL.format("4_12"), colours)
    with pytest.raises(DataError, match=r"#ff7f00 on 1 pixel, first at row 2, column 1"):
        read(small(), tmp_path, "4_12")


def test_last_column_that_a_height_lacks_is_repeated(raw: Path) -> None:
    height = picture("2_13", SIDE)[0][:, :, 4]
    save_ndsm(raw, "2_13", height[:, :-1])
    image, _ = read(small(), raw, "2_13")
    assert image.shape == (SIDE, SIDE, 5)
    np.testing.assert_array_equal(image[:, -1, 4], image[:, -2, 4])
    assert np.abs(image[:, :-1, 4].astype(int) - height[:, :-1]).max() <= 16


@pytest.mark.parametrize("size", [(SIDE, SIDE - 2), (SIDE + 1, SIDE), (SIDE - 1, SIDE + 1)])
def test_other_sizes_of_a_height_are_refused(raw: Path, size: tuple[int, int]) -> None:
    path = save_ndsm(raw, "2_13", np.zeros(size, np.uint8))
    with pytest.raises(DataError, match=rf"{path.name} is {size[0]} x {size[1]} .*RGBIR") as error:
        read(small(), raw, "2_13")
    assert error.value.kind == "size"


def test_image_that_lacks_a_column_is_refused(raw: Path) -> None:
    shutil.rmtree(raw / "4_Ortho_RGBIR")
    (path,) = raw.rglob("top_potsdam_2_10_IRRG.tif")
    isprs.save_tif(path, np.zeros((SIDE, SIDE - 1, 3), np.uint8))
    with pytest.raises(DataError, match=r"2_10_IRRG.tif is 40 x 39 .* and .*2_10_RGB.tif 40 x 40"):
        read(small("rgb-nir"), raw, "2_10")


def test_tile_of_another_size_is_refused(raw: Path) -> None:
    made = PLUGIN.configured(Params())[1]
    with pytest.raises(DataError, match=r"2_10_RGBIR.tif is 40 x 40 .*, not 6000 x 6000") as error:
        read(made, raw, "2_10")
    assert error.value.kind == "size"


def test_label_of_another_size_is_refused(raw: Path) -> None:
    isprs.save_tif(raw / LABEL.format("2_10"), np.zeros((SIDE, SIDE + 1, 3), np.uint8))
    with pytest.raises(DataError, match="2_10' differ in size") as error:
        read(small(), raw, "2_10")
    assert error.value.kind == "size"


def test_file_with_a_channel_too_few_is_refused(raw: Path) -> None:
    isprs.save_tif(raw / RGBIR.format("2_10"), np.zeros((SIDE, SIDE, 3), np.uint8))
    with pytest.raises(DataError, match=r"has 3 channel\(s\) of uint8, not 4 .*nir") as error:
        read(small(), raw, "2_10")
    assert error.value.kind == "pixels"


@pytest.mark.parametrize(
    ("tile", "split", "count"), [("6_7", "train", "1 of 24"), ("2_13", "test", "1 of 14")]
)
def test_image_without_label_is_named(raw: Path, tile: str, split: Split, count: str) -> None:
    (raw / LABEL.format(tile)).unlink()
    ((kind, text),) = kinds_and_texts(small(), raw)
    assert kind == "unlabelled"
    label = "5_Labels_all/top_potsdam_ROW_COL_label.tif"
    assert text == f"{count} {split} tiles have no {label}: {tile}"
    assert tile not in [ref.name for ref in small().images(raw, split)]


def test_tiles_without_a_file_are_named_for_each_kind_of_file(raw: Path) -> None:
    shutil.rmtree(raw / "2_Ortho_RGB")
    (raw / RGBIR.format("6_7")).unlink()
    texts = [problem.text for problem in small().problems(raw) if problem.kind == "missing"]
    without = "23 of 24 train tiles have no 4_Ortho_RGBIR/top_potsdam_ROW_COL_RGBIR.tif: "
    assert texts[0].startswith(without)
    assert "6_7" in texts[0].removeprefix(without).split(", ")
    assert texts[1].startswith("22 of 24 train tiles have no 1_DSM_normalisation/dsm_potsdam_")
    assert [ref.name for ref in small().images(raw, "train")] == ["2_10"]


def test_part_of_the_tiles_is_a_subset(raw: Path) -> None:
    problems = small().problems(raw)
    assert {problem.kind for problem in problems} == OF_SUBSETS


def test_all_tiles_are_no_problem(tmp_path: Path) -> None:
    folders = [RGBIR, LABEL]
    for tile in [*TRAIN.split(), *TEST.split()]:
        row, column = map(int, tile.split("_"))
        dsm = f"n/dsm_potsdam_{row:02}_{column:02}_normalized_lastools.jpg"
        for file in [dsm, *(folder.format(tile) for folder in folders)]:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
    made = PLUGIN.configured(Params())[1]
    assert made.problems(tmp_path) == []
    assert [len(made.images(tmp_path, split)) for split in ("train", "val", "test")] == [24, 0, 14]


def test_labels_for_participants_serve_where_there_are_no_others(raw: Path) -> None:
    given_labels = raw / "5_Labels_for_participants"
    (raw / "5_Labels_all").rename(given_labels)
    (given_labels / "top_potsdam_2_13_label.tif").unlink()
    assert len(small().images(raw, "train")) == 2
    assert small().images(raw, "test") == []
    (text,) = [each.text for each in small().problems(raw) if "participants" in each.text]
    assert text == (
        "1 of 14 test tiles have no 5_Labels_all/top_potsdam_ROW_COL_label.tif: 2_13; "
        "the labels for participants are of train tiles only"
    )
    assert {problem.kind for problem in small().problems(raw)} == OF_SUBSETS
    (given_labels / "top_potsdam_6_7_label.tif").unlink()
    assert "unlabelled" in {problem.kind for problem in small().problems(raw)}


def test_labels_for_participants_are_not_mixed_with_others(raw: Path) -> None:
    shutil.copytree(raw / "5_Labels_all", raw / "5_Labels_for_participants")
    assert kinds_and_texts(small(), raw) == []
    assert small().images(raw, "train")[0].files[-1] == LABEL.format("2_10")
    (raw / LABEL.format("2_10")).unlink()
    assert [kind for kind, _ in kinds_and_texts(small(), raw)] == ["unlabelled"]


def test_file_that_is_there_twice_is_named(raw: Path) -> None:
    copy = raw / "old/top_potsdam_2_10_RGBIR.tif"
    copy.parent.mkdir()
    shutil.copy(raw / RGBIR.format("2_10"), copy)
    ((kind, text),) = kinds_and_texts(small(), raw)
    assert kind == "names"
    assert text == f"{raw / RGBIR.format('2_10')} and {copy} are of one name: keep one"


@pytest.mark.parametrize("kept", [RGBIR, LABEL])
def test_tile_that_the_benchmark_does_not_have_is_named(raw: Path, kept: str) -> None:
    shutil.copy(raw / kept.format("2_10"), raw / kept.format("9_99"))
    ((kind, text),) = kinds_and_texts(small(), raw)
    assert kind == "names"
    assert text.endswith("is of '9_99', which is none of the 38 labelled tiles")


def test_infrared_comes_from_irrg_where_rgbir_is_not_there(raw: Path) -> None:
    expected = read(small(), raw, "2_10")[0]
    shutil.rmtree(raw / "4_Ortho_RGBIR")
    (path,) = raw.rglob("top_potsdam_2_10_IRRG.tif")
    isprs.save_tif(path, expected[:, :, [3, 1, 0]])  # its other bands are not looked at
    np.testing.assert_array_equal(read(small(), raw, "2_10")[0], expected)


@pytest.mark.parametrize("bands", ["rgb", "irrg"])
def test_three_bands_come_from_rgbir_where_their_own_files_are_not_there(
    raw: Path, bands: Bands
) -> None:
    expected = read(small(bands), raw, "2_10")[0]
    shutil.rmtree(raw / "2_Ortho_RGB")
    shutil.rmtree(raw / "3_Ortho_IRRG")
    np.testing.assert_array_equal(read(small(bands), raw, "2_10")[0], expected)


def test_all_tiles_are_read_from_the_kinds_of_files_that_most_have(raw: Path) -> None:
    for tile in ("2_10", "2_13"):
        (raw / RGBIR.format(tile)).unlink()
    files = [ref.files for split in ("train", "test") for ref in small().images(raw, split)]
    assert ["RGBIR" in "".join(each) for each in files] == [False, False, False]


def test_bands_that_the_files_do_not_have_are_refused_with_those_that_they_have(
    tmp_path: Path,
) -> None:
    potsdam_raw(tmp_path, side_px=SIDE, kinds=("RGB", "eroded"))
    with pytest.raises(DatasetNotFoundError) as error:
        PLUGIN.configured(Params())[1].problems(tmp_path)
    text = str(error.value)
    assert (
        "no tile has 4_Ortho_RGBIR/top_potsdam_ROW_COL_RGBIR.tif and 1_DSM_normalisation/" in text
    )
    assert text.endswith("with what is there choose -d 'potsdam[bands=rgb,labels=eroded]'")


def test_files_that_serve_nothing_promise_nothing(tmp_path: Path) -> None:
    potsdam_raw(tmp_path, side_px=SIDE, kinds=("RGB",))
    with pytest.raises(DatasetNotFoundError) as error:
        small().images(tmp_path, "train")
    assert "choose" not in str(error.value)


def test_zips_beside_files_that_do_not_serve_are_named(raw: Path) -> None:
    shutil.rmtree(raw / "5_Labels_all")
    (raw / "5_Labels_all.zip").touch()
    with pytest.raises(
        DatasetNotFoundError,
        match=rf"no tile has .*5_Labels_all/.* choose -d '.*: unzip -n {raw}/5_Labels_all\.zip",
    ):
        small().images(raw, "train")


def test_empty_folder_says_how_to_get_the_data(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"4_Ortho_RGBIR.zip.*5_Labels_all.zip"):
        small().layout(tmp_path)


def test_patches_give_what_official_files_give(raw: Path, tmp_path: Path) -> None:
    made = small("rgb", labels="eroded")
    cut = potsdam_mmseg(tmp_path / "cut", side_px=SIDE, patch_px=16)
    assert made.layout(cut) == "mmsegmentation's patches"
    for split in ("train", "test"):
        names = [ref.name for ref in made.images(raw, split)]
        assert [ref.name for ref in made.images(cut, split)] == names
        for name in names:
            for ours, theirs in zip(read(made, raw, name), read(made, cut, name), strict=True):
                np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("params", [Params(), Params("rgb"), Params("irrg", "eroded")])
def test_patches_serve_only_what_they_hold(tmp_path: Path, params: Params) -> None:
    cut = potsdam_mmseg(tmp_path, ["2_10"], SIDE, 16)
    with pytest.raises(DatasetNotFoundError) as error:
        PLUGIN.configured(params)[1].problems(cut)
    assert f"no data for '{params.selector}'" in str(error.value)
    assert str(error.value).endswith("-d 'potsdam[bands=rgb,labels=eroded]'")


def test_patches_of_a_test_tile_among_those_to_train_on_are_named(tmp_path: Path) -> None:
    cut = potsdam_mmseg(tmp_path, ["2_10", "2_13"], SIDE, 16)
    for folder in ("img_dir", "ann_dir"):
        (cut / folder / "val").rename(cut / folder / "val2")
        for patch in (cut / folder / "val2").iterdir():
            patch.rename(cut / folder / "train" / patch.name)
    ((kind, text),) = kinds_and_texts(small("rgb", labels="eroded"), cut)
    assert kind == "names"
    assert text.endswith("is of '2_13', a test tile")


def test_patch_label_value_that_is_no_class_is_named(tmp_path: Path) -> None:
    cut = potsdam_mmseg(tmp_path, ["2_10"], SIDE, 16)
    path = cut / "ann_dir/train/2_10_0_0_16_16.png"
    Image.fromarray(np.full((16, 16), 7, np.uint8)).save(path)
    with pytest.raises(DataError, match=r"2_10_0_0_16_16.png .* 7 on 256 pixels") as error:
        read(small("rgb", labels="eroded"), cut, "2_10")
    assert error.value.kind == "label"


def test_tile_whose_last_patches_are_not_there_is_a_subset_and_read_as_far_as_it_goes(
    tmp_path: Path,
) -> None:
    cut = potsdam_mmseg(tmp_path, ["2_10"], SIDE, 16)
    for path in [*cut.rglob("2_10_24_*.png")]:
        path.unlink()
    made = small("rgb", labels="eroded")
    ((kind, text),) = kinds_and_texts(made, cut)
    assert kind == "missing"
    assert (
        text == "the patches of train tile '2_10' reach 40 x 32 of 40 x 40 pixels (height x width)"
    )
    image, label = read(made, cut, "2_10")
    np.testing.assert_array_equal(image, picture("2_10", SIDE)[0][:, :32, :3])
    assert label.shape == (40, 32)


def test_patches_beyond_the_border_of_a_tile_are_no_subset(tmp_path: Path) -> None:
    cut = potsdam_mmseg(tmp_path, ["2_10"], SIDE + 8, 16)
    ((kind, text),) = kinds_and_texts(small("rgb", labels="eroded"), cut)
    assert kind == "size"
    assert "reach 48 x 48 of 40 x 40 pixels" in text


def test_folder_that_is_named_like_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "my_potsdam_tiles").mkdir()
    with pytest.raises(DatasetNotFoundError, match="Ask for the data"):
        small().layout(tmp_path)


def test_real_patch_is_read(samples: Path, tmp_path: Path) -> None:
    for folder in ("img_dir", "ann_dir"):
        (tmp_path / folder).mkdir()
        real = samples / "isprs_patches/pseudo_potsdam_dataset" / folder
        (tmp_path / folder / "train").symlink_to(real)
    made = PLUGIN.configured(Params("rgb", "eroded"))[1]
    assert {problem.kind for problem in made.problems(tmp_path)} == OF_SUBSETS
    (ref,) = made.images(tmp_path, "train")
    image, label = made.read(tmp_path, ref)
    assert image.shape == (512, 512, 3)
    assert set(np.unique(label)) == {0, 1, 2, 3, 4, 255}
    vegetation = image[np.isin(label, [2, 3])].mean(axis=0)
    assert vegetation[1] == max(vegetation)  # green: the bands are in the order of their names


def test_tile_of_full_size_with_a_height_of_5999_columns_is_read(tmp_path: Path) -> None:
    potsdam_raw(tmp_path, ["3_13"])
    image, ids = picture("3_13")
    save_ndsm(tmp_path, "3_13", image[:, :-1, 4])
    made = PLUGIN.configured(Params())[1]
    (ref,) = made.images(tmp_path, "test")
    pixels, label = made.read(tmp_path, ref)
    assert pixels.shape == (6000, 6000, 5)
    assert np.array_equal(pixels[:, :, :4], image[:, :, :4])
    assert np.array_equal(pixels[:, -1, 4], pixels[:, -2, 4])
    assert np.array_equal(label, ids)


def test_files_of_an_image_are_all_that_reading_opens(raw: Path, tmp_path: Path) -> None:
    (ref,) = small().images(raw, "test")
    alone = tmp_path / "alone"
    for file in ref.files:
        (alone / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(raw / file, alone / file)
    assert len(ref.files) == len(DEFAULT_KINDS)
    assert small().read(alone, ref)[0].shape == (SIDE, SIDE, 5)
