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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


class Replicates:
    """The scored runs of one arm on one dataset, one list per replicate with a run per backbone."""

    def __init__(self, dataset: str, runs: Iterable[Run]) -> None:
        self._dataset = dataset
        found: defaultdict[tuple[int | None, int], list[Run]] = defaultdict(list)
        for run in runs:
            if run.value is not None:
                found[run.pretrain_seed, run.finetune_seed].append(run)
        self._runs = list(found.values())
        self.backbones = frozenset(run.backbone for runs in self._runs for run in runs)
        self._cells: dict[frozenset[str], tuple[Cell, int]] = {}

    def cell(self, backbones: frozenset[str]) -> tuple[Cell, int]:
        """Return the replicates that have all these backbones, and how many have only some.

        An arm meets many others on the same backbones: they are averaged once.
        """
        if backbones not in self._cells:
            shared = [[run for run in runs if run.backbone in backbones] for runs in self._runs]
            complete = [runs for runs in shared if len(runs) == len(backbones)]
            cell = Cell(self._dataset, tuple(sorted(map(_replicate, complete), key=_place)))
            self._cells[backbones] = cell, sum(0 < len(runs) < len(backbones) for runs in shared)
        return self._cells[backbones]


def pair(candidate: Replicates, baseline: Replicates) -> Pair | None:
    """Return both arms' cells on one dataset, None where nothing is comparable."""
    backbones = candidate.backbones & baseline.backbones
    if not backbones:
        return None
    (a, lacking), (b, also_lacking) = candidate.cell(backbones), baseline.cell(backbones)
    if not (a.replicates and b.replicates):
        return None
    left_out = tuple(sorted(candidate.backbones ^ baseline.backbones))
    return Pair(tuple(sorted(backbones)), a, b, (lacking, also_lacking), left_out)


def mean(values: Iterable[float]) -> float:
    """Return the mean of at least one value; their order changes nothing, not even the last bit."""
    values = list(values)
    return math.fsum(values) / len(values) if len(values) > 1 else values[0]


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
