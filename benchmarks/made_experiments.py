"""Experiments whose truth is known, judged by gpbench's own code: how often it errs. Pure.

All arms are equally good; a score is 50 points, plus what a pre-training adds (`sd_pre`), plus what
a fine-tuning adds (1 point of standard deviation: all others are multiples of it).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpbench.compare.across import over_datasets
from gpbench.compare.cell import Cell, Pair, Replicate
from gpbench.compare.comparison import Request
from gpbench.compare.contrast import draft
from gpbench.compare.equal_arms import LEVEL, equal_scores
from gpbench.compare.evidence import Evidence, Side, weigh
from gpbench.compare.family import corrected
from gpbench.compare.study import Run, Study, StudyDataset
from gpbench.compare.words import Correction
from gpbench.core.seeds import derive_seed
from gpbench.stats.components import spread
from gpbench.stats.proportion import Rate
from gpbench.stats.satterthwaite import equivalence_p, t_test, unit_term

ALPHA = 0.05

Groups = tuple[tuple[int, ...], ...]
"""The datasets that share an arm's pre-trainings, by their numbers."""
ONE_DATASET: Groups = ((0,),)
IMAGENET: Groups = ((0, 1, 2, 3),)
GENERALISED: Groups = ((0,), (1, 2), (3,))
"""iSAID; MFNet and PST900; Potsdam: one pre-training per number of channels."""
APART: Groups = ((0,), (1,), (2,), (3,))

Scores = NDArray[np.float64]
"""(D, P, K) percent points of an arm: dataset, pre-training, fine-tuning."""


@dataclass(frozen=True)
class Design:
    """Candidate and baseline: how often both are trained, and which datasets share what."""

    pretrainings: int
    finetunings: int
    sd_pre: float
    groups: tuple[Groups, Groups] = (ONE_DATASET, ONE_DATASET)
    sd_gain: float = 0.0
    """Of the true gain between datasets, which is 0 on average over all datasets of the kind."""

    def drawn(self, rng: np.random.Generator) -> tuple[Scores, Scores]:
        """Return the scores of candidate and baseline."""
        a, b = (self.arm(groups, rng) for groups in self.groups)
        return a + rng.normal(0, self.sd_gain, (len(a), 1, 1)), b

    def arm(self, groups: Groups, rng: np.random.Generator) -> Scores:
        """Return the scores of one arm."""
        datasets = sum(map(len, groups))
        shape = (datasets, self.pretrainings, self.finetunings)
        group_of = np.empty((datasets, 1, 1), np.intp)
        for at, group in enumerate(groups):
            group_of[list(group)] = at
        number = group_of * self.pretrainings + np.arange(self.pretrainings)[:, None]
        pretrainings = np.broadcast_to(number, shape).ravel()
        finetunings = np.arange(len(pretrainings))
        return LEVEL + equal_scores(pretrainings, finetunings, self.sd_pre, 1, rng).reshape(shape)


def rates(
    draws: int, seed: int, errs: Callable[[np.random.Generator], Sequence[bool]]
) -> tuple[Rate, ...]:
    """Return how often each of several readings of the same draw errs."""
    rng = np.random.default_rng(derive_seed("error rates", seed))
    counts = np.sum([errs(rng) for _ in range(draws)], axis=0)
    return tuple(Rate(int(count), draws) for count in counts)


def nested(design: Design) -> Callable[[np.random.Generator], tuple[bool, ...]]:
    """Return the readings of gpbench; with every fine-tuning a unit; with no dataset sharing.

    The second is what a table without the column `pretrain_seed` asks for, and wrong where there
    was a pre-training; the third takes a pre-training for as many draws as it has datasets.
    """

    def errs(rng: np.random.Generator) -> tuple[bool, ...]:
        a, b = design.drawn(rng)
        right = weighed(a, b, design.groups)
        apart = weighed(a, b, (_apart(design.groups[0]), _apart(design.groups[1])))
        return claimed(right), claimed(pooled(a, b)), claimed(apart)

    return errs


def new_datasets(design: Design) -> Callable[[np.random.Generator], tuple[bool, ...]]:
    """Return readings about new datasets: `datasets`, gains alone, `fixed-suite`, all pairs.

    Gains alone: a paired t test, which takes the datasets' gains as independent. All pairs: one of
    the gains of all (dataset, pre-training) pairs.
    """

    def errs(rng: np.random.Generator) -> tuple[bool, ...]:
        a, b = design.drawn(rng)
        suite = weighed(a, b, design.groups)
        sides = (_cells("new", a, design.groups[0]), _cells("old", b, design.groups[1]))
        pairs = [Pair(("tiny",), x, y, (0, 0)) for x, y in zip(*sides, strict=True)]
        across = over_datasets(pairs, suite, None, ALPHA)
        assert across is not None  # there are 4 datasets
        gains = (a - b).mean(axis=2)
        return (
            claimed(across),
            _paired_p(gains.mean(axis=1)) < ALPHA,
            claimed(suite),
            _paired_p(gains.ravel()) < ALPHA,
        )

    return errs


