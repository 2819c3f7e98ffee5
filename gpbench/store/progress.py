"""How far experiments are: what comes out without any counts. Inside a caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from gpbench.core.errors import UnknownNameError
from gpbench.core.stage import Artefact, HistoryRow, StageSpec, State, spec_from_dict
from gpbench.store.claims import batches, present_state
from gpbench.store.models import (
    ArtefactRow,
    EnvironmentRow,
    ExperimentRow,
    HistoryRecord,
    ItemRow,
    StageRow,
)


@dataclass(frozen=True)
class FailedStage:
    """A stage that ended badly: the sentence, and where its log lies."""

    key: str
    error: str | None
    log: str | None


@dataclass(frozen=True)
class StoreStatus:
    """Distinct stages per state, every state named, and the failed ones."""

    counts: Mapping[State, int]
    failed: tuple[FailedStage, ...]


def experiment_row(session: Session, name: str) -> ExperimentRow:
    """Return the experiment of that name.

    Raises:
        UnknownNameError: If there is none.
    """
    row = session.scalar(select(ExperimentRow).where(ExperimentRow.name == name))
    if row is None:
        raise UnknownNameError("experiment", name, experiment_names(session))
    return row


def experiment_names(session: Session) -> list[str]:
    """Return all names, the one planned last first."""
    order = (ExperimentRow.planned_at.desc(), ExperimentRow.id.desc())
    return list(session.scalars(select(ExperimentRow.name).order_by(*order)))


def stages_of(session: Session, experiment_id: int) -> list[StageRow]:
    """Return the distinct stages of an experiment, by key."""
    keys = select(ItemRow.stage_key).where(ItemRow.experiment_id == experiment_id)
    return list(
        session.scalars(select(StageRow).where(StageRow.key.in_(keys)).order_by(StageRow.key))
    )


def status(session: Session, experiment: str | None) -> StoreStatus:
    """Return how far an experiment is, or with None the whole database."""
    if experiment is None:
        stages = list(session.scalars(select(StageRow).order_by(StageRow.key)))
    else:
        stages = stages_of(session, experiment_row(session, experiment).id)
    found = Counter(present_state(stage) for stage in stages)
    names: Iterable[State] = get_args(State)
    return StoreStatus(
        {name: found[name] for name in names},
        tuple(FailedStage(s.key, s.error, s.log) for s in stages if s.state == "failed"),
    )


def states(session: Session, keys: Collection[str]) -> dict[str, State]:
    """Return the states of the stages that are known."""
    return {
        stage.key: present_state(stage)
        for batch in batches(keys)
        for stage in session.scalars(select(StageRow).where(StageRow.key.in_(batch)))
    }


def specs(session: Session, keys: Collection[str]) -> dict[str, StageSpec]:
    """Return the specs of the stages that are known."""
    return {
        key: spec_from_dict(spec)
        for batch in batches(keys)
        for key, spec in session.execute(
            select(StageRow.key, StageRow.spec).where(StageRow.key.in_(batch))
        )
    }


def environments(session: Session, keys: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the environment facts of the stages that ended."""
    return {
        row.stage_key: row.facts
        for batch in batches(keys)
        for row in session.scalars(
            select(EnvironmentRow).where(EnvironmentRow.stage_key.in_(batch))
        )
    }


def history(session: Session, key: str) -> tuple[HistoryRow, ...]:
    """Return the logged steps of a stage, first to last."""
    rows = session.scalars(
        select(HistoryRecord).where(HistoryRecord.stage_key == key).order_by(HistoryRecord.step)
    )
    return tuple(HistoryRow(row.step, row.loss, row.lr, row.score) for row in rows)


def artefacts(session: Session, key: str) -> tuple[Artefact, ...]:
    """Return the files that a stage left in its folder, by name."""
    rows = session.scalars(
        select(ArtefactRow).where(ArtefactRow.stage_key == key).order_by(ArtefactRow.name)
    )
    return tuple(Artefact(row.name, row.path, row.sha256, row.size_bytes) for row in rows)
