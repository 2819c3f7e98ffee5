from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gpbench.core.dataset import Band, Protocol
from gpbench.core.errors import ConfigError
from gpbench.readers.protocol_card import ProtocolCard, read_protocol_card

GOOD: dict[str, Any] = {
    "name": "towns",
    "title": "Towns",
    "bands": ["red", "nir"],
    "classes": {"ground": "#000000", "house": "#0a141e"},
    "ignored_colours": ["#ffffff"],
    "protocol": {"tile_px": 64, "stride_px": 32, "excluded": ["ground"], "metric": "mF1"},
    "counts": {"train": [597, 606], "test": 288},
    "terms": "research only",
    "reference": "https://example.org",
    "obtain": "Put it into DIR/images.",
    "facts": [{"about": "size", "says": "small", "source": "us", "certainty": "ours"}],
}


def read(tmp_path: Path, **changes: Any) -> ProtocolCard:
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    return read_protocol_card(path)


def refused(tmp_path: Path, **changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, **changes)
    return str(caught.value)


def test_class_is_the_value_of_its_place(tmp_path: Path) -> None:
    info = read(tmp_path).info()
    assert info.classes == ("ground", "house")
    assert info.colours == ((0, 0, 0), (10, 20, 30))


def test_palette_maps_colours_to_values_and_ignored_ones_to_255(tmp_path: Path) -> None:
    assert read(tmp_path).palette == {0x000000: 0, 0x0A141E: 1, 0xFFFFFF: 255}


def test_facts_become_what_the_rest_of_gpbench_knows(tmp_path: Path) -> None:
    card = read(tmp_path, gsd_m=0.3, version=2)
    info = card.info()
    assert (info.title, info.version, info.gsd_m) == ("Towns", 2, 0.3)
    assert (info.licence, info.reference) == ("research only", "https://example.org")
    assert (info.synthetic, info.images_may_be_shown) == (False, False)
    assert card.evaluation() == Protocol("card", 1, "mF1", 64, 32, ("ground",), "drop")


def test_patches_are_counted_where_that_is_known(tmp_path: Path) -> None:
    assert read(tmp_path).patches == {}
    assert read(tmp_path, patches={"train": 33978}).patches == {"train": 33978}
    assert "patches" in refused(tmp_path, patches={"train": 0})


def test_bands_may_be_chosen(tmp_path: Path) -> None:
    card = read(tmp_path)
    assert card.info().bands == (Band("red"), Band("nir"))
    assert card.info(("nir",)).bands == (Band("nir"),)


def test_count_is_one_number_or_several(tmp_path: Path) -> None:
    assert read(tmp_path).counts == {"train": (597, 606), "test": (288,)}


@pytest.mark.parametrize("counts", [{"train": []}, {"train": 0}, {"training": 3}, {"train": 1.5}])
def test_wrong_counts_are_refused(tmp_path: Path, counts: dict[str, Any]) -> None:
    assert "counts" in refused(tmp_path, counts=counts)


def test_certainty_is_one_of_the_known(tmp_path: Path) -> None:
    fact = {**GOOD["facts"][0], "certainty": "sure"}
    assert "facts.0.certainty = 'sure' is not allowed" in refused(tmp_path, facts=[fact])


def test_card_without_facts_is_refused(tmp_path: Path) -> None:
    assert "facts" in refused(tmp_path, facts=[])


@pytest.mark.parametrize("missing", ["terms", "reference", "obtain", "counts", "protocol", "facts"])
def test_card_without_a_part_is_refused(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump({key: GOOD[key] for key in GOOD if key != missing}))
    with pytest.raises(ConfigError, match=f"'{missing}' is missing"):
        read_protocol_card(path)


def test_two_classes_of_one_colour_are_refused(tmp_path: Path) -> None:
    text = refused(tmp_path, classes={"ground": "#00000a", "house": "#00000A"})
    assert "classes: two classes have one colour" in text


def test_colour_that_is_a_class_cannot_be_ignored(tmp_path: Path) -> None:
    text = refused(tmp_path, ignored_colours=["#ffffff", "#0A141E"])
    assert "ignored_colours: ['#0A141E'] is both a class and ignored" in text


@pytest.mark.parametrize(
    ("field", "value"),
    [("classes", {"ground": "black", "house": "#ffffff"}), ("ignored_colours", ["white"])],
)
def test_colours_are_written_as_colours(tmp_path: Path, field: str, value: object) -> None:
    assert "is not a colour; write it as '#rrggbb'" in refused(tmp_path, **{field: value})


def test_excluded_class_must_exist(tmp_path: Path) -> None:
    protocol = {**GOOD["protocol"], "excluded": ["grond"]}
    text = refused(tmp_path, protocol=protocol)
    assert "protocol: 'grond' is no class. Did you mean 'ground'?" in text


def test_repeated_band_is_named(tmp_path: Path) -> None:
    assert "'red' occurs more than once" in refused(tmp_path, bands=["red", "red"])


def test_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    text = refused(tmp_path, imagepx=[[1, 2]])
    assert "unknown key 'imagepx'. Did you mean 'image_px'?" in text


def test_permission_to_show_images_is_yes_or_no(tmp_path: Path) -> None:
    assert read(tmp_path, images_may_be_shown=True).images_may_be_shown
    assert "images_may_be_shown" in refused(tmp_path, images_may_be_shown=1)
