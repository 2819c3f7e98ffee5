"""How far experiments are: what comes out without any counts. Inside a caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from gpbench.core.errors import UnknownNameError
from gpbench.core.plan import PlanItem
from gpbench.core.stage import (
    ENGINE_VERSION,
    Artefact,
    HistoryRow,
    StageSpec,
    State,
    spec_from_dict,
)
from gpbench.store.claims import batches, shown_state
from gpbench.store.models import (
    ArtefactRow,
    EnvironmentRow,
    ExperimentRow,
    HistoryRecord,
    ItemRow,
    StageRow,
)
from gpbench.store.rows import plan_item

LATEST = 2000
"""How many past stages tell how long stages take: enough of all kinds, read in 0.3 s."""


@dataclass(frozen=True)
class FailedStage:
    """A stage that ended badly, as the first arm that needs it does."""

    key: str
    item: PlanItem
    """Without its spec."""
    error: str | None
    """Why, in a sentence."""
    log: str | None
    """Where it lies; None: the stage left none."""


@dataclass(frozen=True)
class RunningStage:
    """A stage that a living process runs, as the first arm that needs it does."""

    key: str
    item: PlanItem
    """Without its spec."""
    since: str
    """When it began, ISO 8601, UTC."""
    beat: Mapping[str, Any] | None
    """The fields of its last sign of life; None: none came yet."""


@dataclass(frozen=True)
class StoreStatus:
    """Distinct stages per state, every state named; those that run, and the failed ones."""

    experiment: str | None
    """None: all of the database."""
    counts: Mapping[State, int]
    running: tuple[RunningStage, ...]
    """In the order in which they began."""
    failed: tuple[FailedStage, ...]
    """In the order of the plan."""


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


def status(session: Session, experiment: str | None) -> StoreStatus:
    """Return how far an experiment is; with None, all experiments together."""
    items = select(ItemRow.stage_key).where(ItemRow.stage_key.is_not(None))
    if experiment is not None:
        items = items.where(ItemRow.experiment_id == experiment_row(session, experiment).id)
    asked = StageRow.key.in_(items)
    counted = select(StageRow.state, func.count()).where(asked).group_by(StageRow.state)
    found: Counter[State] = Counter()
    for state, number in session.execute(counted):
        found[state] = number
    taken = select(StageRow).where(asked, StageRow.state == "running")
    running = list(session.scalars(taken.order_by(StageRow.started_at, StageRow.key)))
    begun = [stage for stage in running if shown_state(stage) == "running"]
    found["running"] -= len(running) - len(begun)
    found["pending"] += len(running) - len(begun)
    ended_badly = select(StageRow.key, StageRow.error, StageRow.log).where(
        asked, StageRow.state == "failed"
    )
    failed = session.execute(ended_badly).all()
    names: Iterable[State] = get_args(State)
    first = _first_items(
        session, [*(stage.key for stage in begun), *(row.key for row in failed)], experiment
    )
    return StoreStatus(
        experiment,
        {name: found[name] for name in names},
        tuple(
            RunningStage(stage.key, first[stage.key], stage.started_at, stage.beat)
            for stage in begun  # a plan may be recorded anew in between
            if stage.key in first and stage.started_at is not None
        ),
        tuple(
            sorted(
                (FailedStage(k, first[k], error, log) for k, error, log in failed if k in first),
                key=lambda stage: stage.item.index,
            )
        ),
    )


def states(session: Session, keys: Collection[str]) -> dict[str, State]:
    """Return the states of the stages that are known."""
    return {
        stage.key: shown_state(stage)
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


def durations(session: Session) -> list[tuple[StageSpec, float]]:
    """Return specs and seconds of the latest stages that are done, by this engine."""
    engine: ColumnElement[int] = StageRow.spec["engine_version"].as_integer()
    rows = session.execute(
        select(StageRow.spec, StageRow.duration_s)
        .where(StageRow.state == "done", engine == ENGINE_VERSION)
        .order_by(StageRow.started_at.desc(), StageRow.key)
        .limit(LATEST)
    )
    return [(spec_from_dict(spec), seconds or 0.0) for spec, seconds in rows]


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


def _first_items(
    session: Session, keys: Collection[str], experiment: str | None
) -> dict[str, PlanItem]:
    """Return key -> the first item of a stage, of all experiments if none is named."""
    found: dict[str, PlanItem] = {}
    for batch in batches(keys):
        rows = select(ItemRow).where(ItemRow.stage_key.in_(batch))
        if experiment is not None:
            rows = rows.where(ItemRow.experiment_id == experiment_row(session, experiment).id)
        for row in session.scalars(rows.order_by(ItemRow.experiment_id, ItemRow.position)):
            found.setdefault(row.stage_key or "", plan_item(row))
    return found
