"""Units of two arms that share what was drawn for them: runs on a part of the labels. Pure.

Equal replicates of all arms are trained on the same images. Everywhere else they share only the
order of the data and the head's first weights, which correlates scores too little to count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gpbench.compare.cell import Cell, mean
from gpbench.compare.words import Level
from gpbench.stats.satterthwaite import RESOLUTION

Pairs = tuple[tuple[float, float], ...]
"""The candidate's and the baseline's value of each pair."""


def paired_gains(candidate: Sequence[Cell], baseline: Sequence[Cell], level: Level) -> Pairs | None:
    """Return one pair per unit, averaged over the datasets; None where some unit has no partner.

    A unit is a pre-training; at level `checkpoint`, where each arm has one, a fine-tuning. The runs
    of an arm without pre-trainings are cut into as many blocks as the other has pre-trainings.

    Args:
        candidate: Its cells, one per dataset.
        baseline: Its cells on the same datasets, in the same order.
        level: Whether a pre-training or a fine-tuning is the unit.
    """
    found = [_of_dataset(a, b, level) for a, b in zip(candidate, baseline, strict=True)]
    if any(units is None for units in found):
        return None
    of_dataset = [units for units in found if units is not None]
    places = sorted(of_dataset[0])
    if len(places) < 2 or any(units.keys() != of_dataset[0].keys() for units in of_dataset):
        return None  # never cut to the smaller arm
    return tuple(
        (mean(units[at][0] for units in of_dataset), mean(units[at][1] for units in of_dataset))
        for at in places
    )


def correlation(pairs: Pairs) -> float | None:
    """Return Pearson's correlation of the pairs in [-1, 1]; None where one side does not vary."""
    sides = [list(side) for side in zip(*pairs, strict=True)]
    if any(max(side) - min(side) <= RESOLUTION for side in sides):
        return None
    a, b = ([value - mean(side) for value in side] for side in sides)
    squares = math.fsum(x * x for x in a) * math.fsum(y * y for y in b)
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(squares)


def _of_dataset(a: Cell, b: Cell, level: Level) -> Mapping[int, tuple[float, float]] | None:
    """Return the pairs of one dataset by the number of their unit."""
    units = [_fine_tunings(cell) if level == "checkpoint" else cell.units for cell in (a, b)]
    if any(found is None for found in units):
        return None
    left, right = ({at: mean(v) for at, v in found.items()} for found in units if found is not None)
    if a.pretrains != b.pretrains:
        left, right = (
            found if cell.pretrains else _blocks(found, len(other))
            for cell, found, other in ((a, left, right), (b, right, left))
        )
    if left.keys() != right.keys():
        return None
    return {at: (left[at], right[at]) for at in left}


def _fine_tunings(cell: Cell) -> Mapping[int, tuple[float, ...]] | None:
    """Return the runs of the only pre-training; None where there are several."""
    if cell.pretrains and len(cell.units) > 1:
        return None
    return {r.finetune_seed: (r.value,) for r in cell.replicates}


def _blocks(runs: Mapping[int, float], count: int) -> dict[int, float]:
    """Return the means of so many blocks of consecutive runs; empty where they do not come out."""
    size, rest = divmod(len(runs), count)
    if rest or sorted(runs) != list(range(len(runs))):
        return {}
    return {at: mean(runs[at * size + each] for each in range(size)) for at in range(count)}
