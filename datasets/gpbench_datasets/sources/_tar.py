"""Files in tar archives, listed and then read in place by their offsets. Nothing is unpacked."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gpbench.api import DataError
from gpbench_datasets.sources._files import is_image

BLOCK = tarfile.BLOCKSIZE
PADDING_BYTES = 1 << 20
"""Zeros that a tar may end with: tar pads to 10 KiB, and to more where it is told so."""
COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7zXZ\0": "unxz",
    b"\x28\xb5\x2f\xfd": "unzstd",
}
DAMAGE = (tarfile.TarError, OSError, ValueError, OverflowError)


class Member(NamedTuple):
    """A plain file in a tar: where its bytes lie in the tar's file."""

    path: str
    offset: int
    size_bytes: int


class Stamp(NamedTuple):
    """A tar as it is now; a listing is valid as long as this is."""

    path: str
    size_bytes: int
    mtime_ns: int


def stamped(tars: Iterable[Path]) -> tuple[Stamp, ...]:
    """Return the stamps of tar files.

    Raises:
        DataError: If one cannot be read.
    """
    stamps = []
    for tar in tars:
        try:
            status = tar.stat()
        except OSError as error:
            raise DataError(f"{tar} cannot be read: {error.strerror}") from error
        stamps.append(Stamp(str(tar), status.st_size, status.st_mtime_ns))
    return tuple(stamps)


def members(tar: Path, inner: Member | None = None) -> Iterator[Member]:
    """Return the plain files in a tar, or in a tar within it, in stored order.

    Hidden ones are left out. Paths come without a leading `/` or `./`.

    Raises:
        DataError: If the tar is compressed, damaged or cut off, or an image in it is a link; names
            the file.
    """
    where = f"{tar}!{inner.path}" if inner else str(tar)
    try:
        with tar.open("rb") as file:
            begin = inner.offset if inner else 0
            end = begin + inner.size_bytes if inner else os.fstat(file.fileno()).st_size
            for found in _headers(file, where, begin, end):
                path = _cleaned(found.name, where)
                if path and _is_plain(found, where):
                    yield Member(path, found.offset_data, found.size)
            if not inner and end - file.tell() < BLOCK:
                raise DataError(f"{where} has no end mark: is it cut off? Copy it again")
    except DAMAGE as error:
        raise DataError(f"{where} cannot be listed, is it damaged? {error}") from error


def stored_bytes(tar: Path, offset: int, size_bytes: int, where: str) -> bytes:
    """Return a stretch of a file. Opens it anew, so any number of threads may read at once.

    Raises:
        DataError: If the file cannot be read or ends before; says `where`.
    """
    try:
        with tar.open("rb") as file:
            file.seek(offset)
            data = file.read(size_bytes)
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror}") from error
    if len(data) < size_bytes:
        raise DataError(
            f"{where} is cut off: {len(data):,} of {size_bytes:,} bytes are there; "
            "has the archive changed since it was listed?"
        )
    return data


def _headers(file: BinaryIO, where: str, begin: int, end: int) -> Iterator[tarfile.TarInfo]:
    """Return all headers of the tar at `begin`, and leave the file at the end of their list."""
    file.seek(begin)
    _refuse_compressed(file.read(8), where)
    file.seek(begin)
    archive, offset = tarfile.TarFile(fileobj=file), begin
    while (found := archive.next()) and found.offset < end:
        # it keeps all members, and a million would take more than a gigabyte
        archive.members.clear()  # type: ignore[attr-defined]  # not in typeshed
        if found.size < 0 or archive.offset <= offset or found.offset_data + found.size > end:
            raise DataError(f"{where} is damaged or cut off at '{found.name}': copy it again")
        yield found
        offset = archive.offset
    # tarfile also ends, without a word, at a damaged header and at a hole in a download
    file.seek(offset)
    block = file.read(max(0, min(BLOCK, end - offset)))
    if any(block) or end - offset > PADDING_BYTES:
        raise DataError(
            f"the list of files in {where} breaks off at byte {offset - begin:,} of "
            f"{end - begin:,}: is it damaged, or a download that did not end? Copy it again"
        )
    file.seek(offset)


def _refuse_compressed(head: bytes, where: str) -> None:
    for signature, command in COMPRESSED.items():
        if head.startswith(signature):
            raise DataError(
                f"{where} is compressed, so nothing in it can be read in place: "
                f"decompress it with {command}"
            )


def _cleaned(path: str, where: str) -> str:
    """Return the path without empty parts; empty for a hidden file."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise DataError(f"{where} holds '{path}', a path out of the archive: is it what you meant?")
    return "" if any(part.startswith(".") for part in parts) else "/".join(parts)


def _is_plain(found: tarfile.TarInfo, where: str) -> bool:
    if found.isreg() and not found.issparse():
        return True
    if not found.isdir() and (is_image(found.name) or found.name.endswith(".tar")):
        raise DataError(
            f"{where} holds '{found.name}' as a link or with holes, which cannot be read in "
            "place: pack it again with tar --dereference --hard-dereference"
        )
    return False
