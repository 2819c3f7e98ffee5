"""Tars listed and read in place: what is found is what tar finds, and damage is never silent."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench.api import DataError
from gpbench_datasets.sources._tar import Member, members, stamped, stored_bytes
from tests.datasets.miniatures.sources import tar_bytes, write_files

FILES = {"a/1.jpg": b"first", "b/2.jpg": b"x" * 5000, "b/3.jpg": b"third", "c.txt": b""}
BLOCK = 512


def packed(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def contents(tar: Path, inner: Member | None = None) -> dict[str, bytes]:
    return {
        member.path: stored_bytes(tar, member.offset, member.size_bytes, "there")
        for member in members(tar, inner)
    }


def link(name: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "a/1.jpg"
    return info


def test_files_are_read_where_they_lie(tmp_path: Path) -> None:
    assert contents(packed(tmp_path / "x.tar", tar_bytes(FILES))) == FILES


def test_files_of_a_tar_in_a_tar_are_read_where_they_lie(tmp_path: Path) -> None:
    inner = {"n1.tar": tar_bytes(FILES), "n2.tar": tar_bytes({"9.jpg": b"ninth"})}
    tar = packed(tmp_path / "x.tar", tar_bytes(inner))
    assert [contents(tar, member) for member in members(tar)] == [FILES, {"9.jpg": b"ninth"}]


def test_inner_tar_without_an_end_mark_does_not_run_into_the_next(tmp_path: Path) -> None:
    bare = tar_bytes({"1.jpg": b"first"})[: 2 * BLOCK]
    tar = packed(tmp_path / "x.tar", tar_bytes({"n1.tar": bare, "n2.tar": tar_bytes(FILES)}))
    assert contents(tar, next(iter(members(tar)))) == {"1.jpg": b"first"}


@given(
    files=st.dictionaries(
        st.text(st.characters(exclude_characters="/.\0", codec="utf-8"), min_size=1, max_size=120),
        st.binary(max_size=1500),
        max_size=5,
    ),
    kind=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_any_names_and_contents_come_back(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], kind: int
) -> None:
    tar = tmp_path_factory.mktemp("tars") / "x.tar"
    with tarfile.open(tar, "w", format=kind) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert contents(tar) == files


def test_paths_are_cleaned_and_hidden_files_left_out(tmp_path: Path) -> None:
    files = {"./a//1.jpg": b"1", "/b/2.jpg": b"2", "b/._2.jpg": b"mac", ".c/3.jpg": b"3"}
    tar = packed(tmp_path / "x.tar", tar_bytes(files))
    assert contents(tar) == {"a/1.jpg": b"1", "b/2.jpg": b"2"}


def test_path_out_of_the_archive_is_named(tmp_path: Path) -> None:
    tar = packed(tmp_path / "x.tar", tar_bytes({"a/../../x.jpg": b"1"}))
    with pytest.raises(DataError, match=r"x\.tar holds 'a/\.\./\.\./x\.jpg', a path out of"):
        list(members(tar))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_image_that_is_a_link_or_device_is_named(tmp_path: Path, kind: bytes) -> None:
    tar = packed(tmp_path / "x.tar", tar_bytes({"a/1.jpg": b"1"}, [link("b/2.jpg", kind)]))
    with pytest.raises(DataError, match=r"holds 'b/2\.jpg' as a link.*--hard-dereference"):
        list(members(tar))


def test_folders_and_links_that_are_no_images_are_left_out(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("d.jpg")
    folder.type = tarfile.DIRTYPE
    tar = packed(tmp_path / "x.tar", tar_bytes({"a/1.jpg": b"1"}, [folder, link("readme")]))
    assert list(contents(tar)) == ["a/1.jpg"]


@pytest.mark.parametrize(
    ("compress", "command"),
    [(gzip.compress, "gunzip"), (bz2.compress, "bunzip2"), (lzma.compress, "unxz")],
)
def test_compressed_tar_is_named_with_the_command(
    tmp_path: Path, compress: Callable[[bytes], bytes], command: str
) -> None:
    tar = packed(tmp_path / "x.tar", compress(tar_bytes(FILES)))
    with pytest.raises(DataError, match=rf"x\.tar is compressed, .* decompress it with {command}$"):
        list(members(tar))


@pytest.mark.parametrize("kept", [0, 100, 700, 1024, 3000, 2 * BLOCK + 11 * BLOCK, 9 * BLOCK])
def test_tar_that_is_cut_off_anywhere_is_named(tmp_path: Path, kept: int) -> None:
    tar = packed(tmp_path / "x.tar", tar_bytes(FILES)[:kept])
    with pytest.raises(DataError, match=r"x\.tar"):
        list(members(tar))


def test_every_cut_before_the_end_mark_is_noticed(tmp_path: Path) -> None:
    whole = tar_bytes(FILES)
    end = max(i for i, byte in enumerate(whole) if byte) // BLOCK * BLOCK + BLOCK
    for kept in range(0, end + 1, 64):
        tar = packed(tmp_path / "x.tar", whole[:kept])
        with pytest.raises(DataError, match=r"x\.tar"):
            list(members(tar))
    assert list(contents(packed(tar, whole[: end + BLOCK]))) == list(FILES)


def test_damaged_header_does_not_end_the_list_silently(tmp_path: Path) -> None:
    data = bytearray(tar_bytes(FILES))
    data[2 * BLOCK + 3] ^= 1  # the name in the second header
    tar = packed(tmp_path / "x.tar", bytes(data))
    with pytest.raises(DataError, match=r"files in .*x\.tar breaks off at byte 1,024 of"):
        list(members(tar))


def test_hole_of_an_unfinished_download_does_not_end_the_list_silently(tmp_path: Path) -> None:
    data = bytearray(tar_bytes({"1.jpg": b"1", "2.jpg": b"2" * (2 << 20), "3.jpg": b"3"}))
    data[2 * BLOCK : 3 * BLOCK] = bytes(BLOCK)
    tar = packed(tmp_path / "x.tar", bytes(data))
    with pytest.raises(DataError, match=r"a download that did not end\? Copy it again"):
        list(members(tar))


def test_damage_within_an_inner_tar_names_it(tmp_path: Path) -> None:
    inner = bytearray(tar_bytes(FILES))
    inner[2 * BLOCK + 3] ^= 1
    tar = packed(tmp_path / "x.tar", tar_bytes({"n1.tar": bytes(inner)}))
    with pytest.raises(DataError, match=r"files in .*x\.tar!n1\.tar breaks off at byte 1,024 of"):
        list(members(tar, next(iter(members(tar)))))


@given(at=st.integers(0, 20 * BLOCK - 1), value=st.integers(1, 255))
def test_any_damaged_byte_leaves_the_files_or_is_named(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int
) -> None:
    data = bytearray(tar_bytes(FILES))
    data[at] ^= value
    tar = packed(tmp_path_factory.mktemp("tars") / "x.tar", bytes(data))
    try:
        found = list(contents(tar))
    except DataError as error:
        assert "x.tar" in str(error)  # noqa: PT017  either outcome is right
    else:
        assert found == list(FILES)


def test_file_that_is_no_tar_is_named(tmp_path: Path) -> None:
    tar = packed(tmp_path / "x.tar", b"<html>please log in</html>" * 100)
    with pytest.raises(DataError, match=r"x\.tar cannot be listed, is it damaged\?"):
        list(members(tar))


def test_archive_that_shrank_after_it_was_listed_is_named(tmp_path: Path) -> None:
    tar = packed(tmp_path / "x.tar", tar_bytes(FILES))
    member = list(members(tar))[1]
    tar.write_bytes(tar.read_bytes()[: member.offset + 10])
    with pytest.raises(DataError, match=r"b/2\.jpg is cut off: 10 of 5,000 bytes are there"):
        stored_bytes(tar, member.offset, member.size_bytes, "b/2.jpg")


def test_archive_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone.tar"
    for reading in (
        lambda: list(members(gone)),
        lambda: stamped([gone]),
        lambda: stored_bytes(gone, 0, 1, str(gone)),
    ):
        with pytest.raises(DataError, match=r"gone\.tar cannot be"):
            reading()


def test_stamp_changes_with_the_file(tmp_path: Path) -> None:
    write_files(tmp_path, {"x.tar": b"1", "y.tar": b"12"})
    before = stamped([tmp_path / "x.tar", tmp_path / "y.tar"])
    (tmp_path / "y.tar").write_bytes(b"123")
    after = stamped([tmp_path / "x.tar", tmp_path / "y.tar"])
    assert before[0] == after[0]
    assert before[1] != after[1]
