"""Archives that cannot be read in place, and the commands by which a person unpacks them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import NamedTuple

SHOWN = 3
ARCHIVE = re.compile(
    r"(?P<whole>.+\.(?P<kind>zip|tgz|tar\.gz|tar\.bz2|tar\.xz|tar\.zst))"
    r"(\.(?P<digits>\d{3})|(?P<letters>[a-z]{2}))?"
)
FIRST_LETTERS = "aa"
"""Where `split` begins to count; x.tar.gzip alone is no part of anything."""
TO_TAR = {
    "tgz": "gunzip",
    "tar.gz": "gunzip",
    "tar.bz2": "bunzip2",
    "tar.xz": "unxz",
    "tar.zst": "unzstd",
}


class Archive(NamedTuple):
    """An archive in one file, or in parts: `test.zip.001`, `test.tar.gzaa`."""

    stem: Path
    kind: str
    parts: tuple[Path, ...]


def archives_in(folder: Path) -> Iterator[Archive]:
    """Return the archives that lie in a folder, by name; none where it cannot be read."""
    groups: dict[tuple[str, str], list[re.Match[str]]] = {}
    for name in sorted(path.name for path in _entries(folder)):
        if match := ARCHIVE.fullmatch(name):
            counted = "letters" if match["letters"] else "digits" if match["digits"] else ""
            groups.setdefault((match["whole"], counted), []).append(match)
    for (whole, counted), matches in groups.items():
        if counted == "letters" and matches[0]["letters"] != FIRST_LETTERS:
            continue
        kind = matches[0]["kind"]
        parts = tuple(folder / match.string for match in matches) if counted else ()
        yield Archive(folder / whole.removesuffix(f".{kind}"), kind, parts)


def how_to_unpack(root: Path) -> str:
    """Return a sentence with a command per archive in `root` or a folder in it; empty: no such.

    Parts of a split archive are joined first.
    """
    folders = [root, *(path for path in sorted(_entries(root)) if path.is_dir())]
    commands = [_command(archive) for folder in folders for archive in archives_in(folder)]
    if not commands:
        return ""
    more = " (and the others alike)" if len(commands) > SHOWN else ""
    return (
        f"there are archives that gpbench does not unpack; run: {'; '.join(commands[:SHOWN])}{more}"
    )


def _entries(folder: Path) -> list[Path]:
    """Return what lies in a folder; nothing where it is absent or not ours, such as lost+found."""
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return []


def _command(archive: Archive) -> str:
    whole = quote(f"{archive.stem}.{archive.kind}")
    parts = " ".join(quote(str(part)) for part in archive.parts)
    if archive.kind == "zip":
        join = f"cat {parts} > {whole} && " if parts else ""
        return f"{join}unzip -n {whole} -d {quote(str(archive.stem.parent))}"
    if parts:
        return f"cat {parts} | {TO_TAR[archive.kind]} > {quote(f'{archive.stem}.tar')}"
    return f"{TO_TAR[archive.kind]} {whole}"
