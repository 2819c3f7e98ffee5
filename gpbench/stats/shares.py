"""Which shares of the variance of scores and of gains the sources of chance have. Pure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from gpbench.core.errors import ComparisonError

DATASET, PRE, FT, IMAGES = "dataset", "pre-training", "fine-tuning", "test images"
BY_DATASET, BY_BACKBONE = "strategy x dataset", "strategy x backbone"
BY_BOTH = "strategy x dataset x backbone"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sampled:
    """The runs of one arm with one backbone on one dataset.

    `units`: pre-training -> its fine-tunings' scores in percent points; an arm that pre-trains
    nothing has all its runs in one unit. A pre-training that serves several datasets has the same
    name in all of them.
    """

    units: Mapping[Hashable, Sequence[float]]
    pretrains: bool = False


@dataclass(frozen=True)
class Share:
    """One source's part of the variance.

    `of_score`: of one run's score; None for test images, whose part in a score nobody measures.
    `of_gain`: of the difference between one run of each of two arms; None for the dataset, whose
    level cancels.
    """

    source: str
    variance: float
    """Of one score, in percent points squared; of test images half of that of a difference."""
    of_score: float | None
    of_gain: float | None


@dataclass(frozen=True)
class VarianceShares:
    """The shares of all sources in the order of the design; each kind adds up to 1."""

    shares: tuple[Share, ...]
    negative: tuple[str, ...]
    """Sources whose variance was estimated below 0 and set to 0."""
    unknown: tuple[str, ...]
    """Sources that this design cannot tell apart, a sentence each."""


def variance_shares(
    table: Sequence[Sequence[Sequence[Sampled]]], images: float | None = None
) -> VarianceShares:
    """Return how much of the variance comes from where, from expected mean squares.

    Strategies are fixed; datasets, backbones, pre-trainings and fine-tunings are draws with one
    variance each. Of what chance adds to the mean squares only that part is taken off which varies
    within them: the error of a pre-training that serves several datasets is common to these. The
    backbones' own levels are in no share, as a score is one of a given arm and backbone.

    Args:
        table: [dataset][strategy][backbone], at least 2 datasets and 2 strategies, without gaps.
        images: Variance of a difference of two arms, of choosing other test images; None: unknown.

    Raises:
        ComparisonError: If the table has gaps or is too small, or no cell has two runs.

    Reference: Searle, Casella & McCulloch 1992, Variance Components, 4.2 to 4.4.
    """
    cells = _means(table)
    n_datasets, n_arms, n_backbones = cells.shape
    columns = [
        [[table[d][s][b] for d in range(n_datasets)] for b in range(n_backbones)]
        for s in range(n_arms)
    ]
    flat = [column for of_arm in columns for column in of_arm]
    noise = _Noise.of(flat)
    own = [[noise.covariance(column) for column in of_arm] for of_arm in columns]
    per_cell = float(np.mean([_within(each) for of_arm in own for each in of_arm]))
    averaged = float(np.mean([_within(np.sum(of_arm, axis=0)) for of_arm in own]))
    averaged /= n_backbones**2
    found: dict[str, float] = {}
    both = 0.0
    if n_backbones > 1:
        found[BY_BOTH] = _mean_square(cells, (0, 1, 2)) - per_cell
        both = max(0.0, found[BY_BOTH])
        level = float(np.mean([of_one.sum() for of_arm in own for of_one in of_arm]))
        found[BY_BACKBONE] = (
            _mean_square(cells.mean(axis=0), (0, 1)) - level / n_datasets**2 - both / n_datasets
        )
    found[BY_DATASET] = _mean_square(cells.mean(axis=2), (0, 1)) - averaged - both / n_backbones
    interaction = max(0.0, found[BY_DATASET]) + both
    if images is not None:  # a dataset's test images are one draw for each arm: they are in there
        found[BY_DATASET] -= images / 2
    of_level = np.mean([_mean_square(one, (0,)) for one in cells.mean(axis=1).T])
    found[DATASET] = float(of_level) - (interaction + per_cell) / n_arms
    if noise.pre is not None:
        found[PRE] = noise.pre
    if noise.ft is not None:
        found[FT] = noise.ft
    variances = {name: max(0.0, found[name]) for name in _ORDER if name in found}
    if images is not None:
        variances[IMAGES] = images / 2
    return VarianceShares(
        _shares(variances),
        tuple(name for name in variances if found.get(name, 0.0) < -_NOISE),
        tuple(_unknown(noise, flat, n_backbones, images)),
    )


_ORDER = (DATASET, BY_DATASET, BY_BACKBONE, BY_BOTH, PRE, FT)
_NOISE = 1e-9


def _shares(variances: Mapping[str, float]) -> tuple[Share, ...]:
    score = math.fsum(v for name, v in variances.items() if name != IMAGES)
    gain = math.fsum(v for name, v in variances.items() if name != DATASET)
    return tuple(
        Share(
            name,
            variance,
            None if name == IMAGES or not score else variance / score,
            None if name == DATASET or not gain else variance / gain,
        )
        for name, variance in variances.items()
    )


def _unknown(
    noise: _Noise, columns: Sequence[Sequence[Sampled]], backbones: int, images: float | None
) -> Iterator[str]:
    if backbones == 1:
        yield f"{BY_BACKBONE}: there is one backbone"
    if noise.pre is None:
        yield f"{PRE}: {_hidden(columns, backbones)}"
    if noise.ft is None:
        yield f"{FT}: each pre-training has one fine-tuning, so its part is within {PRE}"
    if images is None:
        yield f"{IMAGES}: nothing was resampled by scene, so their part is within {BY_DATASET}"


def _hidden(columns: Sequence[Sequence[Sampled]], backbones: int) -> str:
    """Return where the variance of pre-trainings is, as no arm has two of them on a dataset."""
    used = [[*chain(*(cell.units for cell in c if cell.pretrains))] for c in columns]
    if not any(used):
        return f"no run tells of one; where there was one its part is within {FT}"
    where = []
    if any(len(set(names)) > 1 for names in used):
        where.append(BY_DATASET if backbones == 1 else BY_BOTH)
    if any(len(set(names)) < len(names) for names in used):  # common to datasets
        where.append(BY_BACKBONE if backbones > 1 else "the level of its arm, which no share has")
    return f"no arm has two pre-trainings, so its part is within {' and '.join(where)}"


def _means(table: Sequence[Sequence[Sequence[Sampled]]]) -> Array:
    """Return the cells' means (D, S, B), each pre-training weighted alike."""
    shape = (len(table), *({len(arms) for arms in table}), *({len(a) for d in table for a in d}))
    if len(shape) != 3 or min(shape[:2]) < 2 or not shape[2]:
        raise ComparisonError(
            "shares of variance need 2 datasets and 2 arms at least, with the same backbones"
        )
    every = (cell for arms in table for arm in arms for cell in arm)
    values = [[math.fsum(u) / len(u) for u in cell.units.values() if u] for cell in every]
    if not all(values):
        raise ComparisonError("shares of variance need a score of every arm on every dataset")
    return np.array([math.fsum(units) / len(units) for units in values]).reshape(shape)


