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


def remove_trial_folders(experiment: str) -> None:
    """Remove what Tune wrote for an experiment into this machine's part of Ray's session folder."""
    from ray._private.worker import _global_node  # noqa: PLC0415

    session = Path(_global_node.get_session_dir_path())
    for folder in session.glob(f"artifacts/*/{experiment}"):
        shutil.rmtree(folder, ignore_errors=True)
