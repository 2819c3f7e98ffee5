"""What is asked of each machine of a Ray cluster.

Standard library only: the code is sent along, so that a machine without gpbench can answer too.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """Return the version of each package that is installed."""
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def remove_folders(parent: str, pattern: str) -> None:
    """Remove the folders below `parent` that match."""
    for folder in Path(parent).glob(pattern):
        shutil.rmtree(folder, ignore_errors=True)
