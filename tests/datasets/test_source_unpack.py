"""The commands that unpack what gpbench does not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpbench_datasets.sources._tar import members
from gpbench_datasets.sources._unpack import how_to_unpack
from tests.datasets.miniatures.sources import tar_bytes, write_files


def commands(root: Path, *names: str) -> str:
    sentence = how_to_unpack(write_files(root, dict.fromkeys(names, b"")))
    return sentence.partition("run: ")[2].replace(f"{root}/", "").replace(str(root), ".")


def test_there_is_nothing_to_say_without_archives(tmp_path: Path) -> None:
    assert commands(tmp_path, "1.jpg", "train.tar", "notes.gz", "zip") == ""
    assert how_to_unpack(tmp_path / "absent") == ""


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a b.zip", "unzip -n 'a b.zip' -d ."),
        ("x/a.zip", "unzip -n x/a.zip -d x"),
        ("a.tar.gz", "gunzip a.tar.gz"),
        ("a.tgz", "gunzip a.tgz"),
        ("a.tar.bz2", "bunzip2 a.tar.bz2"),
        ("a.tar.xz", "unxz a.tar.xz"),
        ("a.tar.zst", "unzstd a.tar.zst"),
    ],
)
def test_each_kind_of_archive_has_its_command(tmp_path: Path, name: str, command: str) -> None:
    assert commands(tmp_path, name) == command


def test_parts_are_joined_by_one_command(tmp_path: Path) -> None:
    parts = ["a.tar.gzaa", "a.tar.gzab", "b.zip.001", "b.zip.002"]
    assert commands(tmp_path, *parts) == (
        "cat a.tar.gzaa a.tar.gzab | gunzip > a.tar; "
        "cat b.zip.001 b.zip.002 > b.zip && unzip -n b.zip -d ."
    )


def test_what_only_looks_like_a_part_is_none(tmp_path: Path) -> None:
    assert commands(tmp_path / "1", "x.zip.md5", "x.tar.gzip", "._x.zip") == ""
    named = commands(tmp_path / "2", "x.zip.001", "x.zip.md5", "x.tar.gzaa", "x.tar.gz.md5")
    assert named == "cat x.tar.gzaa | gunzip > x.tar; cat x.zip.001 > x.zip && unzip -n x.zip -d ."


def test_names_are_quoted_for_the_shell(tmp_path: Path) -> None:
    named = commands(tmp_path, "it's $HOME.zip.001")
    whole = """'it'"'"'s $HOME.zip"""
    assert named == f"cat {whole}.001' > {whole}' && unzip -n {whole}' -d ."


def test_folder_that_may_not_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    iterdir = Path.iterdir

    def refusing(folder: Path) -> Iterator[Path]:
        if folder.name == "lost+found":
            raise PermissionError(13, "Permission denied", str(folder))
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", refusing)
    assert commands(tmp_path, "lost+found/b.zip", "a.tgz") == "gunzip a.tgz"


def test_of_many_archives_the_first_are_shown(tmp_path: Path) -> None:
    sentence = commands(tmp_path, *(f"{n}.zip" for n in range(5)))
    assert sentence.count("unzip") == 3
    assert sentence.endswith("(and the others alike)")


def test_command_for_a_split_tar_makes_one_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(tar_bytes({"1.jpg": b"1"}))
    subprocess.run(["gzip", "x.tar"], cwd=tmp_path, check=True)
    data = (tmp_path / "x.tar.gz").read_bytes()
    (tmp_path / "x.tar.gz").unlink()
    write_files(tmp_path, {"x.tar.gzaa": data[:50], "x.tar.gzab": data[50:]})
    shell = shutil.which("sh")
    assert shell
    subprocess.run([shell, "-c", how_to_unpack(tmp_path).partition("run: ")[2]], check=True)
    assert [member.path for member in members(tmp_path / "x.tar")] == ["1.jpg"]
