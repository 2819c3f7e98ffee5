"""The driver's side of stage folders: what workers left, here or in a shared storage."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from pathlib import Path

from gpbench.core.errors import ConfigError
from gpbench.core.stage import BACKBONE_FILE, CONCLUSIVE, Artefact, Outcome, StageRequest
from gpbench.engine import checkpoint
from gpbench.stages import artefacts
from gpbench.stages.reach import OutOfReachError
from gpbench.stages.storage import Storage

log = logging.getLogger(__name__)

_WEIGHTS = frozenset({BACKBONE_FILE, artefacts.SEGMENTOR})
"""They stay in the storage: the driver does not read them."""


def check_storage(url: str) -> str:
    """Return a storage as every node understands it, made where needed and tried.

    Raises:
        ConfigError: If it cannot be used; says why.
    """
    try:
        storage = Storage(url)
        storage.make()
    except OutOfReachError as error:
        raise ConfigError(f"--storage: {error}") from error
    return storage.url


class StageFiles:
    """The folders of stages in the working directory, and in the storage where there is one."""

    def __init__(self, storage: str | None = None) -> None:
        """Take the storage of all requests; without one, workers write into the folders here."""
        self._storage = Storage(storage) if storage is not None else None

    def outcome(self, request: StageRequest, sha256: str | None) -> Outcome | None:
        """Return what a stage left, if all of it is there, whole; else None.

        What the database and reports read of it then lies in the stage's folder here. A checkpoint
        that its worker could no longer remove is gone.

        Args:
            request: The stage.
            sha256: Of outcome.json, as the worker reported it; None: whatever is there.
        """
        try:
            text = self._text(request)
            if text is None or sha256 not in (None, hashlib.sha256(text.encode()).hexdigest()):
                return None
            outcome = _parsed(text, request)
            if outcome is None or not self._is_whole(request, outcome):
                return None
            if self._storage is not None:
                artefacts.write_text(Path(request.folder) / artefacts.OUTCOME, text)
            if outcome.status in CONCLUSIVE:
                self._remove(request, checkpoint.NAME)
        except (OutOfReachError, OSError) as error:
            log.warning("what stage %s left cannot be read: %s", request.spec.key, error)
            return None
        return outcome

    def has_weights(self, request: StageRequest) -> bool:
        """Return whether the weights of a pre-training are where its children look for them."""
        if self._storage is None:
            return (Path(request.folder) / BACKBONE_FILE).is_file()
        return self._storage.size_bytes(request.spec.key, BACKBONE_FILE) is not None

    def forget(self, request: StageRequest) -> None:
        """Remove outcome and checkpoint of a stage that is to be run from its start."""
        for name in (artefacts.OUTCOME, checkpoint.NAME):
            self._remove(request, name)

    def _text(self, request: StageRequest) -> str | None:
        if self._storage is not None:
            return self._storage.text(request.spec.key, artefacts.OUTCOME)
        path = Path(request.folder) / artefacts.OUTCOME
        with contextlib.suppress(FileNotFoundError):
            # a network file system may remember that the file was not there: listing asks again
            list(path.parent.iterdir())
            return path.read_text()
        return None

    def _is_whole(self, request: StageRequest, outcome: Outcome) -> bool:
        """Return whether all files of an outcome are there, after fetching what is read here."""
        if self._storage is not None:
            self._fetch(self._storage, request, outcome)
        return all(self._is_intact(request, recorded) for recorded in outcome.artefacts)

    def _is_intact(self, request: StageRequest, recorded: Artefact) -> bool:
        if self._storage is not None and recorded.name in _WEIGHTS:
            found = self._storage.size_bytes(request.spec.key, recorded.path)
            return found == recorded.size_bytes
        return artefacts.is_intact(Path(request.folder), recorded)

    def _fetch(self, storage: Storage, request: StageRequest, outcome: Outcome) -> None:
        folder = Path(request.folder)
        folder.mkdir(parents=True, exist_ok=True)
        read = [each.path for each in outcome.artefacts if each.name not in _WEIGHTS]
        for name in (*read, artefacts.SPEC, artefacts.LOG):
            if not storage.fetch(request.spec.key, name, folder / name):
                (folder / name).unlink(missing_ok=True)  # of an earlier attempt

    def _remove(self, request: StageRequest, name: str) -> None:
        (Path(request.folder) / name).unlink(missing_ok=True)
        if self._storage is not None:
            self._storage.remove(request.spec.key, name)


def _parsed(text: str, request: StageRequest) -> Outcome | None:
    try:
        outcome = Outcome.from_json(text)
    except (ValueError, KeyError, TypeError):
        return None  # of an older gpbench: the stage is run again and writes a new one
    return outcome if outcome.key == request.spec.key else None
