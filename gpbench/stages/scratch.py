"""A node's scratch folder: where its stages work when their files are shared by a storage.

`data/` holds prepared datasets, `weights/` what pre-trainings handed on, by the files' hashes, and
`stages/<key>/` the stages that run on the node now.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from gpbench.stages.lock import locked
from gpbench.stages.reach import OutOfReachError, node_name, writing

SCRATCH_VARIABLE = "GPBENCH_SCRATCH"
WEIGHTS_KEPT_S = 24 * 3600.0
"""Weights that no stage of the node has used for so long are removed."""


def scratch_folder() -> Path:
    """Return this node's scratch folder, made where it is not there: $GPBENCH_SCRATCH, or default.

    Raises:
        OutOfReachError: If it cannot be made, or is somebody else's.
    """
    named = os.environ.get(SCRATCH_VARIABLE)
    default = Path(tempfile.gettempdir()) / f"gpbench-{os.getuid()}"
    folder = Path(named).expanduser().absolute() if named else default
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for inner in ("data", "weights", "stages"):
            (folder / inner).mkdir(exist_ok=True)
        if not named and folder.stat().st_uid != os.getuid():
            raise OutOfReachError(
                f"{folder} on node {node_name()} is another user's: name a scratch folder by "
                f"{SCRATCH_VARIABLE}"
            )
    return folder


def lock_of(folder: Path) -> Path:
    """Return the lock of a folder that comes and goes: beside it."""
    return folder.with_name(f".{folder.name}.lock")


def remove_orphans(stages: Path) -> None:
    """Remove the folders of stages whose processes are gone."""
    for folder in stages.iterdir():
        if folder.is_dir():
            with suppress(OutOfReachError), locked(lock_of(folder), _at_once, wait_s=0):
                shutil.rmtree(folder, ignore_errors=True)
                lock_of(folder).unlink(missing_ok=True)


def remove_unused(weights: Path) -> None:
    """Remove weights that have not been used for long."""
    for file in weights.glob("[!.]*"):  # locks stay
        with suppress(FileNotFoundError):  # another stage removed it
            if time.time() - file.stat().st_mtime > WEIGHTS_KEPT_S:
                file.unlink()


def _at_once(_waited_s: float) -> None:
    """Do nothing: who holds the lock is at work."""
