from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gpbench.core.errors import ConfigError
from gpbench.readers.card import Card, read_card

GOOD: dict[str, Any] = {
    "name": "trees",
    "bands": ["red", "green", "blue", "nir"],
    "classes": ["background", "tree"],
    "images": {"pattern": "images/{name}.tif"},
    "labels": {"pattern": "../masks/{name}.png", "values": {0: "background", 255: "tree"}},
    "splits": {"train": {"list": "train.txt"}, "test": {"glob": "test_*"}},
    "protocol": {"tile_px": 64, "stride_px": 32},
}


def read(tmp_path: Path, **changes: Any) -> Card:
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return read_card(path)


def refused(tmp_path: Path, **changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, **changes)
    return str(caught.value)


def test_smallest_card_has_plain_defaults(tmp_path: Path) -> None:
    card = read(tmp_path)
    assert [files.pattern for files in card.images] == ["images/{name}.tif"]
    assert (card.root, card.version, card.scene, card.splits.val) == (".", 1, None, None)
    assert (card.synthetic, card.images_may_be_shown, card.licence) == (False, False, "unknown")
    assert (card.protocol.metric, card.protocol.absent) == ("mIoU", "drop")


def test_several_files_may_make_an_image(tmp_path: Path) -> None:
    files = [
        {"pattern": "rgb/{name}.png", "channels": [0, 1, 2]},
        {"pattern": "nir/{name}.tif", "channels": [0]},
    ]
    assert read(tmp_path, images=files).images[1].channels == (0,)


def test_channels_that_do_not_make_the_bands_are_refused(tmp_path: Path) -> None:
    images = {"pattern": "images/{name}.tif", "channels": [0, 1, 2]}
    assert "images: 3 channel(s) are taken for 4 band(s)" in refused(tmp_path, images=images)


@pytest.mark.parametrize(
    "pattern", ["images/x.tif", "{name}/{name}.tif", "{nam}/{name}.tif", "{split}/{split}/{name}"]
)
def test_pattern_needs_the_name_once(tmp_path: Path, pattern: str) -> None:
    assert "must hold {name} once" in refused(tmp_path, images={"pattern": pattern})


def test_absolute_paths_are_refused_because_a_card_travels(tmp_path: Path) -> None:
    assert "is absolute" in refused(tmp_path, images={"pattern": "/data/{name}.tif"})
    splits = {**GOOD["splits"], "train": {"list": "/data/train.txt"}}
    assert "is absolute" in refused(tmp_path, splits=splits)


@pytest.mark.parametrize("name", ["Trees", "a b", "-a", "", "a/b"])
def test_name_fits_a_selector_and_a_folder(tmp_path: Path, name: str) -> None:
    assert f"name = '{name}' is not allowed" in refused(tmp_path, name=name)


def test_repeated_band_or_class_is_named(tmp_path: Path) -> None:
    text = refused(tmp_path, bands=["red", "red"], classes=["tree", "tree", "background"])
    assert "bands: 'red' occurs more than once" in text
    assert "classes: 'tree' occurs more than once" in text


def test_misspelt_class_names_the_nearest(tmp_path: Path) -> None:
    labels = {**GOOD["labels"], "values": {0: "background", 255: "treee"}}
    text = refused(tmp_path, labels=labels)
    assert "'treee' is no class. Did you mean 'tree'? class 'tree' is left out" in text


def test_class_that_no_value_means_is_named(tmp_path: Path) -> None:
    labels = {**GOOD["labels"], "values": {0: "background"}}
    assert "class 'tree' is left out" in refused(tmp_path, labels=labels)


def test_two_meanings_of_label_values_exclude_each_other(tmp_path: Path) -> None:
    labels = {**GOOD["labels"], "above": 127}
    assert "labels: values and above exclude each other" in refused(tmp_path, labels=labels)


def test_value_cannot_be_a_class_and_ignored(tmp_path: Path) -> None:
    labels = {**GOOD["labels"], "ignore": [255]}
    assert "['255'] is both a class and ignored" in refused(tmp_path, labels=labels)


def test_threshold_splits_into_two_classes(tmp_path: Path) -> None:
    labels = {"pattern": "{name}.png", "above": 127}
    assert read(tmp_path, labels=labels).labels.above == 127
    text = refused(tmp_path, labels=labels, classes=["a", "b", "c"])
    assert "above splits into two classes, but there are 3" in text


def test_colours_of_labels_are_written_as_colours(tmp_path: Path) -> None:
    labels = {"pattern": "{name}.png", "colours": {"black": "background", "#00ff00": "tree"}}
    assert "'black' is not a colour" in refused(tmp_path, labels=labels)


def test_without_a_table_the_values_of_classes_cannot_be_ignored(tmp_path: Path) -> None:
    plain = {"pattern": "{name}.png"}
    for value in (0, 1):
        text = refused(tmp_path, labels={**plain, "ignore": [value, 7]})
        assert f"labels: [{value}] is both a class and ignored" in text
    assert read(tmp_path, labels={**plain, "ignore": [2]}).labels.ignore == (2,)
    assert read(tmp_path, labels={**plain, "above": 127, "ignore": [0]}).labels.ignore == (0,)


