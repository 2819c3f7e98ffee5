"""Stored results -> the tables of classes. Pure; percent points."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from gpbench.core.plan import DatasetFacts
from gpbench_leaderboard.page import ClassTable
from gpbench_leaderboard.scores import Cells, Place, Scored, draw


def class_tables(
    datasets: Sequence[DatasetFacts], cells: Cells, *, backbones: bool, fractions: bool
) -> tuple[ClassTable, ...]:
    """Return a table per dataset with scores; heads name backbone and label fraction if asked."""
    tables = []
    for facts in datasets:
        finished = {
            place: found
            for place, found in cells[facts.name].items()
            if any(entry.scores for entry in found)
        }
        if not finished:
            continue
        measure = "F1" if facts.spec.protocol.metric == "mF1" else "IoU"
        per_class = [class_means(found, measure) for found in finished.values()]
        tables.append(
            ClassTable(
                dataset=facts.name,
                metric=measure,
                heads=tuple(_head(place, backbones, fractions) for place in finished),
                rows=tuple(
                    (name, tuple(values[index] for values in per_class))
                    for index, name in enumerate(facts.spec.info.classes)
                ),
            )
        )
    return tuple(tables)


def class_means(found: Iterable[Scored], measure: str) -> tuple[float | None, ...]:
    """Return each class's mean over units, IoU or F1 in percent points; None: no run has one."""
    draws: defaultdict[int, list[tuple[float, ...]]] = defaultdict(list)
    for entry in found:
        if entry.scores is not None:
            values = entry.scores.f1 if measure == "F1" else entry.scores.iou
            draws[draw(entry.result)].append(tuple(values.tolist()))
    per_unit = [
        [_known_mean(values) for values in zip(*runs, strict=True)] for runs in draws.values()
    ]
    means = [_known_mean(values) for values in zip(*per_unit, strict=True)]
    return tuple(None if math.isnan(mean) else 100 * mean for mean in means)


def _head(place: Place, backbones: bool, fractions: bool) -> str:  # noqa: FBT001  one private caller
    arm, backbone, fraction = place
    parts = [arm, backbone if backbones else "", f"{fraction * 100:g} %" if fractions else ""]
    return " · ".join(filter(None, parts))


def _known_mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.fmean(known) if known else math.nan