def equivalence(design: Design, margin: float) -> Callable[[np.random.Generator], tuple[bool]]:
    """Return whether a candidate that is better by just the margin is called equivalent."""

    def errs(rng: np.random.Generator) -> tuple[bool]:
        a, b = design.drawn(rng)
        test = weighed(a + margin, b, design.groups).test
        assert test is not None
        return (equivalence_p(test, margin) < ALPHA,)

    return errs


def spreads(design: Design) -> Callable[[np.random.Generator], tuple[bool, bool]]:
    """Return whether the intervals of `sd_pre` and of the fine-tunings' sd of 1 cover them."""

    def covers(rng: np.random.Generator) -> tuple[bool, bool]:
        found = spread(design.arm(ONE_DATASET, rng)[0].tolist(), ALPHA)
        assert found.pre is not None
        assert found.ft is not None
        return (
            found.pre.lo <= design.sd_pre <= found.pre.hi,
            found.ft.lo <= 1 <= found.ft.hi,
        )

    return covers


def family(
    design: Design, candidates: int, corrections: Sequence[Correction]
) -> Callable[[np.random.Generator], tuple[bool, ...]]:
    """Return, by correction, whether any of several equal candidates gets a verdict."""

    def errs(rng: np.random.Generator) -> tuple[bool, ...]:
        baseline = Side("old", _cells("old", design.arm(design.groups[1], rng), design.groups[1]))
        found = []
        for at in range(candidates):
            arm = f"new {at}"
            cells = _cells(arm, design.arm(design.groups[0], rng), design.groups[0])
            found.append(weigh(Side(arm, cells), baseline, None, ALPHA))
        return tuple(min(corrected(found, c, ALPHA, rng).p) < ALPHA for c in corrections)

    return errs


def best(design: Design, baselines: int) -> Callable[[np.random.Generator], tuple[bool, ...]]:
    """Return whether a candidate is called worse, or better, than the best of equal baselines.

    First by max-T over all of them, then both without correction.
    """
    names = [f"old {at}" for at in range(baselines)]

    def errs(rng: np.random.Generator) -> tuple[bool, ...]:
        study = made_study({arm: design.arm(design.groups[1], rng) for arm in ["new", *names]})
        drafts = [draft(study, "new", arm, 1.0, Request()) for arm in names]
        means = [each.baseline_mean for each in drafts]
        at = means.index(max(means))
        evidence = [each.evidence for each in drafts]
        chosen = evidence[at]
        assert chosen.difference is not None
        told = (corrected(evidence, "max-t", ALPHA, rng).p[at] < ALPHA, claimed(chosen))
        below = chosen.difference < 0
        return tuple(claim and side for claim in told for side in (below, not below))

    return errs


def weighed(a: Scores, b: Scores, groups: tuple[Groups, Groups]) -> Evidence:
    """Return what gpbench makes of the scores of candidate and baseline."""
    sides = (Side("new", _cells("new", a, groups[0])), Side("old", _cells("old", b, groups[1])))
    return weigh(*sides, None, ALPHA)


def pooled(a: Scores, b: Scores) -> Evidence:
    """Return the same for runs that are said to have no pre-training."""
    return weigh(_pooled("new", a), _pooled("old", b), None, ALPHA)


def claimed(evidence: Evidence) -> bool:
    """Return whether the test, on its own, tells the arms apart."""
    return evidence.test is not None and evidence.test.p < ALPHA


def made_study(arms: dict[str, Scores]) -> Study:
    """Return a study of arms whose datasets all share their pre-trainings."""
    runs = [
        Run(arm, "tiny", str(d), 1.0, p, f"{arm} {p}", f, float(scores[d, p, f]))
        for arm, scores in arms.items()
        for d, p, f in np.ndindex(scores.shape)
    ]
    names = dict.fromkeys(run.dataset for run in runs)
    return Study("made", "mIoU", tuple(arms), tuple(map(StudyDataset, names)), tuple(runs))


def _cells(arm: str, scores: Scores, groups: Groups) -> tuple[Cell, ...]:
    stem = {dataset: at for at, group in enumerate(groups) for dataset in group}
    return tuple(
        Cell(
            str(d),
            tuple(
                Replicate(p, f, frozenset({f"{arm} {stem[d]} {p}"}), value, None)
                for p, fine_tunings in enumerate(of_dataset)
                for f, value in enumerate(fine_tunings)
            ),
        )
        for d, of_dataset in enumerate(scores.tolist())
    )


def _pooled(arm: str, scores: Scores) -> Side:
    cells = (
        Cell(
            str(d),
            tuple(
                Replicate(None, f, frozenset(), value, None)
                for f, value in enumerate(values.ravel().tolist())
            ),
        )
        for d, values in enumerate(scores)
    )
    return Side(arm, tuple(cells))


def _paired_p(gains: NDArray[np.float64]) -> float:
    return t_test(float(gains.mean()), [unit_term(gains.tolist())], ALPHA).p


def _apart(groups: Groups) -> Groups:
    return tuple((dataset,) for group in groups for dataset in group)
