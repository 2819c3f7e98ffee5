"""`gpbench datasets`: show, prepare, check and preview, on small devkits written here."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpbench.cli.named_dataset import named_dataset, reading_jobs
from gpbench.core.errors import DataError
from gpbench.data.tile_store import TileStore
from gpbench_datasets.isaid import PLUGIN as ISAID
from tests.cli.conftest import Command, Said

JSON_PAGE = Path(__file__).parents[2] / "docs" / "json.md"
KINDS = ["missing", "count", "names", "unlabelled", "unreadable", "size", "pixels", "label"]
SHIP, NO_CLASS = (0, 0, 63), (1, 2, 3)


def image(root: Path, split: str, name: str, *colours: tuple[int, int, int]) -> Path:
    """Write one image of iSAID's devkit; its label has a column of each colour."""
    folder = root / split / "images"
    folder.mkdir(parents=True, exist_ok=True)
    label = np.array([colours or [(0, 0, 0), SHIP]] * 2, dtype=np.uint8)
    Image.fromarray(label + 9).save(folder / f"{name}.png")
    Image.fromarray(label).save(folder / f"{name}_instance_color_RGB.png")
    return folder / f"{name}.png"


@pytest.fixture
def isaid(tmp_path: Path) -> Path:
    """Return a part of iSAID: three training images and one of the official val."""
    for name in ("P0000", "P0001", "P0002"):
        image(tmp_path / "isaid", "train", name)
    image(tmp_path / "isaid", "val", "P0003", (0, 0, 0), (0, 0, 0))
    return tmp_path / "isaid"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def prepared(gpbench: Command, work: Path, *arguments: str | Path) -> Said:
    where = ("--workdir", work, "--format", "json")
    return gpbench("datasets", "prepare", *arguments, "-j", "1", *where)


def section(title: str) -> str:
    """Return one section of the page on JSON documents."""
    _, _, rest = JSON_PAGE.read_text().partition(f"## `{title}`")
    return rest.partition("\n## ")[0]


# --- prepare ---


def test_prepared_images_are_stored_once(gpbench: Command, isaid: Path, work: Path) -> None:
    first = prepared(gpbench, work, "isaid", "--root", isaid, "--allow-partial").document
    assert first["images"] == {"train": 3, "val": 0, "test": 1}
    assert first["was_there"] is False
    store = TileStore.open(Path(first["store"]))
    assert Path(first["store"]).parent == work / "data"
    assert store.class_pixels("train").sum(axis=0)[:2].tolist() == [6, 6]
    assert first["bytes"] == sum(each.stat().st_size for each in store.folder.iterdir())
    second = prepared(gpbench, work, "isaid", "--root", isaid, "--allow-partial").document
    assert second["was_there"] is True
    assert {**second, "was_there": False, "seconds": 0} == {**first, "seconds": 0}


def test_table_says_where_and_how_much(gpbench: Command, isaid: Path, work: Path) -> None:
    command = ("datasets", "prepare", "isaid", "--root", isaid, "--allow-partial")
    said = gpbench(*command, "--workdir", work)
    assert "3 train, 1 test" in said.out
    assert "was there, verified" not in said.out
    assert "was there, verified" in gpbench(*command, "--workdir", work).out


def test_damaged_store_is_named(gpbench: Command, isaid: Path, work: Path) -> None:
    arguments = ("isaid", "--root", isaid, "--allow-partial")
    store = Path(prepared(gpbench, work, *arguments).document["store"])
    content = bytearray((store / "labels.bin").read_bytes())
    content[3] ^= 1
    (store / "labels.bin").write_bytes(content)
    said = prepared(gpbench, work, *arguments)
    assert (said.code, said.out) == (2, "")
    assert f"the tile store {store} is damaged" in said.err


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_written(
    gpbench: Command, isaid: Path, work: Path
) -> None:
    image(isaid, "train", "P0001", SHIP, NO_CLASS)
    image(isaid, "val", "P0002")
    (isaid / "train/images/P0000_instance_color_RGB.png").unlink()
    said = prepared(gpbench, work, "isaid", "--root", isaid)
    assert (said.code, said.out) == (2, "")
    for text in (
        "gpbench: isaid: ",
        "the train split has 2 images; the card says 1,411",
        "P0000.png has no label",
        "image 'P0002' is there 2 times",
        "#010203 on 2 pixels, first at row 0, column 1",
        "--allow-partial",
    ):
        assert text in said.err
    assert not (work / "data").exists()


def test_allow_partial_is_not_offered_where_it_was_given(
    gpbench: Command, isaid: Path, work: Path
) -> None:
    image(isaid, "train", "P0001", NO_CLASS)
    image(isaid, "train", "P0003")  # also the only image of the test split
    (isaid / "val/images/P0003_instance_color_RGB.png").unlink()
    said = prepared(gpbench, work, "isaid", "--root", isaid, "--allow-partial")
    assert said.code == 2
    for text in ("#010203", "P0003.png has no label"):
        assert text in said.err
    assert "the card says" not in said.err
    assert "--allow-partial" not in said.err


