"""The runs of two arms on one dataset, brought to comparable replicates. Pure.

Backbones are averaged inside a dataset before anything is tested: (dataset, backbone) pairs are no
independent blocks. What is averaged must be complete, or a backbone's level would pass for a gain.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from gpbench.compare.study import Run


@dataclass(frozen=True)
class Replicate:
    """One fine-tuning per backbone, averaged over the backbones.

    `keys` are its pre-trainings, `stages` its fine-tunings where the store has them.
    """

    pretrain_seed: int | None
    finetune_seed: int
    keys: frozenset[str]
    value: float
    headline: float | None
    stages: tuple[str, ...] = ()

    @property
    def unit(self) -> int:
        """Return the seed of the independent draw: the pre-training's, where there is one."""
        return self.finetune_seed if self.pretrain_seed is None else self.pretrain_seed


@dataclass(frozen=True)
class Cell:
    """The replicates of one arm on one dataset, at least one."""

    dataset: str
    replicates: tuple[Replicate, ...]

    @property
    def pretrains(self) -> bool:
        return any(r.pretrain_seed is not None for r in self.replicates)

    @cached_property
    def units(self) -> dict[int, tuple[float, ...]]:
        """Return the independent draws of the arm: pre-training seed -> its fine-tunings' scores.

        Where nothing was pre-trained every replicate is a draw, by its fine-tuning seed.
        """
        found: defaultdict[int, list[float]] = defaultdict(list)
        for r in self.replicates:
            found[r.unit].append(r.value)
        return {seed: tuple(values) for seed, values in found.items()}

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset().union(*(r.keys for r in self.replicates))

    @cached_property
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
    """Two arms on one dataset, averaged over the backbones that both have there.

    `incomplete` counts the replicates of each that lack one of these backbones: they are left out.
    """

    backbones: tuple[str, ...]
    candidate: Cell
    baseline: Cell
    incomplete: tuple[int, int]
    left_out: tuple[str, ...] = ()
    """Backbones that only one of them has there."""


def pair(dataset: str, candidate: Sequence[Run], baseline: Sequence[Run]) -> Pair | None:
    """Return both arms' cells from their runs on one dataset, None where nothing is comparable."""
    sides = [_replicated(candidate), _replicated(baseline)]
    names = [{run.backbone for runs in side for run in runs} for side in sides]
    backbones = names[0] & names[1]
    if not backbones:
        return None
    cells: list[Cell] = []
    incomplete: list[int] = []
    for side in sides:
        shared = [[run for run in runs if run.backbone in backbones] for runs in side]
        complete = [runs for runs in shared if len(runs) == len(backbones)]
        cells.append(Cell(dataset, tuple(sorted(map(_replicate, complete), key=_place))))
        incomplete.append(sum(0 < len(runs) < len(backbones) for runs in shared))
    if not all(cell.replicates for cell in cells):
        return None
    left_out = tuple(sorted(names[0] ^ names[1]))
    counts = (incomplete[0], incomplete[1])
    return Pair(tuple(sorted(backbones)), cells[0], cells[1], counts, left_out)


def mean(values: Iterable[float]) -> float:
    """Return the mean of at least one value; their order changes nothing, not even the last bit."""
    values = list(values)
    return math.fsum(values) / len(values) if len(values) > 1 else values[0]


def _replicated(runs: Iterable[Run]) -> list[list[Run]]:
    """Return the scored runs in lists of one replicate each: one run per backbone."""
    found: defaultdict[tuple[int | None, int], list[Run]] = defaultdict(list)
    for run in runs:
        if run.value is not None:
            found[run.pretrain_seed, run.finetune_seed].append(run)
    return list(found.values())


def _replicate(runs: Sequence[Run]) -> Replicate:
    headline = [run.headline for run in runs if run.headline is not None]
    return Replicate(
        runs[0].pretrain_seed,
        runs[0].finetune_seed,
        frozenset(run.pretrain_key for run in runs if run.pretrain_key is not None),
        mean(run.value for run in runs if run.value is not None),
        mean(headline) if len(headline) == len(runs) else None,
        tuple(run.key for run in runs if run.key is not None),
    )


def _place(replicate: Replicate) -> tuple[int, int]:
    seed = replicate.pretrain_seed
    return (-1 if seed is None else seed, replicate.finetune_seed)
