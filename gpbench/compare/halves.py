"""One arm as two: its independent units in two halves, which are equal by construction. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Literal

import numpy as np

from gpbench.compare.comparison import Request
from gpbench.compare.study import Run, Study
from gpbench.compare.training import Trainings
from gpbench.compare.words import Level
from gpbench.stats.power import FOR_AN_INTERVAL

FOR_A_SPLIT = 2 * FOR_AN_INTERVAL
"""Units of an arm: each half needs an interval."""


class Halves:
    """The ways to split an arm's units in two; which half is the candidate makes no difference."""

    def __init__(self, study: Study, arm: str) -> None:
        self._study, self._runs = study, study.of_arm(arm)
        units = sorted({unit_of(run) for run in self._runs if run.value is not None})
        self._units = units
        pretrains = any(run.pretrain_seed is not None for run in self._runs)
        self.unit: Literal["pre-training", "run"] = "pre-training" if pretrains else "run"
        self.halves = (len(units) // 2, len(units) - len(units) // 2)
        self.count = math.comb(len(units), self.halves[0])
        if self._mirrored:
            self.count //= 2
        self._names = (f"{arm}, one half", f"{arm}, other half")

    def why_not(self, level: Level | None) -> str:
        """Return why there is no claim of this level that is known to be false; empty: there is."""
        count = len(self._units)
        if level == "checkpoint" and self.unit == "pre-training":
            return "level checkpoint: two halves are other pre-trained models, which do differ"
        if count >= FOR_A_SPLIT:
            return ""
        return (
            f"{count} {self.unit}{'' if count == 1 else 's'}: two halves of {FOR_AN_INTERVAL} need "
            f"{FOR_A_SPLIT}"
        )

    @property
    def _mirrored(self) -> bool:
        return self.halves[0] == self.halves[1]

    def chosen(self, most: int, rng: np.random.Generator) -> Iterator[frozenset[int]]:
        """Yield the units of one half: of every split once, or of so many splits at random."""
        size = self.halves[0]
        if self.count > most:
            for _ in range(most):
                yield frozenset(rng.permutation(self._units)[:size].tolist())
            return
        if not self._mirrored:
            yield from map(frozenset, combinations(self._units, size))
            return
        first, *others = self._units
        for rest in combinations(others, size - 1):
            yield frozenset((first, *rest))

    def study(self, half: frozenset[int]) -> Study:
        """Return the arm's runs as two arms."""
        one, other = self._names
        return replace(
            self._study,
            arms=self._names,
            runs=tuple(
                replace(run, arm=one if unit_of(run) in half else other) for run in self._runs
            ),
            trainings=Trainings(),
            cautions={},
            assumed={},
            busy=(),
        )

    def request(self, asked: Request) -> Request:
        one, other = self._names
        return replace(asked, candidates=(one,), baselines=(other,), rng_seed=None, ablation=None)


def unit_of(run: Run) -> int:
    """Return the seed of the independent draw: the pre-training's, where there is one."""
    return run.finetune_seed if run.pretrain_seed is None else run.pretrain_seed
