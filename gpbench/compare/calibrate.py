"""How often `compare` itself calls arms different that are equal. Pure.

Simulated: normal scores in the study's own design. Relabelled: the pre-trainings of one arm, split
at random into a candidate and a baseline.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from gpbench.compare.arms import sides
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Finding, Request
from gpbench.compare.equal_arms import EqualArms, Place, Sds, estimated
from gpbench.compare.study import Run, Study
from gpbench.compare.training import Trainings
from gpbench.compare.words import Correction, Level, Verdict
from gpbench.core.errors import ComparisonError
from gpbench.core.seeds import derive_seed
from gpbench.stats.power import FOR_AN_INTERVAL
from gpbench.stats.proportion import Rate

Kind = Literal["headline", "new-datasets", "rows", "backbones"]
"""Families of claims; each is corrected for on its own."""
KINDS: tuple[Kind, ...] = ("headline", "new-datasets", "rows", "backbones")
FOR_A_SPLIT = 2 * FOR_AN_INTERVAL
"""Units of an arm: each half needs an interval."""

Compare = Callable[[Study, Request], Comparison]
Tell = Callable[[int, int], None]
"""Is told how many comparisons are done, of how many."""


@dataclass(frozen=True)
class About:
    """Which claim of a report is meant; of rows the dataset, of backbones the backbone."""

    kind: Kind
    candidate: str
    label_fraction: float
    dataset: str | None = None
    backbone: str | None = None


@dataclass(frozen=True)
class Claim:
    """One claim, over all draws."""

    about: About
    verdicts: Mapping[Verdict, int]
    false: Rate
    """How often the arms, which are equal, were called better or worse."""


@dataclass(frozen=True)
class FamilyRate:
    """How often any claim of a family was false.

    `small` is how often any adjusted p was below alpha, whether or not a verdict was given.
    `undecided` is why no claim was decidable in any draw, empty where one was.
    """

    kind: Kind
    claims: int
    false: Rate
    small: Rate
    undecided: str


@dataclass(frozen=True)
class Counted:
    """What so many comparisons of equal arms said; families without a claim are left out."""

    draws: int
    families: tuple[FamilyRate, ...]
    claims: tuple[Claim, ...]


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
    once: bool
    """Whether pre-trainings were fine-tuned once: nothing told the two spreads apart."""
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
    splits = {arm: _Splits(study, arm) for arm in study.arms}
    whole = {arm: each for arm, each in splits.items() if each.enough}
    total = draws + sum(min(draws, each.count) for each in whole.values())
    found = _calibrated(
        study,
        EqualArms(study, estimated(study)),
        request,
        draws,
        lambda done: tell(done, total),
        compared,
    )
    done, relabelled = draws, []
    for arm, each in whole.items():
        rng = np.random.default_rng(derive_seed("relabelled", found.rng_seed, arm))
        tally = _Tally(request.alpha)
        for half in each.chosen(draws, rng):
            tally.add(compared(each.study(half), each.request(request)))
            done += 1
            tell(done, total)
        relabelled.append(Relabelled(arm, each.unit, each.halves, each.count, tally.counted))
    return replace(
        found,
        data_hash=study.data_hash,
        relabelled=tuple(relabelled),
        unsplit=tuple((arm, each.too_few) for arm, each in splits.items() if arm not in whole),
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
    arms = EqualArms(design, dict.fromkeys(estimated(design), sds))
    return _calibrated(design, arms, request, draws, lambda done: tell(done, draws), compared)


def _calibrated(
    study: Study,
    arms: EqualArms,
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
    tally = _Tally(request.alpha)
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
        once=_once(study),
        sharing=_sharing(study, comparison.baselines),
        simulated=tally.counted,
        relabelled=(),
        unsplit=(),
    )


class _Splits:
    """The ways to split an arm's units into two halves; which half is the candidate is the same."""

    def __init__(self, study: Study, arm: str) -> None:
        self._study, self._runs = study, study.of_arm(arm)
        units = sorted({_unit(run) for run in self._runs if run.value is not None})
        self._units = units
        pretrains = any(run.pretrain_seed is not None for run in self._runs)
        self.unit: Literal["pre-training", "run"] = "pre-training" if pretrains else "run"
        self.halves = (len(units) // 2, len(units) - len(units) // 2)
        self.count = math.comb(len(units), self.halves[0])
        if self._mirrored:
            self.count //= 2
        self._names = (f"{arm}, one half", f"{arm}, other half")

    @property
    def enough(self) -> bool:
        return len(self._units) >= FOR_A_SPLIT

    @property
    def too_few(self) -> str:
        count = len(self._units)
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
                replace(run, arm=one if _unit(run) in half else other) for run in self._runs
            ),
            trainings=Trainings(),
            cautions={},
            assumed={},
            busy=(),
        )

    def request(self, asked: Request) -> Request:
        one, other = self._names
        return replace(asked, candidates=(one,), baselines=(other,), rng_seed=None)


