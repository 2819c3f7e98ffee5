"""What earlier runs left in a stage's folder."""

from __future__ import annotations

from pathlib import Path

from gpbench.core.stage import BACKBONE_FILE, Outcome
from gpbench.engine import checkpoint
from gpbench.stages import artefacts


def left_outcome(folder: Path, key: str) -> Outcome | None:
    """Return the outcome in a stage's folder if it is this stage's and its files are whole."""
    path = folder / artefacts.OUTCOME
    if not path.is_file():
        return None
    try:
        outcome = Outcome.from_json(path.read_text())
    except (ValueError, KeyError, TypeError):
        return None  # of an older gpbench: the stage is run again and writes a new one
    whole = all(artefacts.is_intact(folder, recorded) for recorded in outcome.artefacts)
    return outcome if outcome.key == key and whole else None


def remove_leftovers(folder: Path) -> None:
    """Remove outcome and checkpoint of a stage that is run again from its start."""
    (folder / artefacts.OUTCOME).unlink(missing_ok=True)
    checkpoint.remove(folder)


def backbone_file(folder: Path) -> Path:
    """Return where a pre-training stage leaves its weights."""
    return folder / BACKBONE_FILE
