"""What goes in: plans before a run, outcomes after a stage. Inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from gpbench.core.errors import StoreError
from gpbench.core.plan import Plan, PlanItem
from gpbench.core.stage import FinetuneSpec, ImageFacts, Outcome, digest, spec_from_dict
from gpbench.store.claims import NOBODY, batches, known_stage, unblock_children
from gpbench.store.counts import PackedScore, read_scored
from gpbench.store.models import (
    ArtefactRow,
    ConfusionRow,
    EnvironmentRow,
    ExperimentRow,
    HistoryRecord,
    ImageRow,
    ItemRow,
    ScoreRow,
    StageRow,
)
from gpbench.store.rows import experiment_to_dict

SCORED_SPLIT = "test"


def record_plan(session: Session, plan: Plan) -> None:
    """Write the experiment, replace its items, and add the stages that are not known yet."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    name = plan.experiment.name
    row = session.scalar(select(ExperimentRow).where(ExperimentRow.name == name))
    if row is None:
        row = ExperimentRow(name=name, created_at=now)
        session.add(row)
    row.planned_at, row.trial = now, plan.trial
    row.experiment = experiment_to_dict(plan.experiment)
    row.strategies = [asdict(facts) for facts in plan.strategies]
    row.datasets = [asdict(facts) for facts in plan.datasets]
    row.excluded = [asdict(excluded) for excluded in plan.excluded]
    row.partial, row.images = list(plan.partial), dict(plan.images)
    session.flush()
    session.execute(delete(ItemRow).where(ItemRow.experiment_id == row.id))
    _add_stages(session, plan)
    if plan.items:
        session.execute(insert(ItemRow), [_item(row.id, item) for item in plan.items])


def load_scores(outcome: Outcome, folder: Path) -> list[PackedScore]:
    """Return the checked counts of all variants of an outcome; read before the transaction begins.

    Raises:
        StoreError: If a file is not as the outcome says.
    """
    names = [image.name for image in outcome.images]
    return [read_scored(folder, scored, names) for scored in outcome.scores]


def outcome_hash(outcome: Outcome) -> str:
    """Return what tells two outcomes of a stage apart.

    Raises:
        StoreError: If it holds a number that is not finite.
    """
    try:
        return digest(outcome)
    except ValueError as error:
        raise StoreError(
            f"the outcome of stage {outcome.key} holds a number that is not finite: {error}"
        ) from error


def commit_outcome(
    session: Session, outcome: Outcome, scores: Sequence[PackedScore], log: Path
) -> bool:
    """Replace what is known of a stage by its outcome; return False where that was done already.

    A failure never takes the place of a result: it comes late, from a run that was taken over.
    """
    stage = known_stage(session, outcome.key)
    content = outcome_hash(outcome)
    ok = outcome.status == "ok"
    if stage.outcome_hash == content or (stage.state == "done" and not ok):
        return False
    _check_classes(stage, scores)
    for table in (HistoryRecord, ArtefactRow, EnvironmentRow, ScoreRow):
        session.execute(delete(table).where(table.stage_key == stage.key))
    stage.state, stage.status = ("done" if ok else "failed"), outcome.status
    stage.error, stage.diverged_at = outcome.error, outcome.diverged_at
    stage.started_at, stage.duration_s = outcome.started_at, outcome.duration_s
    stage.log = str(log) if log.is_file() else None
    stage.outcome_hash = content
    for column in NOBODY:
        setattr(stage, column, None)
    _add_records(session, outcome)
    _add_scores(session, stage, outcome.images, scores)
    if ok:
        unblock_children(session, stage.key)
    return True


def _add_stages(session: Session, plan: Plan) -> None:
    stages = plan.stages()
    known: set[str] = set()
    for batch in batches(stages):
        known.update(session.scalars(select(StageRow.key).where(StageRow.key.in_(batch))))
    rows = [
        {
            "key": key,
            "kind": item.kind,
            "parent": item.spec.parent,
            "dataset": item.dataset,
            "spec": asdict(item.spec),
            "state": "pending",
            "attempts": 0,
        }
        for key, item in stages.items()
        if key not in known and item.spec is not None
    ]
    if rows:
        session.execute(insert(StageRow), rows)


def _item(experiment_id: int, item: PlanItem) -> dict[str, object]:
    return {
        "experiment_id": experiment_id,
        "position": item.index,
        "stage_key": item.key,
        "kind": item.kind,
        "phase": item.phase,
        "arm": item.arm,
        "backbone": item.backbone,
        "in_chans": item.in_chans,
        "dataset": item.dataset,
        "label_fraction": item.label_fraction,
        "pretrain_seed": item.pretrain_seed,
        "finetune_seed": item.finetune_seed,
        "needs": list(item.needs),
    }


def _check_classes(stage: StageRow, scores: Sequence[PackedScore]) -> None:
    if not scores:
        return
    spec = spec_from_dict(stage.spec)
    if not isinstance(spec, FinetuneSpec):
        raise StoreError(f"stage {stage.key} is a pre-training and cannot have scores")
    declared = len(spec.dataset.info.classes)
    for score in scores:
        if score.classes != declared:
            raise StoreError(
                f"the scores of stage {stage.key} count {score.classes} classes, "
                f"its dataset declares {declared}"
            )


def _add_records(session: Session, outcome: Outcome) -> None:
    key = {"stage_key": outcome.key}
    session.add(EnvironmentRow(**key, facts=dict(outcome.environment)))
    session.add_all(ArtefactRow(**key, **asdict(artefact)) for artefact in outcome.artefacts)
    if outcome.history:
        session.execute(insert(HistoryRecord), [{**key, **asdict(row)} for row in outcome.history])


def _add_scores(
    session: Session, stage: StageRow, images: Sequence[ImageFacts], scores: Sequence[PackedScore]
) -> None:
    ids = _image_ids(session, stage.dataset or "", images) if scores else []
    for score in scores:
        row = ScoreRow(
            stage_key=stage.key,
            variant=score.variant,
            evaluation=score.evaluation,
            classes=score.classes,
            total=score.total,
        )
        session.add(row)
        session.flush()
        counts = [
            {"score_id": row.id, "position": position, "image_id": image, "counts": packed}
            for position, (image, packed) in enumerate(zip(ids, score.packed, strict=True))
        ]
        if counts:
            session.execute(insert(ConfusionRow), counts)


def _image_ids(session: Session, dataset: str, images: Sequence[ImageFacts]) -> list[int]:
    """Return one id per image; images whose facts are not known yet are added."""
    rows = [
        {"dataset": dataset, "split": SCORED_SPLIT, **asdict(image), "tags": list(image.tags)}
        for image in images
    ]
    digests = [digest(row) for row in rows]
    ids: dict[str, int] = {}
    missing = {key: {"digest": key, **row} for key, row in zip(digests, rows, strict=True)}
    for _ in range(2):  # what the first round does not find is added, the second finds all
        for batch in batches(digests):
            found = session.execute(
                select(ImageRow.digest, ImageRow.id).where(ImageRow.digest.in_(batch))
            )
            ids.update((key, image) for key, image in found)
        new = [row for key, row in missing.items() if key not in ids]
        if not new:
            break
        session.execute(insert(ImageRow), new)
    return [ids[key] for key in digests]