class _Tally:
    """Counts the verdicts of comparisons that have the same claims."""

    def __init__(self, alpha: float) -> None:
        self._alpha, self._draws = alpha, 0
        self._verdicts: dict[About, Counter[Verdict]] = {}
        self._false: Counter[Kind] = Counter()
        self._small: Counter[Kind] = Counter()
        self._undecided: dict[Kind, str] = {}
        self._decided: set[Kind] = set()

    def add(self, comparison: Comparison) -> None:
        """Count one comparison."""
        self._draws += 1
        false, small = set(), set()
        for about, finding in _claims(comparison):
            self._verdicts.setdefault(about, Counter())[finding.verdict] += 1
            if finding.verdict == "undecidable":
                self._undecided.setdefault(about.kind, finding.reason)
            else:
                self._decided.add(about.kind)
            if finding.verdict in ("better", "worse"):
                false.add(about.kind)
            if finding.p_adjusted is not None and finding.p_adjusted < self._alpha:
                small.add(about.kind)
        self._false.update(false)
        self._small.update(small)

    @property
    def counted(self) -> Counted:
        claims = tuple(
            Claim(about, verdicts, Rate(verdicts["better"] + verdicts["worse"], self._draws))
            for about, verdicts in self._verdicts.items()
        )
        numbers = Counter(claim.about.kind for claim in claims)
        families = tuple(
            FamilyRate(
                kind,
                numbers[kind],
                Rate(self._false[kind], self._draws),
                Rate(self._small[kind], self._draws),
                "" if kind in self._decided else self._undecided[kind],
            )
            for kind in KINDS
            if numbers[kind]
        )
        return Counted(self._draws, families, claims)


def _claims(comparison: Comparison) -> Iterator[tuple[About, Finding]]:
    """Yield the claims of a report; one dataset's headline is its row, one backbone has no own."""
    for contrast in comparison.contrasts:
        of = (contrast.candidate, contrast.label_fraction)
        yield About("headline", *of), contrast.finding
        for scoped in contrast.scopes:
            if scoped.scope == "datasets":
                yield About("new-datasets", *of), scoped.finding
        for row in contrast.rows:
            yield About("rows", *of, dataset=row.dataset.name), row.finding
        for each in contrast.backbones:
            yield About("backbones", *of, backbone=each.backbone), each.finding


def _unit(run: Run) -> int:
    """Return the seed of the independent draw: the pre-training's, where there is one."""
    return run.finetune_seed if run.pretrain_seed is None else run.pretrain_seed


def _once(study: Study) -> bool:
    """Return whether a place has several pre-trainings, each fine-tuned once."""
    seeds: dict[Place, list[int]] = {}
    for run in study.runs:
        if run.value is not None and run.pretrain_seed is not None:
            place = Place(run.arm, run.backbone, run.dataset, run.label_fraction)
            seeds.setdefault(place, []).append(run.pretrain_seed)
    return any(len(found) == len(set(found)) > 1 for found in seeds.values())


def _sharing(study: Study, baselines: Sequence[str]) -> tuple[str, ...]:
    theirs = {run.pretrain_key for arm in baselines for run in study.of_arm(arm)} - {None}
    return tuple(
        arm
        for arm in study.arms
        if arm not in baselines and theirs & {run.pretrain_key for run in study.of_arm(arm)}
    )
