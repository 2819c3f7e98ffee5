"""The command that the project is for: a strategy on all datasets, in their authentic layouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.datasets.miniatures.isaid import isaid_devkit
from tests.datasets.miniatures.loveda import loveda
from tests.datasets.miniatures.mfnet import mfnet
from tests.datasets.miniatures.potsdam import potsdam_raw
from tests.datasets.miniatures.pst900 import pst900
from tests.datasets.miniatures.sources import imagenet_official_tar
from tests.datasets.miniatures.vaihingen import vaihingen_raw

PUBLISHED = ("isaid", "loveda", "mfnet", "potsdam", "pst900", "vaihingen")
OWNERS_COMMAND = ("run", "--strategy", "generalised", "--datasets", "all")


def test_without_data_one_message_says_what_is_missing_where_and_how_it_is_obtained(
    gpbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPBENCH_DATA", str(tmp_path / "data"))
    said = gpbench(*OWNERS_COMMAND, "--workdir", tmp_path / "work")
    assert said.code == 2
    assert said.out == ""
    for name in (*PUBLISHED, "imagenet-1k"):
        assert f"no data for '{name}' at {tmp_path / 'data' / name}; " in said.err
    assert "https://captain-whu.github.io/iSAID" in said.err
    assert "image-net.org" in said.err
    assert not (tmp_path / "work").exists()


def test_without_a_data_folder_the_message_says_where_to_put_all(
    gpbench: Command, tmp_path: Path
) -> None:
    said = gpbench(*OWNERS_COMMAND, "--workdir", tmp_path / "work")
    assert said.code == 2
    for name in (*PUBLISHED, "imagenet-1k"):
        assert f"put it into $GPBENCH_DATA/{name}, or name its folder" in said.err


def test_a_part_of_a_named_dataset_is_refused_until_it_is_accepted(
    tiny: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isaid_devkit(tmp_path / "data" / "isaid")
    monkeypatch.setenv("GPBENCH_DATA", str(tmp_path / "data"))
    asked = ("-s", "scratch", "-d", "isaid", "--seeds", "1", "--pretrain-seeds", "1")
    said = tiny(*asked)
    assert said.code == 2
    assert "the card says 1,411" in said.err
    assert "--allow-partial" in said.err
    said = tiny(*asked, "--allow-partial", "--format", "json")
    assert said.code == 0
    assert said.document["partial"] == ["isaid"]


@pytest.mark.slow
def test_runs_on_small_parts_of_all_datasets_in_their_authentic_layouts(
    gpbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    isaid_devkit(data / "isaid")
    loveda(data / "loveda")
    mfnet(data / "mfnet")
    potsdam_raw(data / "potsdam", tiles=("2_10", "2_13"))
    pst900(data / "pst900")
    vaihingen_raw(data / "vaihingen")
    imagenet_official_tar(data / "imagenet-1k")
    monkeypatch.setenv("GPBENCH_DATA", str(data))
    said = gpbench(
        *OWNERS_COMMAND,
        *("--allow-partial", "-b", "test_convnext3", "--recipe", "demo", "-y"),
        *("--seeds", "1", "--pretrain-seeds", "1"),
        # the demo's budget learns; these steps only show that everything runs
        *("--set", "pretrain.steps=4", "--set", "finetune.steps=4"),
        *("--workdir", tmp_path / "work", "--format", "json"),
    )
    assert said.code == 0, said.err
    document = said.document
    assert {row["dataset"] for row in document["results"]} == set(PUBLISHED)
    assert sorted(document["partial"]) == sorted(PUBLISHED)
    assert document["excluded"] == []
    assert document["done"] == 9  # pre-trained on 3, 4 and 5 channels; six fine-tunings
    assert all(0 <= row["value"] <= 100 for row in document["results"])


def test_plan_says_what_of_what_was_named_is_missing(gpbench: Command, tmp_path: Path) -> None:
    asked = ("plan", "-s", "imagenet", "-d", "mfnet", "-b", "test_convnext3", "--recipe", "demo")
    said = gpbench(*asked, "--workdir", tmp_path / "work")
    assert said.code == 0
    assert "missing: mfnet, imagenet-1k; -v says how to get them.\n" in said.out
    unknown = "images to train on, kept weights, time; the data are missing: mfnet, imagenet-1k."
    assert f"Unknown: {unknown}\n" in said.out
    said = gpbench(*asked, "--workdir", tmp_path / "work", "-v")
    for name in ("mfnet", "imagenet-1k"):
        assert f"missing {name}: no folder is known for '{name}'" in said.out
    document = gpbench(*asked, "--workdir", tmp_path / "work", "--format", "json").document
    assert [each["name"] for each in document["missing"]] == ["mfnet", "imagenet-1k"]
    assert {item["state"] for item in document["items"]} == {"unprepared"}
    assert document["estimate"]["images"] is None
