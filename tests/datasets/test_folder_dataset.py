"""Images and labels described by a card: what is read, and what is refused by name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from gpbench.api import (
    DataError,
    DatasetNotFoundError,
    InspectedDataset,
    ParametrisedDataset,
    Problem,
    Split,
)
from gpbench_datasets.folder import PLUGIN, FolderDataset, Params

CARD: dict[str, Any] = {
    "name": "trees",
    "bands": ["red", "green", "blue"],
    "classes": ["background", "tree"],
    "images": {"pattern": "images/{name}.png"},
    "labels": {"pattern": "../masks/{name}.png"},
    "splits": {"train": {"list": "train.txt"}, "test": {"glob": "b_*"}},
    "scene": "^([a-z])_",
    "protocol": {"tile_px": 8, "stride_px": 8},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder of four images 16 x 12, two of place a and two of place b."""
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    (tmp_path / "masks").mkdir()
    for i, name in enumerate(("a_1", "a_2", "b_1", "b_2")):
        Image.fromarray(np.full((12, 16, 3), 10 * i, np.uint8)).save(root / f"images/{name}.png")
        save_label(root, name, np.full((12, 16), i % 2))
    (root / "train.txt").write_text("a_2\r\n\r\na_1\r\n", encoding="utf-8-sig")
    return root


def save_label(root: Path, name: str, values: Any) -> None:
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(root / f"../masks/{name}.png")


def made(root: Path, /, **changes: Any) -> FolderDataset:
    file = root.parent / "card.yaml"
    file.write_text(yaml.safe_dump({**CARD, **changes}))
    return PLUGIN.configured(Params(file))[1]


def names(dataset: FolderDataset, root: Path, split: Split) -> list[str]:
    return [ref.name for ref in dataset.images(root, split)]


def refusal(dataset: FolderDataset, root: Path, name: str, kind: str) -> str:
    """Return why a training image cannot be read; `kind` is under what a check reports it."""
    (ref,) = [ref for ref in dataset.images(root, "train") if ref.name == name]
    with pytest.raises(DataError) as caught:
        dataset.read(root, ref)
    assert caught.value.kind == kind
    return str(caught.value)


def only_problem(dataset: FolderDataset, root: Path) -> Problem:
    (problem,) = dataset.problems(root)
    return problem


def test_plugin_makes_datasets_from_parameters(root: Path) -> None:
    assert isinstance(PLUGIN, ParametrisedDataset)
    assert isinstance(made(root), InspectedDataset)


def test_complete_folder_has_no_problem(root: Path) -> None:
    dataset = made(root)
    assert dataset.problems(root) == []
    assert dataset.layout(root) == "as the card says"


def test_list_file_gives_names_in_its_order(root: Path) -> None:
    assert names(made(root), root, "train") == ["a_2", "a_1"]


def test_pattern_gives_sorted_names(root: Path) -> None:
    assert names(made(root), root, "test") == ["b_1", "b_2"]
    splits = {**CARD["splits"], "test": {"regex": "b_[0-9]"}}
    assert names(made(root, splits=splits), root, "test") == ["b_1", "b_2"]


def test_expression_must_match_the_whole_name(root: Path) -> None:
    splits = {**CARD["splits"], "test": {"regex": "b_"}}
    with pytest.raises(DatasetNotFoundError, match=r"the split 'test' has no image"):
        made(root, splits=splits).images(root, "test")


def test_split_that_the_card_leaves_out_is_empty(root: Path) -> None:
    assert names(made(root), root, "val") == []


def test_scene_is_the_group_of_the_expression(root: Path) -> None:
    assert {ref.scene for ref in made(root).images(root, "train")} == {"a"}
    assert [ref.scene for ref in made(root, scene=None).images(root, "train")] == ["a_2", "a_1"]


def test_name_without_a_scene_is_a_problem(root: Path) -> None:
    problems = made(root, scene="^(a|x)_").problems(root)
    assert [problem.kind for problem in problems] == ["names", "names"]
    assert problems[0].text == "the scene pattern '^(a|x)_' finds nothing in the name 'b_1'"


