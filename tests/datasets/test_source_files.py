"""Listing image files: order, links, hidden files and what cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpbench.api import DataError
from gpbench_datasets.sources._files import folders_in, images_below, is_image
from tests.datasets.miniatures.sources import write_files


def fill(root: Path, *names: str) -> Path:
    return write_files(root, dict.fromkeys(names, b"abc"))


def listed(root: Path) -> list[str]:
    return [file.path for file in images_below(root)]


def test_images_come_in_the_order_of_their_paths_whatever_order_they_were_written_in(
    tmp_path: Path,
) -> None:
    names = ["b.png", "a/2.jpg", "a-b.png", "a/10.jpg", "a/z/1.TIF", "é/1.webp"]
    expected = sorted(names, key=lambda name: name.split("/"))
    assert listed(fill(tmp_path / "one", *names)) == expected
    assert listed(fill(tmp_path / "other", *reversed(names))) == expected


def test_size_is_that_of_the_file(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/1.png": b"12345", "2.png": b""})
    assert [file.size_bytes for file in images_below(tmp_path)] == [0, 5]


def test_hidden_files_and_folders_and_other_files_are_left_out(tmp_path: Path) -> None:
    fill(
        tmp_path, "x.JPEG", "._x.JPEG", "lost+found/z.png", ".cache/y.png", "boxes.txt", "Thumbs.db"
    )
    assert listed(tmp_path) == ["x.JPEG"]
    assert not is_image("._x.JPEG")


def test_odd_names_are_kept(tmp_path: Path) -> None:
    names = ["a b'c\".png", "zähne ☂/1 (2).jpeg", os.fsdecode(b"\xff.png")]
    assert sorted(listed(fill(tmp_path, *names))) == sorted(names)


def test_links_to_folders_and_files_are_followed(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", "1.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/file.png").symlink_to(tmp_path / "elsewhere/1.png")
    assert [tuple(file) for file in images_below(tmp_path / "root")] == [
        ("file.png", 3),
        ("folder/1.png", 3),
    ]
    assert folders_in(tmp_path / "root") == ["folder"]


def test_link_that_leads_back_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "a/b/1.png")
    (tmp_path / "a/b/again").symlink_to(tmp_path / "a")
    with pytest.raises(DataError, match=r"a/b/again is a link to a folder above it"):
        listed(tmp_path)


def test_link_to_nothing_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "1.png")
    (tmp_path / "2.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(DataError, match=r"2\.png cannot be read: No such file"):
        listed(tmp_path)


def test_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone cannot be read: No such file"):
        listed(tmp_path / "gone")
    with pytest.raises(DataError, match=r"gone cannot be read: No such file"):
        folders_in(tmp_path / "gone")
