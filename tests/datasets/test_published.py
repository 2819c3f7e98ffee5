"""What published datasets share; and every card says what its plugin is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpbench import registry
from gpbench.api import (
    IGNORE_INDEX,
    DataError,
    Dataset,
    DatasetNotFoundError,
    HasFacts,
    Image,
    ImageRef,
    InspectedDataset,
    Label,
    ParametrisedDataset,
    Problem,
    Split,
)
from gpbench.readers.label import mapped
from gpbench.readers.protocol_card import ProtocolCard
from gpbench_datasets._published import (
    CARDS,
    Listing,
    Published,
    any_file,
    by_name,
    files_below,
    published_card,
    unpaired,
)

NAMES = sorted(path.stem for path in CARDS.glob("*.yaml"))
CARD: dict[str, Any] = {
    "name": "towns",
    "title": "Towns",
    "bands": ["red", "nir"],
    "classes": {"ground": "#000000", "house": "#ff0000"},
    "protocol": {"tile_px": 8, "stride_px": 8},
    "counts": {"train": [2, 3], "test": 1},
    "image_px": [[4, 6]],
    "terms": "none",
    "reference": "https://example.org",
    "obtain": "Get it and put it into DIR/images.\n",
    "facts": [{"about": "a", "says": "b", "source": "c", "certainty": "ours"}],
}


def ref(name: str, folder: str = "images") -> ImageRef:
    return ImageRef(name, name, (f"{folder}/{name}.png", f"labels/{name}.png"))


@dataclass
class Held:
    """A layout of arrays; its folder is the mark by which it is recognised."""

    name: str
    folder: str = "images"
    found: dict[Split, Sequence[ImageRef]] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    image: Image = field(default_factory=lambda: np.zeros((4, 6, 2), np.uint8))
    label: Label = field(default_factory=lambda: np.zeros((4, 6), np.uint8))

    def is_at(self, root: Path) -> bool:
        return (root / self.folder).is_dir()

    def listing(self, _root: Path) -> Listing:
        return Listing({split: list(refs) for split, refs in self.found.items()}, [*self.problems])

    def read(self, _root: Path, _ref: ImageRef) -> tuple[Image, Label]:
        return self.image, self.label


def dataset(*layouts: Held, **changes: Any) -> Published:
    return Published(ProtocolCard.model_validate({**CARD, **changes}), layouts)


def whole(**changes: Any) -> Held:
    """Return a layout with as many images as the card says."""
    found: dict[Split, Sequence[ImageRef]] = {"train": [ref("a"), ref("b")], "test": [ref("c")]}
    return Held(**{"name": "whole", "found": found, **changes})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    return tmp_path


# --- the base ---


def test_first_layout_that_recognises_the_folder_is_taken(root: Path) -> None:
    layouts = Held("other", "elsewhere"), Held("first"), Held("second")
    assert dataset(*layouts).layout(root) == "first"


def test_folder_that_no_layout_recognises_says_how_to_get_the_data(root: Path) -> None:
    with pytest.raises(
        DatasetNotFoundError, match=rf"no data for 'towns' at {root}; Get it and .* DIR/images\.$"
    ):
        dataset(Held("other", "elsewhere")).layout(root)


def test_zips_are_named_with_commands_that_unpack_them(root: Path) -> None:
    (root / "a folder").mkdir()
    (root / "a folder/x.zip").touch()
    with pytest.raises(DatasetNotFoundError, match="zip") as caught:
        dataset(Held("other", "elsewhere")).layout(root)
    assert str(caught.value).endswith(
        f"does not unpack; run: unzip -n '{root}/a folder/x.zip' -d '{root}/a folder'"
    )


@dataclass
class Unserved(Held):
    """A layout whose files do not serve what was chosen."""

    def listing(self, root: Path) -> Listing:
        raise DatasetNotFoundError("towns[bands=nir]", root, "no tile has labels")


def test_zips_are_named_where_what_is_unpacked_does_not_serve(root: Path) -> None:
    made = dataset(Unserved("official"))
    for ask in (made.problems, lambda place: made.images(place, "train")):
        with pytest.raises(DatasetNotFoundError, match=r"; no tile has labels$"):
            ask(root)
    (root / "labels.zip").touch()
    for ask in (made.problems, lambda place: made.images(place, "train")):
        with pytest.raises(
            DatasetNotFoundError,
            match=rf"'towns\[bands=nir\]' at .*; no tile has labels; there are zip files.* run: "
            rf"unzip -n {root}/labels\.zip -d {root}$",
        ):
            ask(root)


def test_of_many_zips_three_are_named(root: Path) -> None:
    for i in range(4):
        (root / f"{i}.zip").touch()
    with pytest.raises(DatasetNotFoundError) as caught:
        dataset().layout(root)
    assert str(caught.value).count("unzip") == 3
    assert str(caught.value).endswith("(and the others)")


def test_complete_dataset_has_no_problem(root: Path) -> None:
    assert dataset(whole()).problems(root) == []
    assert [each.name for each in dataset(whole()).images(root, "train")] == ["a", "b"]
    assert list(dataset(whole()).images(root, "val")) == []


@pytest.mark.parametrize(("images", "wrong"), [(1, True), (2, False), (3, False)])
def test_number_of_images_is_one_of_those_that_sources_say(
    root: Path, images: int, *, wrong: bool
) -> None:
    train = [ref(str(i)) for i in range(images)]
    problems = dataset(whole(found={"train": train, "test": [ref("c")]})).problems(root)
    text = f"the train split has {images} images; the card says 2 or 3"
    assert problems == ([Problem("count", text)] if wrong else [])


def test_more_images_than_any_source_says_are_no_part_of_the_dataset(root: Path) -> None:
    (root / "part2.zip").touch()
    train = [ref(str(i)) for i in range(4)]
    (problem,) = dataset(whole(found={"train": train, "test": [ref("c")]})).problems(root)
    assert problem == Problem("names", "4 images in the train split, more than the card's 2 or 3")


def test_split_without_images_is_counted(root: Path) -> None:
    (problem,) = dataset(whole(found={"train": [ref("a"), ref("b")]})).problems(root)
    assert problem == Problem("count", "the test split has 0 images; the card says 1")


def test_zips_beside_an_incomplete_dataset_are_named(root: Path) -> None:
    (root / "part2.zip").touch()
    assert dataset(whole()).problems(root) == []
    count, zips = dataset(whole(found={"train": [ref("a"), ref("b")]})).problems(root)
    assert (count.kind, zips.kind) == ("count", "missing")
    assert re.search(r"1 zip file\(s\) .* all unpacked\? run: unzip -n .*part2\.zip", zips.text)


def test_name_in_two_splits_is_named_with_both_files(root: Path) -> None:
    found = {"train": [ref("a"), ref("b")], "test": [ref("a", "held")]}
    (problem,) = dataset(whole(found=found)).problems(root)
    text = "image 'a' is there 2 times: in train (images/a.png) and test (held/a.png)"
    assert problem == Problem("names", text)


def test_problems_of_the_layout_come_first(root: Path) -> None:
    own = Problem("unlabelled", "x has no label")
    found = {"train": [ref("a"), ref("b")]}
    assert dataset(whole(problems=[own], found=found)).problems(root)[0] == own


def test_image_of_another_size_than_its_label_names_both(root: Path) -> None:
    layout = whole(label=np.zeros((6, 4), np.uint8))
    with pytest.raises(
        DataError, match=r"'a' differ in size: 4 x 6 and 6 x 4 .*images/a\.png and .*labels/a\.png"
    ) as caught:
        dataset(layout).read(root, ref("a"))
    assert caught.value.kind == "size"


def test_size_that_the_card_does_not_know_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"'a' is 4 x 6 .*, not 6 x 6 or 4 x 5: ") as caught:
        dataset(whole(), image_px=[[6, 6], [4, 5]]).read(root, ref("a"))
    assert caught.value.kind == "size"
    image, label = dataset(whole(), image_px=[]).read(root, ref("a"))
    assert (image.shape, label.shape) == ((4, 6, 2), (4, 6))


def test_image_with_other_channels_than_the_bands_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"images/a\.png has 2 channel\(s\), not 1: red") as caught:
        dataset(whole(), bands=["red"]).read(root, ref("a"))
    assert caught.value.kind == "pixels"


def test_bands_may_be_fewer_than_the_cards(root: Path) -> None:
    card = ProtocolCard.model_validate(CARD)
    published = Published(card, [whole(image=np.zeros((4, 6, 1), np.uint8))], ("nir",))
    assert [band.name for band in published.info.bands] == ["nir"]
    assert published.read(root, ref("a"))[0].shape == (4, 6, 1)


# --- finding files ---


def test_files_are_found_at_any_depth_through_links_and_sorted(tmp_path: Path) -> None:
    (tmp_path / "data/b/c").mkdir(parents=True)
    (tmp_path / "away").mkdir()
    for file in ("data/z.png", "data/b/c/y.png", "data/b/x.txt", "data/b/._y.png", "away/w.png"):
        (tmp_path / file).touch()
    (tmp_path / "data/a").symlink_to(tmp_path / "away")
    assert files_below(tmp_path, "data/**/*.png") == [
        "data/a/w.png",
        "data/b/c/y.png",
        "data/z.png",
    ]
    assert any_file(tmp_path, "data/**/*.png")
    assert not any_file(tmp_path, "data/*.txt")
    assert not any_file(tmp_path / "absent", "**/*")


def test_links_to_folders_above_them_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "data/b").mkdir(parents=True)
    (tmp_path / "data/b/x.png").touch()
    (tmp_path / "data/self").symlink_to(".")
    (tmp_path / "data/b/up").symlink_to("..")
    (tmp_path / "data/b/loop").symlink_to("loop")
    assert files_below(tmp_path, "data/**/*.png") == ["data/b/x.png"]
    assert not any_file(tmp_path, "**/*.zip")


def test_files_are_known_by_the_name_in_theirs(tmp_path: Path) -> None:
    files = ["x/1_rgb.png", "x/2_rgb.png", "y/1_rgb.png", "x/three.png"]
    found, problems = by_name(tmp_path, files, re.compile(r"(?P<name>\d+)_rgb\.png"), "1_rgb.png")
    assert found == {"1": "x/1_rgb.png", "2": "x/2_rgb.png"}
    assert problems == [
        Problem("names", f"{tmp_path}/x/1_rgb.png and {tmp_path}/y/1_rgb.png have one name"),
        Problem("names", f"{tmp_path}/x/three.png is not named like 1_rgb.png"),
    ]


def test_images_and_labels_are_paired_by_name(tmp_path: Path) -> None:
    images, labels = {"a": "i/a", "b": "i/b"}, {"b": "l/b", "c": "l/c"}
    assert [(problem.kind, problem.text) for problem in unpaired(tmp_path, images, labels)] == [
        ("unlabelled", f"{tmp_path}/i/a has no label"),
        ("missing", f"{tmp_path}/l/c is the label of an image that is missing"),
    ]


# --- every card and its plugin ---


def default_dataset(name: str) -> Dataset:
    plugin = registry.load("datasets", name)
    if isinstance(plugin, ParametrisedDataset):
        named, made, _ = plugin.configured(plugin.params())
        assert named == name
        return made
    return plugin


def test_there_are_cards() -> None:
    assert {"isaid", "loveda"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_plugin_is_what_its_card_says(name: str) -> None:
    card, made = published_card(name), default_dataset(name)
    assert card.name == name
    assert made.info == card.info()
    assert made.protocol == card.evaluation()
    assert isinstance(made, InspectedDataset)
    assert isinstance(made, HasFacts)
    assert [fact.says for fact in made.facts] == [fact.says for fact in card.facts]


@pytest.mark.parametrize("name", NAMES)
def test_card_says_what_a_reader_needs(name: str) -> None:
    card = published_card(name)
    assert {"train", "test"} <= set(card.counts)
    assert set(card.protocol.excluded) < set(card.classes)
    folders = [word for word in card.obtain.split() if "/" in word and "://" not in word]
    assert folders, "obtain says what to put where"
    assert card.terms
    assert card.reference.startswith("https://")
    assert not card.images_may_be_shown
    for fact in card.facts:
        assert fact.about
        assert fact.says
        assert fact.source
    said = [fact.about for fact in card.facts]
    assert len(set(said)) == len(said)
    assert "terms" in said


@pytest.mark.parametrize("name", NAMES)
def test_ids_go_to_colours_and_back(name: str) -> None:
    made, card = default_dataset(name), published_card(name)
    ids = np.arange(len(card.classes))
    colours = np.array(made.info.colours)[ids]
    codes = colours[:, 0] << 16 | colours[:, 1] << 8 | colours[:, 2]
    assert mapped(codes[None], card.palette, name)[0].tolist() == ids.tolist()
    ignored = [code for code, value in card.palette.items() if value == IGNORE_INDEX]
    assert len(card.palette) == len(ids) + len(ignored)


@pytest.mark.parametrize("name", NAMES)
def test_empty_folder_says_how_to_get_the_data(name: str, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DatasetNotFoundError, match=rf"no data for '{name}' at ") as caught:
            default_dataset(name).images(place, "train")
        assert str(caught.value).endswith(published_card(name).obtain.strip())
