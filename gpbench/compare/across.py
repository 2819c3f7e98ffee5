"""Claims across datasets: what new datasets of the kind would give, and what needs no model. Pure.

The units are the datasets: a gain is averaged over pre-trainings, fine-tunings and backbones first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpbench.compare.cell import Pair, mean
from gpbench.compare.comparison import Exact, Omnibus
from gpbench.compare.evidence import Evidence
from gpbench.compare.study import Run, Study
from gpbench.core.errors import ComparisonError
from gpbench.stats.friedman import friedman
from gpbench.stats.satterthwaite import RESOLUTION, t_test, unit_term
from gpbench.stats.sign_flip import floor, sign_flip_p
from gpbench.stats.signed_rank import hodges_lehmann, signed_rank

FOR_A_CLAIM = 3
"""Datasets."""


def gains(pairs: Sequence[Pair]) -> tuple[tuple[str, float], ...]:
    """Return each dataset's name and mean gain."""
    return tuple((p.candidate.dataset, p.candidate.mean - p.baseline.mean) for p in pairs)


def over_datasets(pairs: Sequence[Pair], suite: Evidence, alpha: float) -> Evidence | None:
    """Return the evidence of scope `datasets`, the paired t test; None for fewer than 3 datasets.

    Args:
        pairs: Both arms on each dataset.
        suite: The evidence about exactly these datasets, which has the level.
        alpha: The interval covers 1 - alpha.
    """
    by_dataset = gains(pairs)
    if len(by_dataset) < FOR_A_CLAIM:
        return None
    values = [gain for _, gain in by_dataset]
    found = Evidence(mean(values), suite.level, _condition(pairs), gains=by_dataset)
    try:
        test = t_test(mean(values), [unit_term(values)], alpha)
    except ComparisonError as error:
        return Evidence(mean(values), suite.level, str(error), gains=by_dataset)
    return Evidence(
        found.difference,
        found.level,
        found.reason,
        decisive=True,
        test=test,
        method="paired-t",
        gains=by_dataset,
    )


def exact(pairs: Sequence[Pair], rng: np.random.Generator) -> Exact | None:
    """Return the exact tests of the datasets' gains; None for fewer than two datasets."""
    values = [gain for _, gain in gains(pairs)]
    if len(values) < 2:
        return None
    wins = sum(value > RESOLUTION for value in values)
    losses = sum(value < -RESOLUTION for value in values)
    without = [mean(v for at, v in enumerate(values) if at != left) for left in range(len(values))]
    return Exact(
        sign_flip_p=sign_flip_p(values, rng),
        signed_rank_p=signed_rank(values).p,
        floor=floor(len(values)),
        hodges_lehmann=hodges_lehmann(values),
        wins=wins,
        ties=len(values) - wins - losses,
        losses=losses,
        leave_one_out=(min(without), max(without)) if len(values) > 2 else None,
    )


def omnibus(study: Study, label_fraction: float, rng: np.random.Generator) -> Omnibus | None:
    """Return Friedman's test of all arms; None for fewer than 3 arms or complete datasets.

    An arm whose runs on a dataset all diverged is the worst there; one without results leaves the
    dataset incomplete, and it is dropped.
    """
    rows = {
        d.name: [_rank_value(study, arm, d.name, label_fraction) for arm in study.arms]
        for d in study.datasets
    }
    complete = {
        name: [v for v in row if v is not None] for name, row in rows.items() if None not in row
    }
    if len(study.arms) < FOR_A_CLAIM or len(complete) < FOR_A_CLAIM:
        return None
    table = np.array(list(complete.values()))
    if (np.ptp(table, axis=1) <= RESOLUTION).all():
        return None
    return Omnibus(
        label_fraction,
        study.arms,
        tuple(complete),
        tuple(name for name in rows if name not in complete),
        friedman(table, rng),
    )


def _rank_value(study: Study, arm: str, dataset: str, label_fraction: float) -> float | None:
    """Return an arm's mean over backbones, -1 where all runs diverged, None where some lack."""
    runs = study.runs_of(arm, dataset, label_fraction)
    scored = [run for run in runs if run.value is not None]
    if scored:
        wanted = {run.backbone for run in study.of_dataset(dataset, label_fraction)}
        by_backbone = [[r for r in scored if r.backbone == name] for name in sorted(wanted)]
        if all(by_backbone):
            return mean(mean(_values(part)) for part in by_backbone)
        return None
    diverged = bool(runs) and all(run.status == "diverged" for run in runs)
    return -1.0 if diverged else None


def _values(runs: Sequence[Run]) -> list[float]:
    return [run.value for run in runs if run.value is not None]


def _condition(pairs: Sequence[Pair]) -> str:
    """Return on what a claim about new datasets is conditional, where it is."""
    sides = {
        cell.keys
        for pair in pairs
        for cell in (pair.candidate, pair.baseline)
        if cell.pretrains and len(cell.units) == 1
    }
    return "conditional on these pre-trainings: there is one of an arm" if sides else ""


def floor_note(datasets: int, family: int, alpha: float) -> str | None:
    """Return the sentence that exact tests of so many datasets cannot decide; None: they can."""
    least = floor(datasets)
    if least > alpha:
        enough = _enough(1, alpha)
        more = enough - datasets
        return (
            f"n={datasets} pairs: the smallest possible two-sided p of an exact "
            f"signed-rank/sign-flip test is {least:g}; it cannot reach {alpha:g} however large the "
            "gain. Showing the paired t interval, which relies on near-normal dataset gains; "
            f"{more} more dataset{'' if more == 1 else 's'} (>= {enough}) makes the rank test "
            f"informative, Holm over m={family} needs {_enough(family, alpha)}."
        )
    if family * least > alpha:
        return (
            f"{family} contrasts, {datasets} datasets: nothing can be significant after Holm with "
            f"a rank test (floor {family * least:.3g}); {_enough(family, alpha)} datasets would be "
            "enough"
        )
    return None


def _enough(family: int, alpha: float) -> int:
    """Return the least number of datasets whose floor, times the family, is at most alpha."""
    return next(n for n in range(1, 200) if family * floor(n) <= alpha)
