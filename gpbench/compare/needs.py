"""What a comparison lacks for 80 % power: pre-trainings, datasets, or neither can help. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gpbench.compare.across import FOR_A_CLAIM
from gpbench.compare.comparison import Needed
from gpbench.compare.evidence import Evidence, Sample
from gpbench.stats.power import (
    FOR_A_VERDICT,
    USUAL_POWER,
    datasets_half_width,
    datasets_needed,
    power_t,
    smallest,
    upper_sd,
)
from gpbench.stats.satterthwaite import RESOLUTION, Term, TTest, t_test

MORE_DATASETS = 4
"""The example of how much datasets narrow an interval."""
MOST_TIMES = 4
"""As many datasets as without an error that they share: then more pre-trainings are planned."""
LEAST_SHARE = 0.01
"""Of an interval's width, that datasets themselves differ by: what is less is chance."""


def needs(
    suite: Evidence,
    rows: Sequence[Evidence],
    alpha: float,
    margin: float | None,
    pretrainings: tuple[int, int] = (1, 1),
) -> Needed:
    """Return how many pre-trainings per arm, and how many datasets, show a difference.

    It is the margin, where there is one, else the one observed. Spreads count by their upper 80 %
    limit: a pilot's are more often too small than too large. Never fewer than a verdict needs.

    Args:
        suite: The evidence about the average over exactly these datasets.
        rows: The evidence of each dataset.
        alpha: Level of one test: divided by the size of the family for Holm's first.
        margin: Percent points.
        pretrainings: Those of both arms; 0: an arm has none, and its units are its runs.
    """
    gap = margin if margin is not None else abs(suite.difference or 0.0)
    if gap <= RESOLUTION:
        return Needed(
            None, None, "no difference was observed: nothing to plan for without --margin"
        )
    which = "the margin" if margin is not None else "the observed difference"
    of_units, units, precise = _units(suite, gap, margin, alpha, _called(pretrainings))
    datasets, of_datasets = _datasets(suite, rows, gap, alpha, units, _called(pretrainings))
    sentences = [*of_units, *([of_datasets] if of_datasets else [])]
    aim = f"80 % power for {gap:.2f} pp ({which}) at alpha {alpha:.3g}"
    return Needed(units, datasets, f"{aim}: {'; '.join(sentences)}", precise)


def _called(pretrainings: tuple[int, int]) -> str:
    """Return what the units of both arms are called."""
    if all(pretrainings):
        return "pre-trainings"
    return "pre-trainings (or runs, where there are none)" if any(pretrainings) else "runs"


def _units(
    suite: Evidence, gap: float, margin: float | None, alpha: float, called: str
) -> tuple[list[str], int | None, int | None]:
    """Return sentences, the units per arm that power needs, and those that half a margin does."""
    if suite.test is None or not suite.samples:
        return [f"{called} unknown ({suite.reason})"], None, None
    if suite.level == "checkpoint":
        told = (
            "pre-trainings unknown: with one in an arm nobody knows how much they vary; begin with "
            f"{FOR_A_VERDICT} per arm"
        )
        return [told], None, None
    of_one = _of_one(suite, suite.samples)

    def planned(units: int) -> TTest:
        return t_test(gap, [Term(each / units, units - 1) for each in of_one], alpha)

    def powerful(units: int) -> bool:
        test = planned(units)
        return power_t(test.se, test.df, gap, alpha) >= USUAL_POWER

    needed = max(FOR_A_VERDICT, smallest(powerful))
    have = min(len(sample.values) for sample in suite.samples)
    told = f"{needed} {called} per arm ({have} now)"
    if margin is None:
        return [told], needed, None

    def narrow(units: int) -> bool:
        low, high = planned(units).ci
        return high - low <= margin

    precise = max(FOR_A_VERDICT, smallest(narrow))
    stop = (
        f"{precise} for an interval of +-{margin / 2:g} pp, half the margin: to stop there leaves "
        "p valid"
    )
    return [told, stop], needed, precise


def _of_one(suite: Evidence, samples: Sequence[Sample]) -> list[float]:
    """Return the variance that one unit of each sample has, at its upper 80 % limit."""
    if suite.test is None:
        return []
    widen = upper_sd(1.0, suite.test.df) ** 2
    return [widen * sample.term.variance * len(sample.values) for sample in samples]


def _datasets(
    suite: Evidence,
    rows: Sequence[Evidence],
    gap: float,
    alpha: float,
    units: int | None,
    called: str,
) -> tuple[int | None, str]:
    """Return the datasets that a claim about new datasets needs, and what seeds can do for it."""
    gains = [row.difference for row in rows if row.difference is not None]
    if len(gains) < FOR_A_CLAIM:
        return None, ""
    if max(gains) - min(gains) <= RESOLUTION:
        return None, "all datasets have the same gain: no spread to plan with"
    have = len(gains)
    spread = upper_sd(float(np.std(gains, ddof=1)), have - 1)
    shared = [sample for sample in suite.samples if sample.shared]
    if shared:
        if units is None:
            return None, ""
        found, with_units = _with_shared(_of_one(suite, shared), spread, gap, alpha, units)
        return found, (
            f"{found} datasets with {with_units} {called} per arm for a claim about new ones "
            f"({have} now): they share them, and no number of datasets makes up for few of them"
        )
    needed = max(FOR_A_CLAIM, datasets_needed(gap, spread, alpha))
    said = f"{needed} datasets for a claim about new ones ({have} now)"
    return needed, said + _by_seeds(rows, gains, gap, alpha, needed)


def _with_shared(
    of_one: Sequence[float], spread: float, gap: float, alpha: float, units: int
) -> tuple[int, int]:
    """Return how many datasets are enough, and with how many units that all of them share.

    Fewer units than these would ask for more than 4 times as many datasets as no error of theirs.
    """
    alone = max(FOR_A_CLAIM, datasets_needed(gap, spread, alpha))

    def enough(datasets: int, shared: int) -> bool:
        terms = [Term(spread**2 / datasets, datasets - 1)]
        terms += [Term(each / shared, shared - 1) for each in of_one if each]
        test = t_test(gap, terms, alpha)
        return power_t(test.se, test.df, gap, alpha) >= USUAL_POWER

    least = max(units, smallest(lambda number: enough(MOST_TIMES * alone, number)))
    return max(alone, smallest(lambda number: enough(number, least))), least


def _by_seeds(
    rows: Sequence[Evidence], gains: Sequence[float], gap: float, alpha: float, needed: int
) -> str:
    """Return how much of the interval seeds can narrow, and how much datasets."""
    have, variance = len(gains), float(np.var(gains, ddof=1))
    errors = [row.test.se**2 for row in rows if row.test is not None]
    if len(errors) < have:
        return ""
    within = math.fsum(errors) / have
    interaction = max(0.0, variance - within)
    now, floor = datasets_half_width(have, interaction, within, alpha)
    if floor < LEAST_SHARE * now:
        return (
            f": as far as {have} datasets tell, their gains differ by chance only, and more "
            "seeds narrow the interval as more datasets do"
        )
    later, _ = datasets_half_width(have + MORE_DATASETS, interaction, within, alpha)
    said = (
        f", whose interval more seeds can narrow by at most {100 * (1 - floor / now):.0f} % and "
        f"{MORE_DATASETS} more datasets by {100 * (1 - later / now):.0f} %"
    )
    endless = math.sqrt(interaction / have)
    if have < needed and power_t(endless, have - 1, gap, alpha) < USUAL_POWER:
        said += f": with {have} datasets no number of seeds is enough"
    return said
