"""Archives that cannot be read in place, and the commands by which a person unpacks them."""

from __future__ import annotations

import re
from pathlib import Path

SHOWN = 3
ARCHIVE = re.compile(
    r"(?P<whole>.+\.(?P<kind>zip|tgz|tar\.gz|tar\.bz2|tar\.xz|tar\.zst))"
    r"(?P<part>\.\d{3}|[a-z]{2})?"
)
TO_TAR = {
    "tgz": "gunzip",
    "tar.gz": "gunzip",
    "tar.bz2": "bunzip2",
    "tar.xz": "unxz",
    "tar.zst": "unzstd",
}


def how_to_unpack(root: Path) -> str:
    """Return a sentence with a command per archive in `root` or a folder in it; empty: no such.

    Parts of a split archive, such as `test.zip.001` or `test.tar.gzaa`, are joined first.
    """
    if not root.is_dir():
        return ""
    folders = [root, *(path for path in sorted(root.iterdir()) if path.is_dir())]
    commands = list(dict.fromkeys(command for folder in folders for command in _commands(folder)))
    if not commands:
        return ""
    more = " (and the others alike)" if len(commands) > SHOWN else ""
    return (
        f"there are archives that gpbench does not unpack; run: {'; '.join(commands[:SHOWN])}{more}"
    )


def _commands(folder: Path) -> list[str]:
    matches = [ARCHIVE.fullmatch(path.name) for path in sorted(folder.iterdir())]
    return [_command(folder, match) for match in matches if match]


def _command(folder: Path, match: re.Match[str]) -> str:
    whole = folder / match["whole"]
    parts = "" if not match["part"] else ".*" if match["part"].startswith(".") else "??"
    if match["kind"] == "zip":
        join = f"cat '{whole}'{parts} > '{whole}' && " if parts else ""
        return f"{join}unzip -n '{whole}' -d '{folder}'"
    if parts:
        tar = folder / f"{match['whole'].removesuffix(match['kind'])}tar"
        return f"cat '{whole}'{parts} | {TO_TAR[match['kind']]} > '{tar}'"
    return f"{TO_TAR[match['kind']]} '{whole}'"