def _mean_square(values: Array, axes: tuple[int, ...]) -> float:
    """Return the mean square of what is left when all means over single axes are taken off."""
    for axis in axes:
        values = values - values.mean(axis=axis, keepdims=True)
    return float((values**2).sum() / math.prod(values.shape[axis] - 1 for axis in axes))


def _within(covariance: Array) -> float:
    """Return what chance of this covariance adds to the mean square over the datasets."""
    size = len(covariance)
    return float((np.trace(covariance) - covariance.sum() / size) / (size - 1))


@dataclass(frozen=True)
class _Noise:
    """Variances of chance: pooled over all cells, as these have few runs each."""

    pre: float | None
    """Of a pre-training; it may be below 0. None: no cell has two."""
    ft: float | None
    """Of a fine-tuning; None: no pre-training has two, and theirs is within `pre`."""
    common: float
    """Covariance of one pre-training's means on two datasets."""

    @classmethod
    def of(cls, columns: Sequence[Sequence[Sampled]]) -> _Noise:
        """Return the variances, given the cells of each arm with each backbone by dataset."""
        cells = [cell for column in columns for cell in column]
        within = [(_squares(u), len(u) - 1) for cell in cells for u in cell.units.values()]
        ft = _pooled(within)
        between = [
            (
                _squares(unit_means := [math.fsum(u) / len(u) for u in cell.units.values()]),
                len(unit_means) - 1,
                math.fsum(1 / len(u) for u in cell.units.values()) / len(unit_means),
            )
            for cell in cells
            if cell.pretrains
        ]
        total = _pooled([(squares, df) for squares, df, _ in between])
        if total is None and ft is None:
            raise ComparisonError(
                "one run of each arm on each dataset: chance cannot be told from the strategies"
            )
        pre = None
        if total is not None:
            freedom = sum(df for _, df, _ in between)
            added = math.fsum(df * part for _, df, part in between) / freedom
            pre = total - (ft or 0.0) * added
        products = [
            _products(a, b)
            for column in columns
            for a, b in combinations(column, 2)
            if a.pretrains and a.units.keys() & b.units.keys()
        ]
        common = _pooled(products) or 0.0
        return cls(pre, ft, max(0.0, common))

    def covariance(self, cells: Sequence[Sampled]) -> Array:
        """Return the covariance (D, D) of the means of one arm with one backbone by dataset."""
        pre = max(0.0, self.pre or 0.0)
        found = np.zeros((len(cells), len(cells)))
        for at, cell in enumerate(cells):
            own = pre if cell.pretrains else 0.0
            parts = (own + (self.ft or 0.0) / len(u) for u in cell.units.values())
            found[at, at] = math.fsum(parts) / len(cell.units) ** 2
        for a, b in combinations(range(len(cells)), 2):
            shared = cells[a].units.keys() & cells[b].units.keys() if cells[a].pretrains else ()
            value = self.common * len(shared) / (len(cells[a].units) * len(cells[b].units))
            found[a, b] = found[b, a] = value
        return found


def _squares(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)


def _products(a: Sampled, b: Sampled) -> tuple[float, int]:
    """Return the sum of products of the shared units' means around their mean, and its degrees."""
    shared = sorted(a.units.keys() & b.units.keys(), key=str)
    sides = [[math.fsum(c.units[u]) / len(c.units[u]) for u in shared] for c in (a, b)]
    means = [math.fsum(side) / len(shared) for side in sides]
    products = ((x - means[0]) * (y - means[1]) for x, y in zip(*sides, strict=True))
    return math.fsum(products), len(shared) - 1


def _pooled(parts: Iterable[tuple[float, int]]) -> float | None:
    """Return sums of squares over their degrees of freedom; None where there are none."""
    parts = list(parts)
    freedom = sum(df for _, df in parts)
    return math.fsum(squares for squares, _ in parts) / freedom if freedom else None
