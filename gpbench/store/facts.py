"""How arms were trained: facts of many stages, each kind read at once, inside a transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from gpbench.store.claims import batches
from gpbench.store.models import EnvironmentRow, HistoryRecord, ItemRow, StageRow
from gpbench.store.progress import experiment_row


@dataclass(frozen=True)
class PretrainingFacts:
    """What a pre-training follows, how long it took and where it ran, as far as it is done."""

    parent: str | None
    """Stage key of the phase before it."""
    duration_s: float | None
    environment: Mapping[str, str]
    started_at: str | None = None
    """When its last attempt began, ISO 8601."""


def pretrainings(session: Session, experiment: str) -> dict[str, PretrainingFacts]:
    """Return stage key -> facts of all pre-trainings of an experiment."""
    row = experiment_row(session, experiment)
    keys = select(ItemRow.stage_key).where(
        ItemRow.experiment_id == row.id, ItemRow.kind == "pretrain"
    )
    rows = session.execute(
        select(
            StageRow.key,
            StageRow.parent,
            StageRow.duration_s,
            EnvironmentRow.facts,
            StageRow.started_at,
        )
        .outerjoin(EnvironmentRow, EnvironmentRow.stage_key == StageRow.key)
        .where(StageRow.key.in_(keys))
        .order_by(StageRow.key)
    )
    return {
        key: PretrainingFacts(parent, seconds, facts or {}, began)
        for key, parent, seconds, facts, began in rows
    }


def late_losses(
    session: Session, stages: Mapping[int, Collection[str]]
) -> dict[str, tuple[float, float]]:
    """Return stage key -> mean logged loss of the tenth of steps before the last, and of the last.

    Stages whose logs have no row in either tenth are left out, as is all below 10 steps.

    Args:
        stages: Number of steps -> keys of the stages that trained so long.
    """
    found: dict[str, tuple[float, float]] = {}
    loss, step = HistoryRecord.loss, HistoryRecord.step
    for steps, keys in stages.items():
        tenth = steps // 10
        last = step > steps - tenth
        means = (func.avg(case((~last, loss))), func.avg(case((last, loss))))
        for batch in batches(keys):
            rows = session.execute(
                select(HistoryRecord.stage_key, *means)
                .where(HistoryRecord.stage_key.in_(batch), step > steps - 2 * tenth)
                .group_by(HistoryRecord.stage_key)
            )
            for key, before, after in rows:
                if before is not None and after is not None:
                    found[key] = (before, after)
    return found
