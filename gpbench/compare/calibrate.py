"""How often `compare` itself calls arms different that are equal. Pure.

Simulated: normal scores in the study's own design. Relabelled: the pre-trainings of one arm, split
at random into a candidate and a baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np

from gpbench.compare.arms import sides
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.equal_arms import EqualArms, Place, Sds, by_place, estimated
from gpbench.compare.evidence import grouped, unit_means
from gpbench.compare.halves import Halves, unit_of
from gpbench.compare.study import Study
from gpbench.compare.tally import Counted, Tally
from gpbench.compare.words import Correction, Level
from gpbench.core.errors import ComparisonError
from gpbench.core.seeds import derive_seed
from gpbench.stats.power import FOR_AN_INTERVAL

Compare = Callable[[Study, Request], Comparison]
Tell = Callable[[int, int], None]
"""Is told how many comparisons are done, of how many."""


@dataclass(frozen=True)
class Relabelled:
    """An arm against itself: its units in two halves."""

    arm: str
    unit: Literal["pre-training", "run"]
    halves: tuple[int, int]
    splits: int
    """Distinct ones; where no more were compared than there are, each was once."""
    counted: Counted

    @property
    def every_split(self) -> bool:
        return self.counted.draws == self.splits


@dataclass(frozen=True)
class Calibration:
    """How often the comparison that was asked for errs where all arms are equal."""

    study: str
    metric: str
    baseline: str
    alpha: float
    correction: Correction
    level: Level | None
    margin: float | None
    data_hash: str | None
    """None for a design without results."""
    rng_seed: int
    sds: Mapping[Place, Sds]
    """What was simulated with."""
    given: bool
    """Whether claims are about pre-trained models as they are: their luck is not simulated."""
    once: bool
    """Whether pre-trainings were fine-tuned once: nothing told the two spreads apart."""
    units: int
    """Pre-trainings, or runs without any, of the arm that has fewest of them somewhere."""
    sharing: tuple[str, ...]
    """Candidates that start from pre-trainings of a baseline."""
    simulated: Counted
    relabelled: tuple[Relabelled, ...]
    unsplit: tuple[tuple[str, str], ...]
    """Arm -> why it was not split."""


def calibrate_study(
    study: Study, request: Request, draws: int, tell: Tell, *, compared: Compare = compare
) -> Calibration:
    """Return the error rates of a comparison of these results, simulated and relabelled.

    Args:
        study: What was run.
        request: What `compare` would be asked; its seed is of all draws here.
        draws: Simulated experiments, and the most splits of an arm.
        tell: Is told how far it is.
        compared: What is calibrated.

    Raises:
        ComparisonError: If it is a trial, or `compare` cannot compare these.
        ConfigError: If `compare` refuses the request.
    """
    if study.trial:
        raise ComparisonError(
            f"'{study.name}' is a trial run, which is never ranked: it has no verdicts to calibrate"
        )
    arms = sides(study, request)
    names = (*arms.candidates, *arms.baselines)
    study = replace(
        study,
        arms=tuple(arm for arm in study.arms if arm in names),
        runs=tuple(run for run in study.runs if run.arm in names),
    )
    splits = {arm: Halves(study, arm) for arm in study.arms}
    why_not = {arm: each.why_not(request.level) for arm, each in splits.items()}
    whole = {arm: each for arm, each in splits.items() if not why_not[arm]}
    total = draws + sum(min(draws, each.count) for each in whole.values())
    found = _calibrated(
        study,
        estimated(study),
        request,
        draws,
        lambda done: tell(done, total),
        compared,
    )
    done, relabelled = draws, []
    for arm, each in whole.items():
        rng = np.random.default_rng(derive_seed("relabelled", found.rng_seed, arm))
        tally = Tally(request.alpha)
        for half in each.chosen(draws, rng):
            tally.add(compared(each.study(half), each.request(request)))
            done += 1
            tell(done, total)
        relabelled.append(Relabelled(arm, each.unit, each.halves, each.count, tally.counted))
    return replace(
        found,
        data_hash=study.data_hash,
        once=_once(study),
        relabelled=tuple(relabelled),
        unsplit=tuple((arm, why) for arm, why in why_not.items() if why),
    )


def calibrate_design(
    design: Study,
    sds: Sds,
    request: Request,
    draws: int,
    tell: Tell,
    *,
    compared: Compare = compare,
) -> Calibration:
    """Return the simulated error rates of a design without results; see `calibrate_study`.

    Args:
        design: Its runs, whatever their values.
        sds: Of all its places.
        request: What `compare` would be asked.
        draws: Simulated experiments.
        tell: Is told how far it is.
        compared: What is calibrated.
    """
    everywhere = dict.fromkeys(by_place(design), sds)
    return _calibrated(design, everywhere, request, draws, lambda done: tell(done, draws), compared)


def _calibrated(
    study: Study,
    sds: Mapping[Place, Sds],
    request: Request,
    draws: int,
    tell: Callable[[int], None],
    compared: Compare,
) -> Calibration:
    """Return what simulation tells, without relabelling."""
    seed = request.rng_seed
    if seed is None:
        seed = derive_seed("calibrate", study.data_hash) % 2**32  # as `compare` has it
    request = replace(request, rng_seed=None)  # each draw resamples by a seed of its own
    rng = np.random.default_rng(derive_seed("simulated", seed))
    given = _given(study, request.level)
    arms = EqualArms(
        study,
        {at: replace(own, pretraining=0.0) if at in given else own for at, own in sds.items()},
    )
    tally = Tally(request.alpha)
    for done in range(draws):
        comparison = compared(arms.drawn(rng), request)
        tally.add(comparison)
        tell(done + 1)
    return Calibration(
        study=study.name,
        metric=study.metric,
        baseline=comparison.baseline,
        alpha=request.alpha,
        correction=comparison.correction,
        level=request.level,
        margin=request.margin,
        data_hash=None,
        rng_seed=seed,
        sds=arms.sds,
        given=bool(given),
        once=False,
        units=min(len({unit_of(run) for run in runs}) for runs in by_place(study).values()),
        sharing=_sharing(study, comparison.baselines),
        simulated=tally.counted,
        relabelled=(),
        unsplit=(),
    )


def _given(study: Study, level: Level | None) -> set[Place]:
    """Return the places where a claim is about these pre-trained models, so their luck is none.

    An average is about them wherever datasets share pre-trainings and have but one in common.
    """
    if level == "strategy":
        return set()
    given: set[tuple[str, str, float]] = set()
    fractions = {run.label_fraction for run in study.runs}
    for arm, fraction in product(study.arms, fractions):
        found = (study.replicates_of(arm, dataset.name, fraction) for dataset in study.datasets)
        cells = [each.cell(each.backbones)[0] for each in found if each.backbones]
        for group in grouped(cells):
            fixed = level == "checkpoint" or len(unit_means(group)) < FOR_AN_INTERVAL
            if fixed and any(cell.pretrains for cell in group):
                given |= {(arm, cell.dataset, fraction) for cell in group}
    return {
        place
        for place in by_place(study)
        if (place.arm, place.dataset, place.label_fraction) in given
    }


def _once(study: Study) -> bool:
    """Return whether a place has several pre-trainings, each fine-tuned once."""
    seeds = [[run.pretrain_seed for run in runs] for runs in by_place(study).values()]
    return any(len(found) == len(set(found)) > 1 for found in seeds)


def _sharing(study: Study, baselines: Sequence[str]) -> tuple[str, ...]:
    theirs = {run.pretrain_key for arm in baselines for run in study.of_arm(arm)} - {None}
    return tuple(
        arm
        for arm in study.arms
        if arm not in baselines and theirs & {run.pretrain_key for run in study.of_arm(arm)}
    )
