"""The runs of two arms on one dataset, brought to comparable replicates. Pure.

Backbones are averaged inside a dataset before anything is tested: (dataset, backbone) pairs are no
independent blocks. What is averaged must be complete, or a backbone's level would pass for a gain.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gpbench.compare.study import Run, in_order


@dataclass(frozen=True)
class Replicate:
    """One fine-tuning per backbone, averaged over the backbones; `keys` are its pre-trainings."""

    pretrain_seed: int | None
    finetune_seed: int
    keys: frozenset[str]
    value: float
    headline: float | None


@dataclass(frozen=True)
class Cell:
    """The replicates of one arm on one dataset, at least one."""

    dataset: str
    replicates: tuple[Replicate, ...]

    @property
    def pretrains(self) -> bool:
        return any(r.pretrain_seed is not None for r in self.replicates)

    @property
    def units(self) -> dict[int, tuple[float, ...]]:
        """Return the independent draws of the arm: pre-training seed -> its fine-tunings' scores.

        Where nothing was pre-trained every replicate is a draw, by its fine-tuning seed.
        """
        found: defaultdict[int, list[float]] = defaultdict(list)
        for r in self.replicates:
            found[r.finetune_seed if r.pretrain_seed is None else r.pretrain_seed].append(r.value)
        return {seed: tuple(values) for seed, values in found.items()}

    @property
    def keys(self) -> frozenset[str]:
        return frozenset().union(*(r.keys for r in self.replicates))

    @property
    def mean(self) -> float:
        """Return the mean over units, each the mean of its fine-tunings."""
        return mean(mean(values) for values in self.units.values())

    @property
    def headline(self) -> float | None:
        """Return the mean by the dataset's own metric, taken over replicates."""
        values = [r.headline for r in self.replicates if r.headline is not None]
        return mean(values) if len(values) == len(self.replicates) else None


@dataclass(frozen=True)
class Pair:
    """Two arms on one dataset, averaged over the backbones that both have there."""

    backbones: tuple[str, ...]
    candidate: Cell
    baseline: Cell


def pair(dataset: str, candidate: Sequence[Run], baseline: Sequence[Run]) -> Pair | None:
    """Return both arms' cells from their runs on one dataset, None where nothing is comparable."""
    sides = [[run for run in side if run.value is not None] for side in (candidate, baseline)]
    theirs = {run.backbone for run in sides[1]}
    backbones = in_order(run.backbone for run in sides[0] if run.backbone in theirs)
    cells = [Cell(dataset, _replicates(side, backbones)) for side in sides]
    if not all(cell.replicates for cell in cells):
        return None
    return Pair(tuple(sorted(backbones)), *cells)


def mean(values: Iterable[float]) -> float:
    """Return the mean of at least one value; their order changes nothing, not even the last bit."""
    values = list(values)
    return math.fsum(values) / len(values)


def _replicates(runs: Iterable[Run], backbones: Sequence[str]) -> tuple[Replicate, ...]:
    """Return the replicates that have a score on every backbone, by pre-training and fine-tuning."""
    found: defaultdict[tuple[int | None, int], list[Run]] = defaultdict(list)
    for run in runs:
        if run.backbone in backbones:
            found[run.pretrain_seed, run.finetune_seed].append(run)
    complete = [rows for rows in found.values() if len(rows) == len(backbones)]
    return tuple(sorted((_replicate(rows) for rows in complete), key=_place))


def _replicate(runs: Sequence[Run]) -> Replicate:
    headline = [run.headline for run in runs if run.headline is not None]
    return Replicate(
        runs[0].pretrain_seed,
        runs[0].finetune_seed,
        frozenset(run.pretrain_key for run in runs if run.pretrain_key is not None),
        mean(run.value for run in runs if run.value is not None),
        mean(headline) if len(headline) == len(runs) else None,
    )


def _place(replicate: Replicate) -> tuple[int, int]:
    seed = replicate.pretrain_seed
    return (-1 if seed is None else seed, replicate.finetune_seed)
