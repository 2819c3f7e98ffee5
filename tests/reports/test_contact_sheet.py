from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from gpbench.core.dataset import Band, DatasetInfo, ImageRef, Protocol
from gpbench.core.errors import DataError
from gpbench.reports.contact_content import (
    ClassShare,
    ContactSheet,
    PixelCounts,
    Sample,
    Subject,
    contact_sheet,
)
from gpbench.reports.contact_figure import sheet_figure
from gpbench.reports.contact_page import page
from gpbench.reports.contact_sheet import write_contact_sheet

NASTY = "<script>alert(1)</script> & $x^2$"
INFO = DatasetInfo(
    title="Roofs",
    version=3,
    bands=tuple(map(Band, ("red", "green", "blue", "thermal"))),
    classes=("road", "roof", "tree", "clutter"),
    colours=((90, 90, 90), (200, 30, 30), (0, 160, 0), (250, 250, 0)),
    licence="for tests only",
    gsd_m=0.05,
)
PROTOCOL = Protocol("halves", 2, "mF1", 8, 4, excluded=("clutter",))
SUBJECT = Subject("roofs[bands=all]", INFO, PROTOCOL, "train", 1234)


def sample(name: str, label: object, dtype: Any = np.uint8, scene: str = "") -> Sample:
    """Return an image whose label has the given values."""
    values = np.asarray(label, dtype=np.uint8)
    image = np.arange(values.size * 4).reshape(*values.shape, 4).astype(dtype)
    return ImageRef(name, scene or name, tags=("day",)), image, values


SAMPLES = [sample("a", [[0, 0], [1, 255]], scene="north"), sample("b", [[0, 3], [0, 255]])]


def sheet(info: DatasetInfo = INFO, samples: list[Sample] = SAMPLES) -> ContactSheet:
    return contact_sheet(dataclasses.replace(SUBJECT, info=info), samples, None)


# --- what it shows ---


def test_shares_are_those_of_the_labelled_pixels() -> None:
    found = sheet()
    assert [share.percent for share in found.classes] == pytest.approx(
        [400 / 6, 100 / 6, 0, 100 / 6]
    )
    assert [share.text for share in found.classes] == ["66.7 %", "16.7 %", "absent", "16.7 %"]
    assert [share.excluded for share in found.classes] == [False, False, False, True]
    assert found.classes[1].colour == "#c81e1e"
    assert found.counted == "the 2 images shown"


def test_ignored_pixels_are_counted_among_all() -> None:
    assert sheet().ignored == 25
    assert sheet().ignored_text == "25 % of all"


def test_counts_of_the_split_take_the_place_of_those_shown() -> None:
    counts = PixelCounts("the whole train split (9 images)", np.array([1, 0, 3, 0]), ignored=4)
    found = contact_sheet(SUBJECT, SAMPLES, counts)
    assert [share.percent for share in found.classes] == [25, 0, 75, 0]
    assert (found.ignored, found.counted) == (50, "the whole train split (9 images)")


@pytest.mark.parametrize(
    ("percent", "text"), [(0, "absent"), (1e-5, "< 0.001 %"), (0.01234, "0.0123 %"), (100, "100 %")]
)
def test_share_is_written_for_a_person(percent: float, text: str) -> None:
    assert ClassShare("x", "#000000", percent, excluded=False).text == text


def test_labels_without_a_pixel_have_no_shares() -> None:
    found = sheet(samples=[sample("a", [[255]])])
    assert [share.text for share in found.classes] == ["absent"] * 4
    assert found.ignored == 100


def test_example_has_colours_other_bands_and_the_label() -> None:
    first, second = sheet().examples
    assert [picture.title for picture in first.pictures] == ["colours", "thermal", "label"]
    assert (first.name, first.facts) == ("a", "2 x 2 px, uint8, day, scene north")
    assert second.facts == "2 x 2 px, uint8, day"


def test_image_without_label_is_shown_and_said_to_have_none() -> None:
    ref, image, _ = SAMPLES[0]
    (example,) = sheet(samples=[(ref, image, None)]).examples
    assert [picture.title for picture in example.pictures] == ["colours", "thermal"]
    assert example.facts.endswith("no label")


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3), (2, 3, 5)])
def test_image_of_other_bands_than_declared_is_named(shape: tuple[int, ...]) -> None:
    wrong: Sample = (ImageRef("a", "a"), np.zeros(shape, np.uint8), None)
    with pytest.raises(DataError, match=r"^image 'a' is an array .*, 4\) .* blue, thermal$"):
        sheet(samples=[wrong])


def test_facts_say_what_and_how_much_is_shown() -> None:
    assert dict(sheet().facts) == {
        "dataset": "roofs[bands=all], version 3",
        "bands": "red, green, blue, thermal",
        "images": "2 of 1,234 in the train split",
        "protocol": "halves/2: mF1, tiles of 8 px every 4 px",
        "metres per pixel": "0.05",
    }