def test_scenes_may_be_listed(root: Path) -> None:
    dataset = made(root, scene=None, scenes={"weir": ["a_1", "b_1"], "dam": ["a_2", "b_2"]})
    assert dataset.problems(root) == []
    assert [ref.scene for ref in dataset.images(root, "train")] == ["dam", "weir"]


def test_listed_scenes_use_the_names_of_images(tmp_path: Path) -> None:
    for folder in ("train", "held"):
        (tmp_path / folder).mkdir()
        for name in ("1", "1_gt"):
            Image.new("L", (4, 4)).save(tmp_path / folder / f"{name}.png")
    dataset = made(
        tmp_path,
        images={"pattern": "{split}/{name}.png"},
        labels={"pattern": "{split}/{name}_gt.png"},
        splits={"train": {"regex": "[0-9]"}, "test": {"regex": "[0-9]", "folder": "held"}},
        bands=["red"],
        scene=None,
        scenes={"weir": ["train/1"], "dam": ["held/1"]},
    )
    assert dataset.problems(tmp_path) == []
    assert [ref.scene for ref in dataset.images(tmp_path, "test")] == ["dam"]


def test_image_in_no_scene_and_scene_without_its_image_are_problems(root: Path) -> None:
    scenes = {"weir": ["a_1", "b_1"], "dam": ["a_2", "b_3"]}
    problems = made(root, scene=None, scenes=scenes).problems(root)
    assert [(problem.kind, problem.text) for problem in problems] == [
        ("names", "image 'b_2' is in none of the card's scenes"),
        ("missing", "the card's scene 'dam' has the image 'b_3', and no split has it"),
    ]


def test_files_of_an_image_are_named_relative_to_the_root(root: Path) -> None:
    ref = made(root).images(root, "train")[0]
    assert ref.files == ("images/a_2.png", "../masks/a_2.png")


def test_image_and_label_come_back_as_stored(root: Path) -> None:
    dataset = made(root)
    image, label = dataset.read(root, dataset.images(root, "train")[0])
    assert image.shape == (12, 16, 3)
    assert image.dtype == np.uint8
    assert np.unique(image).tolist() == [10]
    assert label is not None
    assert label.shape == (12, 16)
    assert label.dtype == np.uint8
    assert np.unique(label).tolist() == [1]


def test_names_may_reach_into_sub_folders(root: Path) -> None:
    for folder in (root / "images", root.parent / "masks"):
        (folder / "c").mkdir()
        Image.fromarray(np.zeros((12, 16), np.uint8)).save(folder / "c/9.png")
    splits = {**CARD["splits"], "test": {"glob": "c/*"}}
    dataset = made(root, splits=splits, scene=None, bands=["red"])
    assert names(dataset, root, "test") == ["c/9"]
    assert dataset.read(root, dataset.images(root, "test")[0])[0].shape == (12, 16, 1)
    splits["test"] = {"regex": "c/.*"}
    assert names(made(root, splits=splits, scene=None), root, "test") == ["c/9"]


def test_split_may_be_a_folder_above_images_and_labels(tmp_path: Path) -> None:
    for folder in ("train/rgb", "train/gt", "held/rgb", "held/gt"):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / folder / "1.png")
    dataset = made(
        tmp_path,
        images={"pattern": "{split}/rgb/{name}.png"},
        labels={"pattern": "{split}/gt/{name}.png"},
        splits={"train": {"glob": "*"}, "test": {"glob": "*", "folder": "held"}},
        bands=["red"],
        scene=None,
    )
    assert names(dataset, tmp_path, "train") == ["train/1"]
    assert dataset.images(tmp_path, "test")[0].files == ("held/rgb/1.png", "held/gt/1.png")


def test_files_of_one_image_are_joined_in_the_order_of_the_card(root: Path) -> None:
    thermal = np.arange(12 * 16, dtype=np.uint16).reshape(12, 16)
    tifffile.imwrite(root / "images/a_1_t.tif", thermal)
    tifffile.imwrite(root / "images/a_2_t.tif", thermal)
    (root / "images/b_1.png").rename(root / "images/x.png")
    dataset = made(
        root,
        bands=["thermal", "blue"],
        images=[
            {"pattern": "images/{name}_t.tif"},
            {"pattern": "images/{name}.png", "channels": [2]},
        ],
        splits={"train": {"glob": "a_2"}, "test": {"glob": "a_1"}},
    )
    image, _ = dataset.read(root, dataset.images(root, "train")[0])
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image[:, :, 0], thermal)
    assert (image[:, :, 1] == 10).all()


