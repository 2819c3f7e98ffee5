"""Comparison -> the verdict table with its forest plot. Pure.

Differences are candidate minus baseline, in percent points.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from gpbench.compare.comparison import Comparison, Finding, Row
from gpbench.compare.comparison import Contrast as Compared
from gpbench_leaderboard.page import Arm, Contrast, Difference, Verdicts
from gpbench_leaderboard.svg import Axis, difference_axis, forest_row

TRIAL = "This is a trial run of a few fine-tunings: it is never ranked, and no verdict is given."
MOST_TICKS = 7


def verdicts(comparison: Comparison | str, arms: Mapping[str, Arm]) -> Verdicts:
    """Return the table of a comparison; it is empty, and says why, for a trial or a reason."""
    if isinstance(comparison, str):
        return _empty(comparison)
    compared = () if comparison.trial else comparison.contrasts
    axis = shared_axis(compared)
    fractions = {contrast.label_fraction for contrast in comparison.contrasts}
    return Verdicts(
        baseline=comparison.baseline,
        metric=comparison.metric,
        confidence=100 * (1 - comparison.alpha),
        contrasts=tuple(
            _contrast(contrast, arms, axis, named=len(fractions) > 1) for contrast in compared
        ),
        ticks=axis.ticks(MOST_TICKS),
        width=axis.width,
        note=TRIAL if comparison.trial else "",
    )


def _empty(reason: str) -> Verdicts:
    axis = difference_axis([], [])
    return Verdicts("", "", 95.0, (), axis.ticks(MOST_TICKS), axis.width, reason)


def shared_axis(contrasts: Iterable[Compared]) -> Axis:
    """Return one axis for the headline and the rows of all contrasts."""
    findings = [
        finding
        for contrast in contrasts
        for finding in (contrast.finding, *(row.finding for row in contrast.rows))
    ]
    return difference_axis(
        [finding.difference for finding in findings if finding.difference is not None],
        [finding.ci for finding in findings if finding.ci is not None],
    )


def _contrast(contrast: Compared, arms: Mapping[str, Arm], axis: Axis, *, named: bool) -> Contrast:
    """Return a candidate's rows; a single dataset's is the headline."""
    label = _scope(contrast.rows)
    if named:
        label += f" · {contrast.label_fraction * 100:g} % of the labels"
    headline = _difference(
        contrast.finding,
        axis,
        label=label,
        metric=contrast.metric,
        means=(
            _mean(row.candidate_mean for row in contrast.rows),
            _mean(row.baseline_mean for row in contrast.rows),
        ),
        units=_least(contrast.rows),
    )
    several = contrast.rows if len(contrast.rows) > 1 else ()
    return Contrast(
        candidate=arms[contrast.candidate],
        headline=headline,
        reason=contrast.finding.reason,
        datasets=tuple(_dataset(row, contrast.metric, axis) for row in several),
    )


def _dataset(row: Row, metric: str, axis: Axis) -> Difference:
    return _difference(
        row.finding,
        axis,
        label=row.dataset.name,
        metric=metric,
        means=(row.candidate_mean, row.baseline_mean),
        units=_units(row),
        own=_own(row),
    )


def _difference(
    finding: Finding,
    axis: Axis,
    *,
    label: str,
    metric: str,
    means: tuple[float | None, float | None],
    units: tuple[int, int] | None,
    own: str = "",
) -> Difference:
    drawn = None
    if finding.difference is not None:
        drawn = forest_row(axis, finding.difference, finding.ci)
    return Difference(
        label=label,
        metric=metric,
        candidate=means[0],
        baseline=means[1],
        difference=finding.difference,
        ci=finding.ci,
        p_adjusted=finding.p_adjusted,
        units=units,
        own=own,
        verdict=finding.verdict,
        level=finding.level,
        forest=drawn,
    )


def _scope(rows: Sequence[Row]) -> str:
    if len(rows) == 1:
        return rows[0].dataset.name
    return f"mean of {len(rows)} datasets" if rows else "no common dataset"


def _own(row: Row) -> str:
    own = row.headline
    return f"{own.metric} {own.candidate:.2f} v {own.baseline:.2f}" if own else ""


def _units(row: Row) -> tuple[int, int]:
    """Return each side's independent draws: pre-trainings, or fine-tunings where there are none."""
    sides = (
        (row.candidate, row.candidate_pretrain_seeds),
        (row.baseline, row.baseline_pretrain_seeds),
    )
    counts = [len(values) if None in seeds else len(set(seeds)) for values, seeds in sides]
    return counts[0], counts[1]


def _least(rows: Sequence[Row]) -> tuple[int, int] | None:
    """Return the number of draws that every row has."""
    if not rows:
        return None
    return min(_units(row)[0] for row in rows), min(_units(row)[1] for row in rows)


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.fmean(found) if found else None
