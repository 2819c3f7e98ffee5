"""How often somebody could have looked at the results and then gone on. Pure.

Testing after each seed until a difference is significant finds one where there is none: with looks
after 3, 5 and 10 seeds in 10 % of cases instead of 5 %. Nobody records who looked, but results have
their times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter

from gpbench.compare.study import Run, Study
from gpbench.stats.sequential import nominal_alphas

PAUSE_S = 600.0
"""A break at least as long as this, after a complete smaller design, is a look."""
LEAST = 2
"""Runs per cell that anything can be tested with."""
Cell = tuple[str, str, str, float]
"""Arm, backbone, dataset, label fraction."""


def looks(study: Study) -> int:
    """Return at how many moments a complete design was there and nothing ran, the last included.

    A design is complete when all cells of the study have the same number of runs, two or more.
    Results whose times are unknown were looked at once.
    """
    runs = [run for run in study.runs if run.value is not None]
    if not all(run.ran for run in runs):
        return 1
    cells = {_cell(run) for run in runs}
    there: Counter[Cell] = Counter()
    found, latest = 1, float("-inf")
    for began, ended, cell in sorted(_stages(study, runs), key=itemgetter(0, 1)):
        if began - latest >= PAUSE_S:
            counts = {there[each] for each in cells}
            found += len(counts) == 1 and min(counts) >= LEAST
        if cell is not None:
            there[cell] += 1
        latest = max(latest, ended)
    return found


def _stages(study: Study, runs: Sequence[Run]) -> Iterator[tuple[float, float, Cell | None]]:
    """Yield when anything ran, and the cell of what belongs to the design."""
    for began, ended in study.busy:
        yield began, ended, None
    for run in runs:
        if run.ran is not None:
            yield *run.ran, _cell(run)


def unplanned(study: Study, alpha: float) -> Iterator[str]:
    """Yield the warning that results came in several series, where they did."""
    count = looks(study)
    if count > 1:
        level = nominal_alphas(count, alpha)[-1]
        yield (
            f"look {count} of an unplanned series: nominal p not valid. Runs were added after a "
            f"complete smaller design; {count} planned looks would each need p < {level:.3g}"
        )


def _cell(run: Run) -> Cell:
    return run.arm, run.backbone, run.dataset, run.label_fraction
