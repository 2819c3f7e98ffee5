"""A stage whose files are in a shared storage: it works in this node's scratch folder."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpbench.core.stage import CONCLUSIVE, Outcome, StageRequest, canonical_json
from gpbench.engine import checkpoint
from gpbench.engine.monitor import Beat, Monitor
from gpbench.stages import artefacts
from gpbench.stages.inputs import waiting
from gpbench.stages.lock import locked
from gpbench.stages.place import LOCK_WAIT_S
from gpbench.stages.reach import OutOfReachError, writing
from gpbench.stages.scratch import lock_of, remove_orphans, scratch_folder
from gpbench.stages.storage import Storage

log = logging.getLogger(__name__)


class StoredPlace:
    """A folder in scratch, which comes from the storage and goes there. Meets `Place`.

    Checkpoints are copied as they are written, so that any node can continue from the last one.
    What lay in scratch before is never taken up: another node may have got further since, or the
    stage is to begin anew.
    """

    def __init__(self, request: StageRequest, url: str, monitor: Monitor) -> None:
        self._storage = Storage(url)
        self._key, self._spec = request.spec.key, canonical_json(request.spec)
        self._stages = scratch_folder() / "stages"
        self.folder = self._stages / self._key
        self.monitor: Monitor = _Copying(monitor, self._storage, self._key)

    @contextmanager
    def entered(self) -> Iterator[None]:
        remove_orphans(self._stages)
        lock = lock_of(self.folder)
        with locked(lock, waiting(self.monitor), wait_s=LOCK_WAIT_S):
            try:
                self._begin()
                yield
            finally:
                shutil.rmtree(self.folder, ignore_errors=True)
                lock.unlink(missing_ok=True)

    def leave(self, outcome: Outcome) -> None:
        with writing(self.folder):
            (self.folder / artefacts.OUTCOME).write_text(outcome.text())
        names = [artefacts.SPEC, *(each.path for each in outcome.artefacts)]
        if (self.folder / artefacts.LOG).exists():
            names.append(artefacts.LOG)
        for name in (*names, artefacts.OUTCOME):
            self._storage.push(self.folder / name, self._key)
        if outcome.status in CONCLUSIVE:
            self._storage.remove(self._key, checkpoint.NAME)

    def _begin(self) -> None:
        for name in (artefacts.OUTCOME, artefacts.LOG):
            self._storage.remove(self._key, name)
        with writing(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()
            (self.folder / artefacts.SPEC).write_text(self._spec + "\n")
        self._storage.fetch(self._key, checkpoint.NAME, self.folder / checkpoint.NAME)


class _Copying:
    """A monitor that copies each checkpoint into the storage."""

    def __init__(self, inner: Monitor, storage: Storage, key: str) -> None:
        self._inner, self._storage, self._key = inner, storage, key

    def beat(self, beat: Beat) -> None:
        self._inner.beat(beat)

    def stop_wanted(self) -> bool:
        return self._inner.stop_wanted()

    def saved(self, folder: Path) -> None:
        try:
            self._storage.push(folder / checkpoint.NAME, self._key)
        except OutOfReachError as error:  # the next one may get there: no reason to end a training
            log.warning("a checkpoint of stage %s was not copied: %s", self._key, error)
        self._inner.saved(folder)