def test_values_are_mapped_to_classes(root: Path) -> None:
    save_label(root, "a_1", [[0, 255, 7] * 5 + [0]] * 12)
    labels = {**CARD["labels"], "values": {0: "background", 255: "tree"}, "ignore": [7]}
    dataset = made(root, labels=labels)
    _, label = dataset.read(root, dataset.images(root, "train")[1])
    assert label is not None
    assert label[0, :3].tolist() == [0, 1, 255]


def test_softened_mask_is_cut(root: Path) -> None:
    save_label(root, "a_1", [[0, 127, 128, 237, 3] * 3 + [0]] * 12)
    dataset = made(root, labels={**CARD["labels"], "above": 127, "ignore": [3]})
    _, label = dataset.read(root, dataset.images(root, "train")[1])
    assert label is not None
    assert label[0, :5].tolist() == [0, 0, 1, 1, 255]


def test_colours_are_mapped_to_classes(root: Path) -> None:
    picture = np.zeros((12, 16, 3), dtype=np.uint8)
    picture[0, 0], picture[0, 1] = (0, 255, 0), (255, 255, 255)
    Image.fromarray(picture).save(root / "../masks/a_1.png")
    colours = {"#000000": "background", "#00FF00": "tree"}
    dataset = made(root, labels={**CARD["labels"], "colours": colours, "ignore": ["#ffffff"]})
    _, label = dataset.read(root, dataset.images(root, "train")[1])
    assert label is not None
    assert label[0, :3].tolist() == [1, 255, 0]


def test_without_a_table_255_is_ignored_like_what_is_listed(root: Path) -> None:
    save_label(root, "a_1", [[0, 1, 9, 255] * 4] * 12)
    dataset = made(root, labels={**CARD["labels"], "ignore": [9]})
    _, label = dataset.read(root, dataset.images(root, "train")[1])
    assert label is not None
    assert label[0, :4].tolist() == [0, 1, 255, 255]


def test_label_value_that_is_no_class_is_named_with_its_place(root: Path) -> None:
    values = np.zeros((12, 16))
    values[3, 5:7] = 153
    save_label(root, "a_1", values)
    wanted = r"a_1\.png holds label value\(s\) 153 on 2 pixels, first at row 3, column 5; 2 classes"
    assert re.search(wanted, refusal(made(root), root, "a_1", "label"))


def test_wrong_number_of_channels_names_the_file(root: Path) -> None:
    dataset = made(root, bands=["red", "green", "blue", "nir"])
    text = refusal(dataset, root, "a_2", "pixels")
    assert "a_2.png has 3 channel(s); the card names 4 band" in text


def test_channel_that_a_file_lacks_names_the_file(root: Path) -> None:
    dataset = made(root, images={**CARD["images"], "channels": [0, 1, 3]})
    text = refusal(dataset, root, "a_2", "pixels")
    assert "a_2.png has 3 channel(s); the card takes [0, 1, 3]" in text


def test_label_of_another_size_names_both_files(root: Path) -> None:
    save_label(root, "a_1", np.zeros((16, 12)))
    text = refusal(made(root), root, "a_1", "size")
    assert re.search(
        r"masks/a_1\.png is 16 x 12 pixels \(height x width\), and .*a_1\.png 12 x 16", text
    )


def test_files_of_two_sizes_name_both(root: Path) -> None:
    for name in ("a_1", "a_2"):
        Image.new("L", (8, 6)).save(root / f"images/{name}_t.png")
    dataset = made(
        root,
        images=[{"pattern": "images/{name}.png"}, {"pattern": "images/{name}_t.png"}],
        bands=["red", "green", "blue", "thermal"],
        splits={"train": {"list": "train.txt"}, "test": {"list": "train.txt"}},
    )
    text = refusal(dataset, root, "a_1", "size")
    assert re.search(
        r"images/a_1_t\.png is 6 x 8 pixels \(height x width\), and .*a_1\.png 12 x 16", text
    )


