"""What came of an experiment: one result per fine-tuning that it asks for, finished or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from gpbench.core.stage import State, Status
from gpbench.store.claims import present_state
from gpbench.store.counts import Counts, unpack
from gpbench.store.models import EnvironmentRow, ItemRow, ScoreRow, StageRow
from gpbench.store.progress import experiment_row


@dataclass(frozen=True)
class Result:
    """One replicate of one arm on one dataset: what it was, how it ended, its summed counts."""

    key: str | None
    """None where the dataset was not prepared when the plan was made."""
    arm: str
    backbone: str
    dataset: str
    label_fraction: float
    pretrain_seed: int | None
    finetune_seed: int
    pretrain_key: str | None
    """Stage key of the last pre-training phase; equal keys share one pre-training."""
    state: State
    status: Status | None
    """How it ended; where it is blocked, how the stage ended that blocks it."""
    total: Counts | None
    """(C, C) int64 summed over images, rows true classes; None unless it is done and scored."""
    environment: Mapping[str, str] = field(default_factory=dict)
    duration_s: float | None = None
    started_at: str | None = None
    """When its last attempt began, ISO 8601."""


def results(session: Session, experiment: str, variant: str) -> list[Result]:
    """Return all fine-tunings of an experiment in the plan's order, unfinished ones too."""
    row = experiment_row(session, experiment)
    stages = _stages(session, row.id)
    sums = totals(session, row.id, variant)
    # rows are twice as fast as objects, and fetched at once instead of one by one twice again
    connection = session.connection()
    environments = connection.execute(
        select(EnvironmentRow.stage_key, cast(EnvironmentRow.facts, Text))
        .join(ItemRow, ItemRow.stage_key == EnvironmentRow.stage_key)
        .where(ItemRow.experiment_id == row.id, ItemRow.kind == "finetune")
    ).all()
    distinct = {text: json.loads(text) for text in {text for _, text in environments}}
    facts = {key: distinct[text] for key, text in environments}
    items = connection.execute(
        select(
            ItemRow.stage_key,
            ItemRow.arm,
            ItemRow.backbone,
            ItemRow.dataset,
            ItemRow.label_fraction,
            ItemRow.pretrain_seed,
            ItemRow.finetune_seed,
        )
        .where(ItemRow.experiment_id == row.id, ItemRow.kind == "finetune")
        .order_by(ItemRow.position)
    )
    return [_result(_Item(*item), stages, sums, facts) for item in items.all()]


def totals(session: Session, experiment_id: int, variant: str) -> dict[str, Counts]:
    """Return the counts (C, C) of each scored stage of an experiment, summed over its images."""
    rows = session.connection().execute(
        select(ScoreRow.stage_key, ScoreRow.classes, ScoreRow.total)
        .join(ItemRow, ItemRow.stage_key == ScoreRow.stage_key)
        .where(ItemRow.experiment_id == experiment_id, ScoreRow.variant == variant)
        .order_by(ScoreRow.id)
    )
    return {key: unpack([total], classes)[0] for key, classes, total in rows.all()}


class _Item(NamedTuple):
    """What an item of the plan says of a fine-tuning."""

    key: str | None
    arm: str
    backbone: str
    dataset: str | None
    label_fraction: float | None
    pretrain_seed: int | None
    finetune_seed: int | None


class _Stage(NamedTuple):
    """How a stage stands; without its spec, which takes longer to read than all the rest."""

    key: str
    parent: str | None
    state: State
    status: Status | None
    duration_s: float | None
    started_at: str | None


def _stages(session: Session, experiment_id: int) -> dict[str, _Stage]:
    rows = session.connection().execute(
        select(
            StageRow.key,
            StageRow.parent,
            StageRow.state,
            StageRow.status,
            StageRow.duration_s,
            StageRow.started_at,
        )
        .join(ItemRow, ItemRow.stage_key == StageRow.key)
        .where(ItemRow.experiment_id == experiment_id)
    )
    stages = {row[0]: _Stage(*row) for row in rows.all()}
    running = (
        select(StageRow)
        .join(ItemRow, ItemRow.stage_key == StageRow.key)
        .where(ItemRow.experiment_id == experiment_id, StageRow.state == "running")
    )
    for stage in session.scalars(running):
        stages[stage.key] = stages[stage.key]._replace(state=present_state(stage))
    return stages


def _result(
    item: _Item,
    stages: Mapping[str, _Stage],
    sums: Mapping[str, Counts],
    facts: Mapping[str, Mapping[str, str]],
) -> Result:
    key = item.key
    stage = stages[key] if key else None
    done = key is not None and stage is not None and stage.state == "done"
    return Result(
        key=key,
        arm=item.arm,
        backbone=item.backbone,
        dataset=item.dataset or "",
        label_fraction=1.0 if item.label_fraction is None else item.label_fraction,
        pretrain_seed=item.pretrain_seed,
        finetune_seed=item.finetune_seed or 0,
        pretrain_key=stage.parent if stage else None,
        state=stage.state if stage else "pending",
        status=_ending(stage, stages) if stage else None,
        total=sums.get(key) if key and done else None,
        environment=facts.get(key, {}) if key and done else {},
        duration_s=stage.duration_s if stage else None,
        started_at=stage.started_at if stage else None,
    )


def _ending(stage: _Stage, stages: Mapping[str, _Stage]) -> Status | None:
    cause: _Stage | None = stage
    while cause is not None and cause.state == "blocked":
        cause = stages.get(cause.parent or "")
    return cause.status if cause else None
