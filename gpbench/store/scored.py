"""Pixel counts of scored stages by image and by scene. Inside a caller's transaction."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select
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
    grouped: dict[tuple[int, ...], _Groups] = {}  # runs are scored on the same images
    connection = session.connection()  # rows are twice as fast as objects
    for batch in batches(keys):
        scores = connection.execute(
            select(ScoreRow.stage_key, ScoreRow.id, ScoreRow.classes)
            .where(ScoreRow.stage_key.in_(batch), ScoreRow.variant == variant)
            .order_by(ScoreRow.id)
        )
        last = {key: (number, classes) for key, number, classes in scores}
        wanted = (
            select(ConfusionRow.score_id, ConfusionRow.image_id, ConfusionRow.counts)
            .where(ConfusionRow.score_id.in_([number for number, _ in last.values()]))
            .order_by(ConfusionRow.score_id, ConfusionRow.position)
        )
        rows = connection.execute(wanted).all()  # one by one they take twice as long
        numbers, images, packed = zip(*rows, strict=True) if rows else ((), (), ())
        for key, (number, classes) in last.items():
            of_score = slice(bisect_left(numbers, number), bisect_right(numbers, number))
            here = images[of_score]
            if here not in grouped:
                grouped[here] = _groups(_places(connection, here))
            found[key] = _summed(grouped[here], unpack(packed[of_score], classes))
    return found


def _places(connection: Connection, images: Sequence[int]) -> list[tuple[str, str]]:
    """Return the dataset and scene of each image."""
    numbers = sorted(images)
    places = {
        number: (dataset, scene)
        for start in range(0, len(numbers), BATCH)
        for number, dataset, scene in connection.execute(
            select(ImageRow.id, ImageRow.dataset, ImageRow.scene).where(
                ImageRow.id.in_(numbers[start : start + BATCH])
            )
        )
    }
    return [places[image] for image in images]


@dataclass(frozen=True)
class _Groups:
    """Images put in the `order` of their scenes, which begin at `starts`."""

    dataset: str
    scenes: tuple[str, ...]
    order: NDArray[np.intp]
    starts: NDArray[np.intp]


def _groups(places: Sequence[tuple[str, str]]) -> _Groups:
    """Return images grouped by scene, given their datasets and scenes."""
    order = np.array(sorted(range(len(places)), key=lambda at: places[at][1]), np.intp)
    in_order = [places[at][1] for at in order]
    scenes = tuple(dict.fromkeys(in_order))
    starts = np.array([bisect_left(in_order, scene) for scene in scenes], np.intp)
    return _Groups(places[0][0] if places else "", scenes, order, starts)


def _summed(groups: _Groups, tables: Counts) -> SceneTotals:
    """Return the counts (N, C, C) of images, summed by scene."""
    counts = np.add.reduceat(tables[groups.order], groups.starts) if len(tables) else tables
    return SceneTotals(groups.dataset, groups.scenes, len(tables), counts)
