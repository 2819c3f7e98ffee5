"""Image files in folders: which there are, by name and size. Opens none of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from gpbench.api import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
NO_DATA = "lost+found"
"""What a file system of its own has at its top; only root may look into it."""
Identity = tuple[int, int]


class File(NamedTuple):
    """A file by its path below the folder that was looked into, with `/`."""

    path: str
    size_bytes: int


def is_image(name: str) -> bool:
    """Return whether a file of that name is an image; what begins with a dot is none.

    macOS leaves such a `._x.JPEG` beside each `x.JPEG` on foreign disks.
    """
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def folders_in(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of the folders in a folder, sorted; hidden ones left out.

    Raises:
        DataError: If it cannot be read.
    """
    return [name for name, size in _contents(os.fspath(folder)) if size is None]


def images_below(folder: str | os.PathLike[str]) -> Iterator[File]:
    """Return all images below a folder in the order of their paths; links are followed.

    It makes no Path object and asks for no more than each file's size, because a source may have
    more than a million.

    Raises:
        DataError: If a folder or file cannot be read, or a link leads back to a folder above it.
    """
    return _below(os.fspath(folder), "", ())


def _below(folder: str, prefix: str, above: tuple[Identity, ...]) -> Iterator[File]:
    here = _identity(folder)
    if here in above:
        raise DataError(f"{folder} is a link to a folder above it, which has no end: remove it")
    for name, size in _contents(folder):
        if size is None:
            yield from _below(f"{folder}/{name}", f"{prefix}{name}/", (*above, here))
        else:
            yield File(prefix + name, size)


def _contents(folder: str) -> list[tuple[str, int | None]]:
    """Return images with their sizes and folders with None, sorted by name."""
    found: list[tuple[str, int | None]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == NO_DATA:
                    continue
                if entry.is_dir():
                    found.append((entry.name, None))
                elif is_image(entry.name):
                    found.append((entry.name, entry.stat().st_size))
    except OSError as error:  # a link to nothing as well
        raise DataError(f"{error.filename or folder} cannot be read: {error.strerror}") from error
    return sorted(found, key=lambda each: each[0])


def _identity(folder: str) -> Identity:
    try:
        status = os.stat(folder)  # noqa: PTH116  text, for the reason above
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    return status.st_dev, status.st_ino