def test_pixels_that_are_no_numbers_name_the_file(root: Path) -> None:
    for name in ("a_1", "a_2"):
        pixels = np.full((12, 16), np.nan, dtype=np.float32)
        tifffile.imwrite(root / f"images/{name}.tif", pixels)
    splits = {"train": {"list": "train.txt"}, "test": {"list": "train.txt"}}
    images = {"pattern": "images/{name}.tif"}
    dataset = made(root, bands=["height"], images=images, splits=splits)
    text = refusal(dataset, root, "a_1", "pixels")
    assert "a_1.tif holds pixels that are NaN or infinite" in text


@pytest.mark.parametrize("place", ["images", "../masks"])
def test_damaged_file_is_named(root: Path, place: str) -> None:
    path = root / place / "a_2.png"
    path.write_bytes(path.read_bytes()[:-20])
    assert "a_2.png" in refusal(made(root), root, "a_2", "unreadable")


def test_name_listed_twice_is_a_problem(root: Path) -> None:
    (root / "train.txt").write_text("a_1\na_2\na_1\n")
    problem = only_problem(made(root), root)
    assert problem.kind == "names"
    assert problem.text.endswith("train.txt lists 'a_1' 2 times")


def test_image_in_two_splits_is_a_problem(root: Path) -> None:
    (root / "train.txt").write_text("a_1\nb_2\n")
    problem = only_problem(made(root), root)
    assert problem == Problem("names", "image 'b_2' is in both 'train' and 'test'")


def test_image_that_is_listed_and_absent_is_missing_only(root: Path) -> None:
    (root / "images/a_1.png").unlink()
    (root / "../masks/a_1.png").unlink()
    dataset = made(root)
    problem = only_problem(dataset, root)
    assert problem.kind == "missing"
    assert re.search(r"images/a_1\.png is not there: image 'a_1' of the train", problem.text)
    assert names(dataset, root, "train") == ["a_2"]


@pytest.mark.parametrize(("name", "split"), [("a_1", "train"), ("b_1", "test")])
def test_image_without_a_label_is_unlabelled(root: Path, name: str, split: Split) -> None:
    (root / f"../masks/{name}.png").unlink()
    dataset = made(root)
    problem = only_problem(dataset, root)
    assert problem.kind == "unlabelled"
    wanted = rf"image '{name}' of the {split} split has no label: .*masks/{name}\.png is not there"
    assert re.search(wanted, problem.text)
    assert name not in names(dataset, root, split)


def test_one_of_several_files_of_an_image_may_be_missing(root: Path) -> None:
    images = [{"pattern": "images/{name}.png"}, {"pattern": "images/{name}_t.png"}]
    dataset = made(root, images=images, bands=["red", "green", "blue", "thermal"])
    kinds = {problem.kind for problem in dataset.problems(root)}
    assert kinds == {"missing"}
    assert names(dataset, root, "train") == []


def test_all_problems_are_told_at_once(root: Path) -> None:
    (root / "train.txt").write_text("a_1\na_1\na_2\nb_2\nc_1\n")
    (root / "../masks/a_2.png").unlink()
    problems = made(root, scene="^(a|b)", counts={"train": 4}).problems(root)
    assert sorted(problem.kind for problem in problems) == [
        "count",
        "missing",
        "names",
        "names",
        "names",
        "unlabelled",
    ]


def test_numbers_of_images_are_compared_with_the_card(root: Path) -> None:
    assert made(root, counts={"train": 2, "test": 2}).problems(root) == []
    problem = only_problem(made(root, counts={"train": 2, "test": 1200}), root)
    assert problem == Problem("count", "the test split has 2 images; the card says 1,200")


def test_more_images_than_the_card_says_are_no_part_of_the_dataset(root: Path) -> None:
    problem = only_problem(made(root, counts={"train": 1}), root)
    assert problem == Problem("names", "2 images in the train split, more than the card's 1")


def test_table_that_is_named_as_the_list_is_a_problem(root: Path) -> None:
    line = "a_1,a_2," * 100
    (root / "train.txt").write_text(f"a_1\n{line}\n")
    dataset = made(root)
    problem = only_problem(dataset, root)
    assert problem == Problem(
        "names",
        f"image '{line[:60]}...' of the train split cannot be looked for: File name too long; "
        "a list holds one name a line",
    )
    assert names(dataset, root, "train") == ["a_1"]