def test_stretching_and_synthetic_images_are_remarked() -> None:
    assert sheet().remarks == ()
    deep = sheet(samples=[sample("a", [[0]], np.uint16)]).remarks
    assert [remark.split()[0] for remark in deep] == ["Bands"]
    made = sheet(dataclasses.replace(INFO, synthetic=True)).remarks
    assert made == ("Synthetic: made by a program.",)


def test_images_are_let_go_before_the_next_is_read() -> None:
    def reading() -> Iterator[Sample]:
        before: list[weakref.ref[NDArray[Any]]] = []
        for name in "abc":
            ref, image, label = sample(name, [[0, 1], [1, 0]])
            assert [each() for each in before] == [None] * len(before)
            assert label is not None
            before += [weakref.ref(image), weakref.ref(label)]
            yield ref, image, label
            del image, label

    assert len(contact_sheet(SUBJECT, reading(), None).examples) == 3


# --- the page ---


def nasty() -> ContactSheet:
    info = dataclasses.replace(INFO, title=NASTY, licence=NASTY, classes=(NASTY, "b", "c", "d"))
    return sheet(info, [sample(NASTY, [[0]])])


def test_page_escapes_every_name() -> None:
    html = page(nasty())
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5


def test_page_needs_no_other_file() -> None:
    html = page(sheet())
    assert re.findall(r"(?:src|href)=\"(?!data:)([^\"]+)", html) == []
    assert len(re.findall(r"<img src=\"data:image/jpeg;base64,", html)) == 6


def test_page_has_legend_pictures_and_terms() -> None:
    html = page(sheet())
    for text in ("#c81e1e", "66.7 %", "absent", "excluded by the protocol", "for tests only"):
        assert text in html
    assert 'alt="thermal of a"' in html


def test_page_is_readable_in_the_dark_and_on_a_telephone() -> None:
    html = page(sheet())
    assert "prefers-color-scheme: dark" in html
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html


# --- the picture ---


def texts(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.texts]


def test_figure_shows_every_picture_and_class() -> None:
    figure = sheet_figure(sheet())
    found = texts(figure)
    assert {"Roofs", "roof", "clutter (excluded)", "ignored", "16.7 %", "absent", "a", "b"} <= {
        *found
    }
    assert sum("thermal" in text for text in found) == 3  # the bands, and two pictures
    assert len(figure.axes) == 2 * 3 + 1
    assert "Terms of the images: for tests only" in found


def test_everything_lies_on_the_paper_and_pictures_do_not_overlap() -> None:
    many = [sample(f"image {i}", np.zeros((20 + 90 * (i % 2), 40))) for i in range(5)]
    figure = sheet_figure(sheet(samples=many))
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert all(0 < each.get_position()[1] < 1 for each in figure.texts)
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])


def test_dollars_in_names_are_no_formulas(tmp_path: Path) -> None:
    figure = sheet_figure(nasty())
    assert not any(each.get_parse_math() for each in figure.texts)
    figure.savefig(tmp_path / "x.png")


def test_global_state_of_matplotlib_is_not_touched() -> None:
    code = "import sys, gpbench.reports.contact_sheet as c; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    used = (
        "import sys; from tests.reports.test_contact_sheet import sheet, sheet_figure;"
        "sheet_figure(sheet()); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", used], check=True)


# --- files ---


def test_two_files_are_written_and_others_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "index.html").write_text("old")
    path = write_contact_sheet(tmp_path, SUBJECT, SAMPLES)
    assert path == tmp_path / "index.html"
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "contact-sheet.png", "index.html", "mine.txt",
    ]  # fmt: skip
    assert path.read_text().startswith("<!doctype html>")
    with Image.open(tmp_path / "contact-sheet.png") as picture:
        assert picture.size[0] > 1000
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50


def test_names_in_any_script_are_no_warning(tmp_path: Path) -> None:
    path = write_contact_sheet(tmp_path, SUBJECT, [sample("\u6771\u4eac", [[0]])])
    assert "\u6771\u4eac" in path.read_text()


def test_name_that_is_no_text_does_not_keep_the_page_from_being_written(tmp_path: Path) -> None:
    path = write_contact_sheet(tmp_path, SUBJECT, [sample("a\udcff", [[0]])])
    assert "a?" in path.read_text()


def test_error_while_reading_leaves_the_old_files(tmp_path: Path) -> None:
    def broken() -> Iterator[Sample]:
        yield SAMPLES[0]
        raise OSError("gone")

    write_contact_sheet(tmp_path, SUBJECT, SAMPLES)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    with pytest.raises(OSError, match="gone"):
        write_contact_sheet(tmp_path, SUBJECT, broken())
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