def test_interrupted_prepare_continues(
    gpbench: Command, isaid: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    whole = ISAID.read

    def interrupted(root: Path, ref: Any) -> Any:
        read.append(ref.name)
        if len(read) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return whole(root, ref)

    monkeypatch.setattr(ISAID, "read", interrupted)
    arguments = ("isaid", "--root", isaid, "--allow-partial")
    said = prepared(gpbench, work, *arguments)
    assert (said.code, said.out) == (130, "")
    assert f"Continue with: gpbench datasets prepare isaid --root {isaid}" in said.err
    assert "Abort" not in said.err
    assert prepared(gpbench, work, *arguments).document["images"]["train"] == 3
    assert read == ["P0000", "P0001", "P0002", "P0002", "P0003"]


def test_run_that_is_interrupted_while_it_prepares_says_how_to_continue(
    gpbench: Command, isaid: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_root: Path, _ref: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ISAID, "read", interrupted)
    command = (
        *("run", "-s", "scratch", "-d", "isaid", "-b", "test_convnext3", "--recipe", "demo"),
        *("--data-root", f"isaid={isaid}", "--allow-partial", "--force", "-y"),
        *("--workdir", str(work)),
    )
    said = gpbench(*command)
    assert (said.code, said.out) == (130, "")
    assert said.err.endswith(f"Continue with: gpbench {' '.join(command)}\n")


@pytest.mark.slow
def test_run_finds_what_was_prepared(gpbench: Command, work: Path) -> None:
    store = Path(prepared(gpbench, work, "demo-mfnet").document["store"])
    said = gpbench(
        *("run", "-s", "scratch", "-d", "demo-mfnet", "-b", "test_convnext3", "--recipe", "demo"),
        *("--set", "finetune.steps=1", "--set", "finetune.optim.warmup_steps=0", "--seeds", "1"),
        *("--pretrain-seeds", "1", "-y", "--workdir", work, "--executor", "inline"),
    )
    assert said.code == 0, said.err
    assert [each for each in (work / "data").iterdir() if each.is_dir()] == [store]


def test_finished_store_is_verified_where_nothing_can_be_written(
    gpbench: Command, work: Path
) -> None:
    assert prepared(gpbench, work, "demo-mfnet").code == 0
    os.utime(work, (1, 1))
    assert prepared(gpbench, work, "demo-mfnet").document["was_there"] is True
    assert work.stat().st_mtime == 1


# --- where the files are ---


def test_root_is_found_as_run_finds_it(
    gpbench: Command, isaid: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GPBENCH_DATA", str(tmp_path))
    said = gpbench("datasets", "check", "isaid", "--allow-partial", "--format", "json")
    assert said.code == 0
    assert f"in {isaid}; images: 3 train, 1 test" in said.document["checks"][0]["detail"]
    other = gpbench("datasets", "check", "isaid", "--root", tmp_path / "no", "--format", "json")
    assert f"no data for 'isaid' at {tmp_path / 'no'}" in other.document["checks"][0]["detail"]


def test_chosen_parameters_do_not_change_where_files_are_looked_for(
    gpbench: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GPBENCH_DATA", str(tmp_path))
    said = gpbench("datasets", "check", "potsdam[bands=rgb]", "--format", "json")
    assert f"at {tmp_path / 'potsdam'};" in said.document["checks"][0]["detail"]


def test_unknown_place_is_said_with_this_command_s_flag(gpbench: Command) -> None:
    for command in ("prepare", "preview"):
        said = gpbench("datasets", command, "isaid")
        assert said.code == 2
        assert "no folder is known for 'isaid'" in said.err
        assert "$GPBENCH_DATA/isaid, or name its folder: --root DIR. Get the images" in said.err
        assert "--data-root" not in said.err


# --- check ---


def checks(said: Said) -> dict[str, tuple[bool, str]]:
    document = said.document
    assert document["schema"] == "gpbench.check/1"
    return {row["name"]: (row["ok"], row["detail"]) for row in document["checks"]}


def test_check_has_a_row_for_the_layout_and_each_kind(gpbench: Command) -> None:
    said = gpbench("datasets", "check", "demo-isaid", "-j", "1", "--format", "json")
    assert said.code == 0
    assert said.document["ok"] is True
    assert list(checks(said)) == ["layout", *KINDS]
    assert checks(said)["label"] == (True, "labels hold declared classes only")


def test_check_says_all_that_is_wrong_by_kind(
    gpbench: Command, isaid: Path, tmp_path: Path
) -> None:
    image(isaid, "train", "P0001", NO_CLASS)
    image(isaid, "val", "P0007").write_bytes(b"\x89PNG\r\n\x1a\n")
    said = gpbench("datasets", "check", "isaid", "--root", isaid, "--format", "json")
    found = checks(said)
    assert said.code == 2
    assert said.document["ok"] is False
    assert [name for name, (ok, _) in found.items() if not ok] == ["count", "unreadable", "label"]
    assert found["count"][1].splitlines() == [
        "the train split has 3 images; the card says 1,411",
        "the test split has 2 images; the card says 458",
    ]
    assert "P0007.png" in found["unreadable"][1]
    assert "#010203" in found["label"][1]
    assert not (tmp_path / "gpbench-work").exists()


def test_check_says_what_allow_partial_accepts(gpbench: Command, isaid: Path) -> None:
    said = gpbench(
        "datasets", "check", "isaid", "--root", isaid, "--allow-partial", "--format", "json"
    )
    assert said.code == 0
    ok, detail = checks(said)["count"]
    assert ok
    assert detail.startswith("accepted by --allow-partial:\nthe train split has 3 images;")


def test_empty_training_split_is_not_accepted(gpbench: Command, tmp_path: Path) -> None:
    image(tmp_path, "val", "P0003")
    said = gpbench(
        "datasets", "check", "isaid", "--root", tmp_path, "--allow-partial", "--format", "json"
    )
    assert said.code == 2
    assert checks(said)["count"] == (False, "the train split is empty")


def test_where_nothing_lies_only_the_layout_was_checked(gpbench: Command, tmp_path: Path) -> None:
    said = gpbench("datasets", "check", "isaid", "--root", tmp_path, "--format", "json")
    assert said.code == 2
    assert list(checks(said)) == ["layout"]
    assert "Get the images of DOTA" in checks(said)["layout"][1]


def test_table_is_shortened_and_json_is_not(gpbench: Command, isaid: Path) -> None:
    for number in range(100, 130):
        image(isaid, "train", f"P0{number}", NO_CLASS)
    arguments = ("datasets", "check", "isaid", "--root", isaid, "-j", "1")
    table, document = gpbench(*arguments), gpbench(*arguments, "--format", "json")
    assert "and 10 more of this kind (label)" in table.out
    assert "WRONG" in table.out
    assert len(checks(document)["label"][1].splitlines()) == 30


@pytest.mark.slow
def test_number_of_processes_changes_nothing(gpbench: Command, isaid: Path) -> None:
    image(isaid, "train", "P0001", NO_CLASS)
    arguments = ("datasets", "check", "isaid", "--root", isaid, "--format", "json")
    assert gpbench(*arguments, "-j", "1").document == gpbench(*arguments, "-j", "2").document


@pytest.mark.parametrize("method", ["layout", "problems", "images"])
def test_file_that_spoils_the_whole_listing_is_a_row_of_its_kind(
    method: str, gpbench: Command, isaid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise DataError("train.txt cannot be read", "names")

    monkeypatch.setattr(ISAID, method, broken)
    said = gpbench("datasets", "check", "isaid", "--root", isaid, "--format", "json")
    assert said.code == 2
    ok, detail = checks(said)["names"]
    assert (ok, detail.splitlines()[0]) == (False, "train.txt cannot be read")
    assert list(checks(said)) == (["names"] if method == "layout" else ["layout", *KINDS])


# --- preview ---


def test_preview_writes_a_page_and_a_picture(gpbench: Command, isaid: Path, work: Path) -> None:
    said = gpbench("datasets", "preview", "isaid", "--root", isaid, "--workdir", work)
    place = work / "preview" / "isaid"
    assert (said.code, said.out) == (0, f"{place / 'index.html'}\n")
    assert sorted(each.name for each in place.iterdir()) == ["contact-sheet.png", "index.html"]
    html = (place / "index.html").read_text()
    assert [name in html for name in ("P0000", "P0001", "P0002", "P0003")] == [True] * 3 + [False]
    assert "the 3 images shown" in html
    assert "academic use only" in html


def test_preview_counts_the_whole_split_where_it_is_prepared(
    gpbench: Command, isaid: Path, work: Path, tmp_path: Path
) -> None:
    prepared(gpbench, work, "isaid", "--root", isaid, "--allow-partial")
    gpbench(
        *("datasets", "preview", "isaid", "--root", isaid, "--workdir", work),
        *("--images", "1", "--output", tmp_path / "out"),
    )
    html = (tmp_path / "out" / "index.html").read_text()
    assert "the whole train split (3 images)" in html
    assert "1 of 3 in the train split" in html


def test_preview_that_cannot_be_written_says_where(gpbench: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    said = gpbench("datasets", "preview", "demo-mfnet", "--output", tmp_path / "taken")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        f"gpbench: cannot write into {tmp_path}/taken: File exists; name another folder\n"
    )


def test_images_are_spread_over_the_split(gpbench: Command, isaid: Path, work: Path) -> None:
    gpbench(*("datasets", "preview", "isaid", "--root", isaid, "--workdir", work, "--images", "2"))
    html = (work / "preview" / "isaid" / "index.html").read_text()
    assert re.findall(r"<h3>(P\d+)", html) == ["P0000", "P0002"]


def test_other_split_can_be_shown_and_an_empty_one_is_refused(
    gpbench: Command, isaid: Path, work: Path
) -> None:
    command = ("datasets", "preview", "isaid", "--root", isaid, "--workdir", work, "--split")
    assert gpbench(*command, "test").code == 0
    assert "P0003" in (work / "preview" / "isaid" / "index.html").read_text()
    said = gpbench(*command, "val")
    assert said.code == 2
    assert said.err == (
        "gpbench: --split = 'val' is not allowed: isaid has images in train and test\n"
    )


def test_part_of_a_dataset_with_mistakes_can_be_looked_at(
    gpbench: Command, isaid: Path, work: Path
) -> None:
    (isaid / "train/images/P0000_instance_color_RGB.png").unlink()
    said = gpbench("datasets", "preview", "isaid", "--root", isaid, "--workdir", work)
    assert said.code == 0
    assert "2 of 2 in the train split" in Path(said.out.strip()).read_text()


def test_real_images_can_be_looked_at(
    samples: Path, gpbench: Command, work: Path, tmp_path: Path
) -> None:
    said = gpbench(
        *("datasets", "preview", "isaid", "--root", samples / "isaid_raw", "--split", "test"),
        *("--workdir", work, "--output", tmp_path / "out"),
    )
    assert said.code == 0, said.err
    html = (tmp_path / "out" / "index.html").read_text()
    assert html.count("<img ") == 4
    assert ">11 %<" in html  # large vehicles


def test_name_of_a_dataset_is_made_a_folder_s(gpbench: Command, tmp_path: Path, work: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("a", "b", "a_l", "b_l"):
        Image.fromarray(np.eye(4, dtype=np.uint8)).save(folder / f"{name}.png")
    (folder / "card.yaml").write_text(
        "{name: mine, bands: [x], classes: [y, z], images: {pattern: '{name}.png'}, labels: "
        "{pattern: '{name}_l.png'}, splits: {train: {glob: a}, test: {glob: b}}, "
        "protocol: {tile_px: 4, stride_px: 4}}"
    )
    said = gpbench("datasets", "preview", f"folder[card={folder}/card.yaml]", "--workdir", work)
    assert said.out == f"{work}/preview/folder-mine/index.html\n", said.err


# --- show ---


def shown(gpbench: Command, name: str) -> dict[str, Any]:
    said = gpbench("datasets", "show", name, "--format", "json")
    assert said.code == 0, said.err
    (item,) = said.document["items"]
    assert isinstance(item, dict)
    return item


def test_published_dataset_shows_facts_with_source_and_certainty(gpbench: Command) -> None:
    item = shown(gpbench, "isaid")
    assert {tuple(fact) for fact in item["facts"]} == {("about", "says", "source", "certainty")}
    assert item["obtain"].startswith("Get the images of DOTA")
    assert item["licence"].startswith("academic use only")
    out = gpbench("datasets", "show", "isaid").out
    assert out.index("patches-896/1") < out.index("certainty")


def test_dataset_whose_parameters_have_defaults_shows_facts_and_parameters(
    gpbench: Command,
) -> None:
    item = shown(gpbench, "potsdam")
    assert (item["name"], item["bands"][3:]) == ("potsdam", ["nir", "ndsm"])
    assert [each["name"] for each in item["parameters"]] == ["bands", "labels"]
    chosen = shown(gpbench, "potsdam[bands=rgb]")
    assert (chosen["name"], chosen["bands"]) == ("potsdam[bands=rgb]", ["red", "green", "blue"])
    assert chosen["parameters"] == item["parameters"]


# --- documents ---


def test_every_field_is_documented(gpbench: Command, work: Path) -> None:
    fields = set(prepared(gpbench, work, "demo-mfnet").document) - {"schema"}
    text = section("gpbench.prepare/1")
    assert {field for field in fields if not re.search(rf"\b{field}\b", text)} == set()
    (row,) = (
        line for line in JSON_PAGE.read_text().splitlines() if "| `gpbench.datasets/1`" in line
    )
    fields = set(shown(gpbench, "potsdam")) - {"name", "summary"}
    assert {field for field in fields if not re.search(rf"\b{field}\b", row)} == set()


def test_images_made_by_a_program_are_not_worth_a_process() -> None:
    """A process takes a second to start; 40 made images take less."""
    assert reading_jobs(named_dataset("demo-isaid", None), None) == 1
