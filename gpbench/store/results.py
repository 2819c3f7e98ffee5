"""What came of an experiment: one result per fine-tuning that it asks for, finished or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from gpbench.core.errors import StoreError
from gpbench.core.stage import ImageFacts, State, Status
from gpbench.store.claims import batches, present_state
from gpbench.store.counts import Counts, unpack
from gpbench.store.models import ConfusionRow, ImageRow, ItemRow, ScoreRow, StageRow
from gpbench.store.progress import environments, experiment_row, stages_of


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


def results(session: Session, experiment: str, variant: str) -> list[Result]:
    """Return all fine-tunings of an experiment in the plan's order, unfinished ones too."""
    row = experiment_row(session, experiment)
    stages = {stage.key: stage for stage in stages_of(session, row.id)}
    items = list(
        session.scalars(
            select(ItemRow)
            .where(ItemRow.experiment_id == row.id, ItemRow.kind == "finetune")
            .order_by(ItemRow.position)
        )
    )
    done = [
        item.stage_key
        for item in items
        if item.stage_key and stages[item.stage_key].state == "done"
    ]
    sums = totals(session, done, variant)
    facts = environments(session, done)
    return [_result(item, stages, sums, facts) for item in items]


def totals(session: Session, keys: Collection[str], variant: str) -> dict[str, Counts]:
    """Return the counts (C, C) of each scored stage, summed over its images."""
    sums: dict[str, Counts] = {}
    for batch in batches(keys):
        scores = {
            score.id: score
            for score in session.scalars(
                select(ScoreRow).where(ScoreRow.stage_key.in_(batch), ScoreRow.variant == variant)
            )
        }
        packed: dict[int, list[bytes]] = defaultdict(list)
        for number, counts in session.execute(
            select(ConfusionRow.score_id, ConfusionRow.counts).where(
                ConfusionRow.score_id.in_(scores)
            )
        ):
            packed[number].append(counts)
        for number, score in sorted(scores.items()):
            sums[score.stage_key] = unpack(packed[number], score.classes).sum(axis=0)
    return sums


def counts(session: Session, key: str, variant: str) -> tuple[tuple[ImageFacts, ...], Counts]:
    """Return a stage's scored images and their counts (N, C, C) int64, in the order of scoring.

    Raises:
        StoreError: If the stage has no such score.
    """
    score = session.scalar(
        select(ScoreRow)
        .where(ScoreRow.stage_key == key, ScoreRow.variant == variant)
        .order_by(ScoreRow.id.desc())
        .limit(1)
    )
    if score is None:
        raise StoreError(f"stage {key} has no scores of the variant '{variant}'")
    rows = session.execute(
        select(ImageRow, ConfusionRow.counts)
        .join(ConfusionRow, ConfusionRow.image_id == ImageRow.id)
        .where(ConfusionRow.score_id == score.id)
        .order_by(ConfusionRow.position)
    ).all()
    images = tuple(ImageFacts(image.name, image.scene, tuple(image.tags)) for image, _ in rows)
    return images, unpack([packed for _, packed in rows], score.classes)


def _result(
    item: ItemRow,
    stages: Mapping[str, StageRow],
    sums: Mapping[str, Counts],
    facts: Mapping[str, Mapping[str, str]],
) -> Result:
    key = item.stage_key
    stage = stages[key] if key else None
    return Result(
        key=key,
        arm=item.arm,
        backbone=item.backbone,
        dataset=item.dataset or "",
        label_fraction=1.0 if item.label_fraction is None else item.label_fraction,
        pretrain_seed=item.pretrain_seed,
        finetune_seed=item.finetune_seed or 0,
        pretrain_key=stage.parent if stage else None,
        state=present_state(stage) if stage else "pending",
        status=_ending(stage, stages) if stage else None,
        total=sums.get(key) if key else None,
        environment=facts.get(key, {}) if key else {},
        duration_s=stage.duration_s if stage else None,
    )


def _ending(stage: StageRow, stages: Mapping[str, StageRow]) -> Status | None:
    cause: StageRow | None = stage
    while cause is not None and cause.state == "blocked":
        cause = stages.get(cause.parent or "")
    return cause.status if cause else None
