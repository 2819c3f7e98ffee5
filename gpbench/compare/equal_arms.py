"""Experiments in which all arms are equally good: normal scores in any design. Pure.

A score is its dataset's level, plus what its pre-training adds, plus what its fine-tuning adds. A
pre-training that several datasets or arms share is one draw, and so is a fine-tuning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpbench.compare.cell import mean
from gpbench.compare.study import Run, Study, StudyDataset
from gpbench.compare.training import Trainings
from gpbench.core.errors import ComparisonError
from gpbench.stats.components import spread

LEVEL = 50.0
"""Percent points of every made-up score before chance."""


@dataclass(frozen=True)
class Place:
    """Where runs are alike but for chance."""

    arm: str
    backbone: str
    dataset: str
    label_fraction: float


@dataclass(frozen=True)
class Sds:
    """Standard deviations of what a pre-training and a fine-tuning add, in percent points."""

    pretraining: float
    finetuning: float


def equal_scores(
    pretrainings: NDArray[np.intp],
    finetunings: NDArray[np.intp],
    sd_pre: NDArray[np.float64] | float,
    sd_ft: NDArray[np.float64] | float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return what chance adds to scores, (N,) in the unit of the standard deviations.

    Args:
        pretrainings: (N,) The number of each score's pre-training: equal numbers are one draw.
        finetunings: (N,) The same of fine-tunings.
        sd_pre: (N,) or one for all: what a pre-training adds.
        sd_ft: (N,) or one for all: what a fine-tuning adds.
        rng: Where chance comes from.
    """
    of_finetuning = rng.standard_normal(1 + int(finetunings.max()))
    of_pretraining = rng.standard_normal(1 + int(pretrainings.max()))
    added: NDArray[np.float64] = of_finetuning[finetunings] * sd_ft
    return added + of_pretraining[pretrainings] * sd_pre


class EqualArms:
    """A study's design, filled with scores of equal arms as often as wanted.

    Runs without a value stay without. What a verdict does not depend on is left out.
    """

    def __init__(self, study: Study, sds: Mapping[Place, Sds]) -> None:
        """Keep the design.

        Args:
            study: The runs; the level of a dataset and backbone is the mean over all arms.
            sds: How much the scored runs of each place vary.
        """
        plain = (replace(run, environment={}, ran=None, headline=None) for run in study.runs)
        self._study = replace(study, runs=tuple(plain), trainings=Trainings(), busy=())
        scored = [run for run in study.runs if run.value is not None]
        self.sds = {place: sds[place] for place in dict.fromkeys(map(place_of, scored))}
        of_run = [self.sds[place_of(run)] for run in scored]
        self._levels = np.array(_levels(scored))
        self._pretrainings = _numbers(map(_pretraining, scored))
        self._finetunings = _numbers(run.key or at for at, run in enumerate(scored))
        self._sd_pre = np.array([own.pretraining for own in of_run])
        self._sd_ft = np.array([own.finetuning for own in of_run])

    def drawn(self, rng: np.random.Generator) -> Study:
        """Return the study with new scores."""
        added = equal_scores(self._pretrainings, self._finetunings, self._sd_pre, self._sd_ft, rng)
        values = iter((self._levels + added).tolist())
        runs = (r if r.value is None else replace(r, value=next(values)) for r in self._study.runs)
        return replace(self._study, runs=tuple(runs))


def place_of(run: Run) -> Place:
    """Return where a run stands."""
    return Place(run.arm, run.backbone, run.dataset, run.label_fraction)


def by_place(study: Study) -> Mapping[Place, Sequence[Run]]:
    """Return the runs that have a score, place by place."""
    found: defaultdict[Place, list[Run]] = defaultdict(list)
    for run in study.runs:
        if run.value is not None:
            found[place_of(run)].append(run)
    return found


def estimated(study: Study) -> dict[Place, Sds]:
    """Return how much the scores of every place vary, by the study's own runs.

    Where each pre-training was fine-tuned once, nothing tells the two apart: then all of it is the
    pre-training's, which is the harder case, since datasets share it.

    Raises:
        ComparisonError: If a place has one run: how much its scores vary is unknown, and not 0.
    """
    found = by_place(study)
    for place, runs in found.items():
        if len(runs) == 1:
            raise ComparisonError(
                f"{place.arm} has one run on {place.dataset}: how much its scores vary is unknown, "
                "so equal arms cannot be simulated; calibrate a made-up design instead, with "
                "--sd-pre and --sd-ft"
            )
    return {place: _estimated(runs) for place, runs in found.items()}


def made_design(arms: int, datasets: int, pretrainings: int, finetunings: int) -> Study:
    """Return a study of as many arms, the first of them `imagenet`, without any chance.

    All datasets share an arm's pre-trainings.
    """
    names = ["imagenet", *(f"candidate {at}" for at in range(1, arms))]
    on = [f"dataset {at + 1}" for at in range(datasets)]
    runs = tuple(
        Run(arm, "backbone", dataset, 1.0, p, f"{arm} {p}", f, LEVEL)
        for arm in names
        for dataset in on
        for p in range(pretrainings)
        for f in range(finetunings)
    )
    return Study("made-up design", "score", tuple(names), tuple(map(StudyDataset, on)), runs)


def _estimated(runs: Sequence[Run]) -> Sds:
    units: defaultdict[int | None, list[float]] = defaultdict(list)
    for run in runs:
        if run.value is not None:
            units[run.pretrain_seed].append(run.value)
    found = spread(list(units.values()), 0.05)  # the intervals are not looked at
    finetuning = found.ft.sd if found.ft else 0.0
    if found.unit is None:  # one pre-training, or none
        return Sds(0.0, finetuning)
    return Sds(found.pre.sd if found.pre else found.unit.sd, finetuning)


def _levels(runs: Sequence[Run]) -> list[float]:
    """Return for each run the mean of all runs of its dataset, backbone and share of labels."""
    found: defaultdict[Hashable, list[float]] = defaultdict(list)
    for run in runs:
        if run.value is not None:
            found[run.backbone, run.dataset, run.label_fraction].append(run.value)
    means = {where: mean(values) for where, values in found.items()}
    return [means[run.backbone, run.dataset, run.label_fraction] for run in runs]


def _pretraining(run: Run) -> Hashable:
    """Return what tells a run's pre-training from others; all without one have the same, unused."""
    if run.pretrain_seed is None or run.pretrain_key is not None:
        return run.pretrain_key
    return place_of(run), run.pretrain_seed


def _numbers(names: Iterable[Hashable]) -> NDArray[np.intp]:
    """Return the number of each name, in the order of their first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.intp)
