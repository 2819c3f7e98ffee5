"""Pixel counts of scored stages by image and by scene. Inside a caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from gpbench.core.errors import StoreError
from gpbench.core.stage import ImageFacts
from gpbench.store.claims import BATCH, batches
from gpbench.store.counts import Counts, unpack
from gpbench.store.models import ConfusionRow, ImageRow, ScoreRow


@dataclass(frozen=True)
class SceneTotals:
    """The counts of one stage by scene, and what they are counts of."""

    dataset: str
    scenes: tuple[str, ...]
    """Sorted by name."""
    images: int
    """How many the scenes have together."""
    counts: Counts
    """(G, C, C) int64 summed over each scene's images, rows true classes."""


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


def scene_totals(session: Session, keys: Collection[str], variant: str) -> dict[str, SceneTotals]:
    """Return the counts of each scored stage, summed over the images of each scene."""
    found: dict[str, SceneTotals] = {}
    for batch in batches(keys):
        scores = {
            score.id: score
            for score in session.scalars(
                select(ScoreRow).where(ScoreRow.stage_key.in_(batch), ScoreRow.variant == variant)
            )
        }
        last = {score.stage_key: number for number, score in sorted(scores.items())}
        packed: defaultdict[int, list[bytes]] = defaultdict(list)
        images: defaultdict[int, list[int]] = defaultdict(list)
        wanted = select(ConfusionRow.score_id, ConfusionRow.image_id, ConfusionRow.counts).where(
            ConfusionRow.score_id.in_(last.values())
        )
        rows = session.connection().execute(wanted).all()  # one by one they take twice as long
        for number, image, counts in rows:
            packed[number].append(counts)
            images[number].append(image)
        scenes = _scenes(session, {image for of_score in images.values() for image in of_score})
        for key, number in last.items():
            tables = unpack(packed[number], scores[number].classes)
            found[key] = _by_scene([scenes[image] for image in images[number]], tables)
    return found


def _scenes(session: Session, images: Collection[int]) -> dict[int, tuple[str, str]]:
    """Return image -> its dataset and scene."""
    numbers = sorted(images)
    return {
        number: (dataset, scene)
        for start in range(0, len(numbers), BATCH)
        for number, dataset, scene in session.execute(
            select(ImageRow.id, ImageRow.dataset, ImageRow.scene).where(
                ImageRow.id.in_(numbers[start : start + BATCH])
            )
        )
    }


def _by_scene(places: Sequence[tuple[str, str]], tables: Counts) -> SceneTotals:
    """Return counts (N, C, C) of images, given their datasets and scenes, summed by scene."""
    scenes = sorted({scene for _, scene in places})
    at = {scene: number for number, scene in enumerate(scenes)}
    summed = np.zeros((len(scenes), *tables.shape[1:]), np.int64)
    np.add.at(summed, [at[scene] for _, scene in places], tables)
    return SceneTotals(places[0][0] if places else "", tuple(scenes), len(places), summed)