def test_image_that_cannot_be_looked_for_is_unreadable(root: Path) -> None:
    (root / "images/a_1.png").unlink()
    (root / "images/a_1.png").symlink_to("a_1.png")
    problem = only_problem(made(root), root)
    assert problem.kind == "unreadable"
    assert "image 'a_1' of the train split cannot be looked for: Too many levels" in problem.text


def test_list_that_is_no_text_is_named(root: Path) -> None:
    (root / "train.txt").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(DataError, match=r"train\.txt cannot be read as text") as caught:
        made(root).problems(root)
    assert caught.value.kind == "unreadable"


def test_missing_root_says_how_to_name_it(root: Path) -> None:
    dataset = made(root)
    for asked in (dataset.layout, dataset.problems, lambda place: dataset.images(place, "train")):
        with pytest.raises(
            DatasetNotFoundError, match=r"/absent; put it there, or name its folder"
        ):
            asked(root / "absent")


def test_missing_list_says_how_to_name_the_root(root: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"train\.txt is not there; .*folder:trees=DIR"):
        made(root).problems(root / "images")


def test_empty_list_is_refused(root: Path) -> None:
    (root / "train.txt").write_text("\n")
    with pytest.raises(DatasetNotFoundError, match=r"'train' has no image \(train\.txt\)"):
        made(root).problems(root)


def test_root_is_the_cards_folder_unless_the_card_says_otherwise(root: Path) -> None:
    assert made(root).default_root == root.parent
    assert names(made(root, root="data"), made(root, root="data").default_root, "test")


def test_identity_is_the_content_and_not_the_place_of_the_card(root: Path) -> None:
    text = yaml.safe_dump(CARD)
    identities = []
    for folder in ("here", "there"):
        file = root / folder / "card.yaml"
        file.parent.mkdir()
        file.write_text(text)
        name, _, identity = PLUGIN.configured(Params(file))
        assert name == "folder:trees"
        identities.append(json.dumps(identity))
    assert identities[0] == identities[1]
    assert str(root) not in identities[0]


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"labels": {**CARD["labels"], "ignore": [9]}}, True),
        ({"images": {"pattern": "images/{name}.png", "channels": [2, 1, 0]}}, True),
        ({"classes": ["tree", "background"]}, True),
        ({"splits": {**CARD["splits"], "test": {"glob": "b_1"}}}, True),
        ({"counts": {"train": 2}}, False),
        ({"title": "Other", "licence": "MIT", "root": "x", "gsd_m": 2.0}, False),
        ({"protocol": {"tile_px": 4, "stride_px": 4}}, False),  # a spec holds the protocol itself
    ],
)
def test_only_what_decides_pixels_is_identity(
    root: Path, changes: dict[str, Any], *, counts: bool
) -> None:
    file = root / "card.yaml"
    identities = []
    for card in (CARD, {**CARD, **changes}):
        file.write_text(yaml.safe_dump(card))
        identities.append(PLUGIN.configured(Params(file))[2])
    assert (identities[0] != identities[1]) == counts


def test_listed_scenes_are_identity(root: Path) -> None:
    file = root / "card.yaml"
    identities = []
    for place in ("weir", "dam"):
        file.write_text(yaml.safe_dump({**CARD, "scene": None, "scenes": {place: ["a_1"]}}))
        identities.append(PLUGIN.configured(Params(file))[2])
    assert identities[0] != identities[1]


def test_facts_of_the_card_become_info_and_protocol(root: Path) -> None:
    dataset = made(
        root,
        title="Trees",
        version=3,
        colours={"tree": "#00ff01", "background": "#102030"},
        protocol={"tile_px": 8, "stride_px": 4, "metric": "mF1", "excluded": ["background"]},
    )
    assert (dataset.info.title, dataset.info.version) == ("Trees", 3)
    assert dataset.info.colours == ((16, 32, 48), (0, 255, 1))
    assert (dataset.protocol.metric, dataset.protocol.excluded) == ("mF1", ("background",))
