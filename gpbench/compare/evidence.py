"""How much of a difference is chance: what varies independently, and at which level. Pure.

The unit of a claim about a strategy is the pre-training: its fine-tunings are averaged first, and a
pre-training that several datasets share is one draw (docs/statistics.md). With one pre-training in
an arm only these pre-trained models can be compared: level `checkpoint`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpbench.compare.cell import Cell, mean
from gpbench.compare.comparison import Level
from gpbench.core.errors import ComparisonError
from gpbench.stats.satterthwaite import Term, TTest, t_test, unit_term

FOR_AN_INTERVAL, FOR_A_VERDICT = 2, 3
"""Units per arm."""
CHECKPOINT = (
    "these pre-trained models; another pre-training of the same strategy may differ"
)


@dataclass(frozen=True)
class Share:
    """What one arm adds to the variance of a difference.

    No `terms`: it is unknown. Not `decisive`: too few units for a verdict. `limit` says why.
    """

    level: Level
    terms: tuple[Term, ...]
    decisive: bool
    limit: str = ""


@dataclass(frozen=True)
class Evidence:
    """A difference in percent points; `test` None: `reason` says why there is none."""

    difference: float
    level: Level
    test: TTest | None
    decisive: bool
    reason: str


@dataclass(frozen=True)
class Side:
    """An arm by name, and its cells on the datasets that are averaged."""

    arm: str
    cells: tuple[Cell, ...]


def weigh(candidate: Side, baseline: Side, asked: Level | None, alpha: float) -> Evidence:
    """Return the mean over datasets of the candidate's gain, with what speaks for it."""
    difference = mean(c.mean for c in candidate.cells) - mean(c.mean for c in baseline.cells)
    shares = [share(side, asked) for side in (candidate, baseline)]
    level = "checkpoint" if any(s.level == "checkpoint" for s in shares) else "strategy"
    reason = "; ".join(s.limit for s in shares if s.limit)
    decisive = all(s.decisive for s in shares)
    if not all(s.terms for s in shares):
        return Evidence(difference, level, None, decisive=False, reason=reason)
    try:
        test = t_test(difference, [term for s in shares for term in s.terms], alpha)
    except ComparisonError as error:
        return Evidence(difference, level, None, decisive=False, reason=str(error))
    return Evidence(difference, level, test, decisive, reason)


def share(side: Side, asked: Level | None) -> Share:
    """Return what an arm adds to the variance of its mean over the datasets of its cells."""
    parts = [_part(side.arm, group, len(side.cells), asked) for group in grouped(side.cells)]
    complete = all(part.terms for part in parts)
    limits = sorted({part.limit for part in parts if part.limit})
    return Share(
        "checkpoint" if any(part.level == "checkpoint" for part in parts) else "strategy",
        tuple(term for part in parts for term in part.terms) if complete else (),
        all(part.decisive for part in parts),
        limits[0] if limits else "",
    )


def grouped(cells: Sequence[Cell]) -> list[tuple[Cell, ...]]:
    """Return the cells in groups that share pre-trainings, directly or through another cell."""
    groups: list[list[Cell]] = []
    for cell in cells:
        joined = [g for g in groups if any(cell.keys & other.keys for other in g)]
        groups = [g for g in groups if g not in joined]
        groups.append([*(other for g in joined for other in g), cell])
    return [tuple(group) for group in groups]


def unit_means(group: Sequence[Cell]) -> tuple[float, ...]:
    """Return one value per unit that all cells of the group have: its mean over the group."""
    units = [cell.units for cell in group]
    shared = sorted(set(units[0]).intersection(*units[1:]))
    return tuple(mean(mean(of_cell[seed]) for of_cell in units) for seed in shared)


def _part(arm: str, group: tuple[Cell, ...], datasets: int, asked: Level | None) -> Share:
    pretrains = any(cell.pretrains for cell in group)
    values = unit_means(group)
    if pretrains and (
        asked == "checkpoint" or (asked is None and len(values) < FOR_AN_INTERVAL)
    ):
        return _checkpoint(arm, group, datasets)
    weight = len(group) / datasets
    terms = (unit_term(values, weight),) if len(values) >= FOR_AN_INTERVAL else ()
    decisive = len(values) >= FOR_A_VERDICT
    limit = "" if decisive else _too_few(arm, len(values), "pre-training" if pretrains else "run")
    level: Level = asked or "strategy"
    return Share(level, terms, decisive, limit)


def _checkpoint(arm: str, group: tuple[Cell, ...], datasets: int) -> Share:
    """Return the share of fixed pre-trained models: only their fine-tunings vary, independently."""
    terms: list[Term] = []
    decisive = True
    for cell in group:
        fine_tunings = cell.units.values()
        least = min(len(values) for values in fine_tunings)
        if least < FOR_AN_INTERVAL:
            limit = (
                f"a pre-training of {arm} was fine-tuned once on {cell.dataset}: how much "
                "fine-tunings vary is unknown. Two trained models, not two strategies"
            )
            return Share("checkpoint", (), decisive=False, limit=limit)
        weight = 1 / (datasets * len(fine_tunings))
        parts = [unit_term(values, weight) for values in fine_tunings]
        decisive = decisive and sum(part.df for part in parts) >= FOR_A_VERDICT - 1
        terms.extend(parts)
    limit = "" if decisive else _too_few(arm, FOR_AN_INTERVAL, "fine-tuning")
    return Share("checkpoint", tuple(terms), decisive, limit)


def _too_few(arm: str, count: int, unit: str) -> str:
    have = f"{arm} has {count} {unit}{'' if count == 1 else 's'}"
    if count < FOR_AN_INTERVAL:
        return f"{have}: an interval needs {FOR_AN_INTERVAL}, a verdict {FOR_A_VERDICT}"
    return f"{have}: enough for an interval, a verdict needs {FOR_A_VERDICT}"