def test_ignored_values_are_numbers_and_ignored_colours_colours(tmp_path: Path) -> None:
    values = {**GOOD["labels"], "ignore": ["#000000"]}
    assert "ignore = ['#000000'] must be whole numbers" in refused(tmp_path, labels=values)
    colours = {"#ffffff": "background", "#00ff00": "tree"}
    labels = {"pattern": "{name}.png", "colours": colours, "ignore": [0]}
    assert "'0' is not a colour" in refused(tmp_path, labels=labels)


@pytest.mark.parametrize("rule", [{}, {"list": "a.txt", "glob": "*"}, {"glob": "a", "regex": "a"}])
def test_split_has_one_rule(tmp_path: Path, rule: dict[str, str]) -> None:
    text = refused(tmp_path, splits={"train": rule, "test": {"glob": "*"}})
    assert "splits.train: exactly one of list, glob, regex is needed" in text


def test_wrong_expressions_are_shown(tmp_path: Path) -> None:
    splits = {"train": {"regex": "("}, "test": {"glob": "*"}}
    assert "'(' is not a regular expression" in refused(tmp_path, splits=splits)
    assert "must hold one group" in refused(tmp_path, scene="^city")
    assert "must hold one group" in refused(tmp_path, scene="^(a)(b)")


def test_scenes_may_be_lists_of_names(tmp_path: Path) -> None:
    scenes = {"weir": ["01", "02"], "dam": ["03"]}
    assert read(tmp_path, scenes=scenes).scenes == {"weir": ("01", "02"), "dam": ("03",)}
    assert read(tmp_path).scenes is None


def test_scenes_are_found_or_listed_and_not_both(tmp_path: Path) -> None:
    text = refused(tmp_path, scene="^(.)", scenes={"weir": ["01"]})
    assert "scenes: scene finds scenes already; give one of the two" in text


def test_image_in_two_scenes_is_named(tmp_path: Path) -> None:
    text = refused(tmp_path, scenes={"weir": ["01", "02"], "dam": ["02"]})
    assert "scenes: '02' occurs more than once" in text


@pytest.mark.parametrize("scenes", [{}, {"weir": []}, {"": ["01"]}])
def test_empty_scene_is_refused(tmp_path: Path, scenes: dict[str, list[str]]) -> None:
    assert "needs a name, and names of images" in refused(tmp_path, scenes=scenes)


def test_number_in_the_place_of_a_name_is_refused(tmp_path: Path) -> None:
    """YAML reads an unquoted 07 as the number 7, and 08 as text."""
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(GOOD) + "scenes:\n  weir: [07, 08]\n")
    with pytest.raises(ConfigError, match=r"scenes\.weir\.0 = 7 is not text"):
        read_card(path)


def test_numbers_of_images_belong_to_splits(tmp_path: Path) -> None:
    assert read(tmp_path, counts={"train": 109, "test": 48}).counts == {"train": 109, "test": 48}
    assert "'train', 'val' or 'test'" in refused(tmp_path, counts={"training": 109})
    assert "counts.test" in refused(tmp_path, counts={"test": 0})


def test_stride_longer_than_a_tile_is_refused(tmp_path: Path) -> None:
    protocol = {"tile_px": 64, "stride_px": 65}
    text = refused(tmp_path, protocol=protocol)
    assert "protocol.stride_px: 65 leaves gaps between tiles of 64 px" in text


def test_excluded_class_must_exist(tmp_path: Path) -> None:
    protocol = {**GOOD["protocol"], "excluded": ["backgroud"]}
    text = refused(tmp_path, protocol=protocol)
    assert "protocol: 'backgroud' is no class. Did you mean 'background'?" in text


def test_unknown_metric_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    protocol = {**GOOD["protocol"], "metric": "IoU"}
    assert "'mIoU' or 'mF1'" in refused(tmp_path, protocol=protocol)


def test_colours_of_pictures_name_every_class(tmp_path: Path) -> None:
    text = refused(tmp_path, colours={"tree": "#00ff00"})
    assert "colours: class 'background' is left out" in text
    assert read(tmp_path, colours={"tree": "#00ff00", "background": "#000000"}).colours


def test_problems_of_all_parts_are_shown_together(tmp_path: Path) -> None:
    text = refused(
        tmp_path,
        bands=[],
        clases=["a"],
        splits={"train": {}, "test": {"globb": "*"}},
        protocol={"tile_px": "large", "stride_px": 0},
    )
    assert ": 6 problems\n" in text
    assert "unknown key 'clases'. Did you mean 'classes'?" in text
    assert "unknown key 'splits.test.globb'. Did you mean 'glob'?" in text
    assert "protocol.tile_px = 'large' is not a whole number" in text


def test_yes_and_no_of_yaml_are_no_class_names(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(GOOD).replace("- tree", "- no"))
    with pytest.raises(ConfigError, match=r"classes\.1 = False is not text"):
        read_card(path)
