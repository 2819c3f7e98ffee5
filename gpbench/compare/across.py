"""Claims across datasets: what new datasets of the kind would give, and what needs no model. Pure.

The units are the datasets: a gain is averaged over pre-trainings, fine-tunings and backbones first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gpbench.compare.cell import Pair, mean
from gpbench.compare.comparison import Exact, Omnibus
from gpbench.compare.evidence import Evidence
from gpbench.compare.study import Run, Study
from gpbench.compare.words import Correction, Level
from gpbench.stats.effect import d_z
from gpbench.stats.friedman import friedman
from gpbench.stats.power import FOR_A_VERDICT
from gpbench.stats.satterthwaite import NO_SPREAD, RESOLUTION, t_test, unit_term
from gpbench.stats.sign_flip import floor, sign_flip_p
from gpbench.stats.signed_rank import hodges_lehmann, signed_rank

FOR_A_CLAIM = 3
"""Datasets."""
CONDITIONAL = "conditional on these pre-trainings: others may differ"


def gains(pairs: Sequence[Pair]) -> tuple[tuple[str, float], ...]:
    """Return each dataset's name and mean gain."""
    return tuple((p.candidate.dataset, p.candidate.mean - p.baseline.mean) for p in pairs)


def over_datasets(
    pairs: Sequence[Pair], suite: Evidence, asked: Level | None, alpha: float
) -> Evidence | None:
    """Return the evidence of scope `datasets`; None for fewer than 3 datasets.

    The gains vary between datasets, and with pre-trainings that several datasets share: their
    error is common to all gains, so the spread of the gains does not show it. Both variances are
    added, which raises the degrees of freedom too: of both tests the larger p counts. Where no
    pre-training is shared this is the paired t test. With one pre-training of an arm the claim is
    conditional on it.

    Args:
        pairs: Both arms on each dataset.
        suite: The evidence about exactly these datasets.
        asked: The level; None: the highest that the design reaches.
        alpha: The interval covers 1 - alpha.
    """
    by_dataset = gains(pairs)
    if len(by_dataset) < FOR_A_CLAIM:
        return None
    values = [gain for _, gain in by_dataset]
    level: Level = "checkpoint" if _single_pretraining(pairs) else suite.level
    found = Evidence(mean(values), level, CONDITIONAL if level == "checkpoint" else "")
    found = replace(found, gains=by_dataset)
    if level == "checkpoint" and asked == "strategy":
        return replace(found, level="strategy", reason=suite.reason)
    shared = [sample for sample in suite.samples if sample.shared]
    between = unit_term(values)
    if not between.variance:
        return replace(found, reason=NO_SPREAD)
    alone = t_test(mean(values), [between], alpha)
    both = t_test(mean(values), [between, *(sample.term for sample in shared)], alpha)
    few = any(len(sample.values) < FOR_A_VERDICT for sample in shared)
    return replace(
        found,
        reason="; ".join(filter(None, [found.reason, suite.reason if few else ""])),
        decisive=not few,
        test=both if both.p > alone.p else alone,
        method="satterthwaite" if both.p > alone.p else "paired-t",
    )


def exact(pairs: Sequence[Pair], rng: np.random.Generator) -> Exact | None:
    """Return the exact tests of the datasets' gains; None for fewer than two datasets."""
    values = [gain for _, gain in gains(pairs)]
    if len(values) < 2:
        return None
    wins = sum(value > RESOLUTION for value in values)
    losses = sum(value < -RESOLUTION for value in values)
    varied = max(values) - min(values) > RESOLUTION
    without = [mean(v for at, v in enumerate(values) if at != left) for left in range(len(values))]
    return Exact(
        sign_flip_p=sign_flip_p(values, rng),
        signed_rank_p=signed_rank(values).p,
        floor=floor(len(values)),
        hodges_lehmann=hodges_lehmann(values),
        d_z=d_z(values) if varied else None,
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
    """Return an arm's mean over backbones, None where one has no results.

    It is -1, the worst, where a backbone's runs all diverged.
    """
    runs = study.runs_of(arm, dataset, label_fraction)
    wanted = {run.backbone for run in study.of_dataset(dataset, label_fraction)}
    if not wanted:  # of a trial, whose parts are datasets
        return None
    by_backbone = [[run for run in runs if run.backbone == name] for name in sorted(wanted)]
    scores = [_values(part) for part in by_backbone]
    if all(scores):
        return mean(map(mean, scores))
    lost = (part for part, own in zip(by_backbone, scores, strict=True) if not own)
    diverged = all(part and all(run.status == "diverged" for run in part) for part in lost)
    return -1.0 if diverged else None


def _values(runs: Sequence[Run]) -> list[float]:
    return [run.value for run in runs if run.value is not None]


def _single_pretraining(pairs: Sequence[Pair]) -> bool:
    """Return whether an arm has one pre-training on a dataset."""
    cells = (cell for pair in pairs for cell in (pair.candidate, pair.baseline))
    return any(cell.pretrains and len(cell.units) == 1 for cell in cells)


def floor_note(
    datasets: int, family: int, alpha: float, correction: Correction = "holm"
) -> str | None:
    """Return the sentence that exact tests of so many datasets cannot decide; None: they can."""
    least = floor(datasets)
    if least >= alpha:
        enough = _enough(1, alpha)
        more = enough - datasets
        shown = "Showing the paired t interval, which relies on near-normal dataset gains; "
        if correction == "max-t":
            return (
                f"max-T flips the signs of whole datasets for claims about new ones: of {datasets} "
                f"datasets the least possible p is {least:g}, and no such claim can be decided. "
                f"From {enough} datasets on it can; the interval is that of the t test"
            )
        return (
            f"n={datasets} pairs: the smallest possible two-sided p of an exact "
            f"signed-rank/sign-flip test is {least:g}; it cannot reach {alpha:g} however large the "
            f"gain. {shown if datasets >= FOR_A_CLAIM else ''}"
            f"{more} more dataset{'' if more == 1 else 's'} (>= {enough}) makes the rank test "
            f"informative, Holm over m={family} needs {_enough(family, alpha)}."
        )
    if family * least >= alpha and correction != "max-t":  # its floor is that of one contrast
        return (
            f"{family} contrasts, {datasets} datasets: nothing can be significant after Holm with "
            f"a rank test (floor {family * least:.3g}); {_enough(family, alpha)} datasets would be "
            "enough"
        )
    return None


def _enough(family: int, alpha: float) -> int:
    """Return the least number of datasets whose floor, times the family, is below alpha."""
    return next(n for n in range(1, 200) if family * floor(n) < alpha)
