"""`Store`: every way in and out of the database, each one transaction. Reading never writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from gpbench.core.errors import StoreError
from gpbench.core.plan import Plan
from gpbench.core.stage import (
    PLAIN,
    Artefact,
    HistoryRow,
    ImageFacts,
    Outcome,
    StageSpec,
    State,
)
from gpbench.store import claims, facts, progress, recording, scored
from gpbench.store import results as outcomes
from gpbench.store.counts import Counts
from gpbench.store.database import Location, connect, locate, told, writing
from gpbench.store.owner import Owner
from gpbench.store.rows import StoredExperiment, stored_experiment
from gpbench.store.schema import bring_up_to_date, check_readable, lock_writers


class Store:
    """The results database of a working directory, or of a team.

    Any number of processes may read; several may run stages, which claims keep apart. Every method
    may raise StoreError (locked, full, damaged, written to although opened for reading).
    """

    def __init__(self, engine: Engine, location: Location, *, read_only: bool) -> None:
        self._engine, self._location, self._read_only = engine, location, read_only
        self._writing = writing(engine)

    @classmethod
    def open(cls, url: str, *, read_only: bool = False) -> Self:
        """Return the database at an SQLAlchemy URL; unless only read, it is made or updated.

        Raises:
            StoreError: If it is missing (where only read), not writable, or not gpbench's.
            SchemaTooNewError: If a newer gpbench wrote it.
            MissingExtraError: If the URL's database driver is not installed.
        """
        location = locate(url)
        engine = connect(location, read_only=read_only)
        try:
            (check_readable if read_only else bring_up_to_date)(engine, location)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, location, read_only=read_only)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def record(self, plan: Plan) -> None:
        """Add or replace an experiment and its items; stages that are known keep what they are."""
        with self._write() as session:
            recording.record_plan(session, plan)

    def claim(
        self, key: str, owner: Owner, *, retry_failed: bool = False, force: bool = False
    ) -> claims.Claim:
        """Return `claimed` where `owner` shall run the stage now, else why not.

        `retry_failed` repeats failed stages except diverged ones (same key, same bits); `force`
        repeats all.
        """
        with self._write() as session:
            return claims.claim(session, key, owner, retry_failed=retry_failed, force=force)

    def begin(self, key: str, owner: Owner | None = None) -> None:
        """Tell that a stage of `owner` (default: this process) runs now, and no longer waits."""
        with self._write() as session:
            claims.begin(session, key, owner or Owner.current())

    def heartbeat(
        self, beats: Mapping[str, Mapping[str, Any] | None], owner: Owner | None = None
    ) -> None:
        """Tell that these stages are still run by `owner` (default: this process).

        Args:
            beats: Stage -> the fields of its last sign of life, JSON values; None: none came yet.
            owner: What others hold is left alone.
        """
        with self._write() as session:
            claims.heartbeat(session, beats, owner or Owner.current())

    def release(self, key: str, owner: Owner | None = None) -> None:
        """Set an interrupted stage of `owner` (default: this process) back to pending."""
        with self._write() as session:
            claims.release(session, key, owner or Owner.current())

    def block(self, keys: Collection[str], because: str) -> None:
        """Mark pending stages as blocked; they wait again as soon as their parents are done."""
        with self._write() as session:
            claims.block(session, keys, because)

    def commit(self, outcome: Outcome, folder: Path) -> bool:
        """Take in how a stage ended, with its counts; return False where it was in already.

        An outcome tells all of its stage: what was stored of it before is replaced.
        """
        scores = recording.load_scores(outcome, folder)
        with self._write() as session:
            return recording.commit_outcome(session, outcome, scores, folder / "log.txt")

    def experiments(self) -> list[str]:
        """Return the names of all experiments, the one planned last first."""
        with self._read() as session:
            return progress.experiment_names(session)

    def latest_experiment(self) -> str | None:
        """Return the name of the experiment planned last, None where there is none."""
        return next(iter(self.experiments()), None)

    def experiment(self, name: str) -> StoredExperiment:
        """Return an experiment as it was planned last.

        Raises:
            UnknownNameError: If there is none of that name.
        """
        with self._read() as session:
            return stored_experiment(progress.experiment_row(session, name))

    def status(self, experiment: str | None = None) -> progress.StoreStatus:
        """Return how many stages of an experiment are in which state, what runs and what failed.

        With None, of all experiments.
        """
        with self._read() as session:
            return progress.status(session, experiment)

    def states(self, keys: Collection[str]) -> dict[str, State]:
        """Return the states of the stages that are known.

        One whose owner is gone, or that is held and has not begun, is pending.
        """
        with self._read() as session:
            return progress.states(session, keys)

    def specs(self, keys: Collection[str]) -> dict[str, StageSpec]:
        """Return the resolved specs of the stages that are known."""
        with self._read() as session:
            return progress.specs(session, keys)

    def durations(self) -> list[tuple[StageSpec, float]]:
        """Return what was run and the seconds that it took, the latest stages done first."""
        with self._read() as session:
            return progress.durations(session)

    def environments(self, keys: Collection[str]) -> dict[str, dict[str, str]]:
        """Return device, CPU and versions of the stages that ended."""
        with self._read() as session:
            return progress.environments(session, keys)

    def pretrainings(self, experiment: str) -> dict[str, facts.PretrainingFacts]:
        """Return stage key -> what each pre-training of an experiment followed, and its cost."""
        with self._read() as session:
            return facts.pretrainings(session, experiment)

    def late_losses(self, stages: Mapping[int, Collection[str]]) -> dict[str, tuple[float, float]]:
        """Return the mean losses of the last two tenths of the steps, the earlier first.

        Args:
            stages: Number of steps -> keys of the stages that trained so long.
        """
        with self._read() as session:
            return facts.late_losses(session, stages)

    def history(self, key: str) -> tuple[HistoryRow, ...]:
        """Return the logged training steps of a stage."""
        with self._read() as session:
            return progress.history(session, key)

    def artefacts(self, key: str) -> tuple[Artefact, ...]:
        """Return the files that a stage left in its folder."""
        with self._read() as session:
            return progress.artefacts(session, key)

    def results(self, experiment: str, variant: str = PLAIN) -> list[outcomes.Result]:
        """Return one result per fine-tuning of an experiment, in order, unfinished ones too."""
        with self._read() as session:
            return outcomes.results(session, experiment, variant)

    def scene_totals(
        self, keys: Collection[str], variant: str = PLAIN
    ) -> dict[str, scored.SceneTotals]:
        """Return the counts of the stages that were scored, summed over each scene's images."""
        with self._read() as session:
            return scored.scene_totals(session, keys, variant)

    def counts(self, key: str, variant: str = PLAIN) -> tuple[tuple[ImageFacts, ...], Counts]:
        """Return a stage's scored images and their counts (N, C, C) int64, rows true classes."""
        with self._read() as session:
            return scored.counts(session, key, variant)

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with told(self._location.shown), Session(self._engine) as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        if self._read_only:
            raise StoreError(f"database {self._location.shown} was opened for reading only")
        with told(self._location.shown), Session(self._writing) as session, session.begin():
            lock_writers(session.connection())
            yield session
