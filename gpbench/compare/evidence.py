"""How much of a difference is chance: what varies independently, and at which level. Pure.

The unit of a claim about a strategy is the pre-training: its fine-tunings are averaged first, and a
pre-training that several datasets share is one draw. With one pre-training in an arm only these
pre-trained models can be compared: level `checkpoint`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gpbench.compare.cell import Cell, mean
from gpbench.compare.pairs import Pairs, correlation, paired_gains
from gpbench.compare.words import Level, Span
from gpbench.core.errors import ComparisonError
from gpbench.stats.effect import a12, a12_interval, d_av, d_z, hedges_g
from gpbench.stats.power import FOR_A_VERDICT, FOR_AN_INTERVAL
from gpbench.stats.satterthwaite import Term, TTest, t_test, unit_term

ONE_SEED = "1 seed per arm: seed variance is unknown"


@dataclass(frozen=True)
class Side:
    """An arm by name, and its cells on the datasets that are averaged."""

    arm: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sample:
    """Independent values, and the weight of their mean in the arm's mean, or in a difference.

    The same `name` and `values` are the same draws, wherever they are met.
    """

    name: str
    values: tuple[float, ...]
    weight: float
    shared: bool = False
    """Whether several datasets were averaged for each value."""

    @property
    def term(self) -> Term:
        return unit_term(self.values, self.weight)


@dataclass(frozen=True)
class Share:
    """What one arm adds to the variance of a difference.

    No `samples`: it is unknown. Not `decisive`: too few units for a verdict. `remark` says why, and
    why the level is not `strategy`.
    """

    level: Level
    samples: tuple[Sample, ...]
    decisive: bool
    remark: str


@dataclass(frozen=True)
class Evidence:
    """A difference in percent points; `test` None: `reason` says why there is none.

    `method` and `a12` go with the test; `a12` only where each arm is one sample. `constant` names
    an arm whose values are all the same.
    """

    difference: float | None
    level: Level
    reason: str
    decisive: bool = False
    test: TTest | None = None
    method: str | None = None
    a12: float | None = None
    a12_ci: Span | None = None
    effects: tuple[tuple[str, float], ...] = ()
    """Standardised differences by name; as `a12`."""
    correlation: float | None = None
    """Of the units, where they are paired."""
    constant: str | None = None
    samples: tuple[Sample, ...] = ()
    """What varies; the baseline's weights are negative."""
    gains: tuple[tuple[str, float], ...] = ()
    """What varies where datasets are the units: their names and gains."""


def weigh(
    candidate: Side,
    baseline: Side,
    asked: Level | None,
    alpha: float,
    *,
    paired: bool = False,
) -> Evidence:
    """Return the mean over datasets of the candidate's gain, with what speaks for it.

    The gain is that of all units, the variance that of the units that all datasets of a group have.

    Args:
        candidate: One arm.
        baseline: The other, on the same datasets.
        asked: The level; None: the highest that the design reaches.
        alpha: The interval covers 1 - alpha.
        paired: Whether equal replicates of both arms share a drawn subset of the labels.
    """
    difference = mean(c.mean for c in candidate.cells) - mean(c.mean for c in baseline.cells)
    sides = (candidate, baseline)
    shares = [share(side, asked) for side in sides]
    level: Level = "checkpoint" if any(s.level == "checkpoint" for s in shares) else "strategy"
    remark = _joined({side.arm: s.remark for side, s in zip(sides, shares, strict=True)})
    if all(len(cell.replicates) == 1 for side in sides for cell in side.cells):
        remark = f"{ONE_SEED}; {remark}"
    unknown = Evidence(difference, level, remark)
    if not all(s.samples for s in shares):
        return unknown
    if paired:
        gains = paired_gains(candidate.cells, baseline.cells, level)
        if gains is not None:
            return _of_pairs(unknown, sides, gains, alpha)
    samples = [*shares[0].samples, *(replace(s, weight=-s.weight) for s in shares[1].samples)]
    try:
        test = t_test(difference, [sample.term for sample in samples], alpha)
    except ComparisonError as error:
        return replace(unknown, reason=str(error))
    single = all(len(s.samples) == 1 for s in shares)
    still = [
        side.arm
        for side, own in zip(sides, shares, strict=True)
        if not any(sample.term.variance for sample in own.samples)
    ]
    found = replace(
        unknown,
        decisive=all(s.decisive for s in shares),
        test=test,
        method="welch" if single else "satterthwaite",
        constant=still[0] if still else None,
        samples=tuple(samples),
    )
    if not single:
        return found
    a, b = (s.samples[0].values for s in shares)
    return _with_chance(replace(found, effects=(("hedges_g", hedges_g(a, b)),)), a, b, alpha)


def _with_chance(
    found: Evidence, a: tuple[float, ...], b: tuple[float, ...], alpha: float
) -> Evidence:
    """Return evidence with the chance that a unit of one arm scores above one of the other."""
    chance = a12(a, b)
    return replace(found, a12=chance, a12_ci=a12_interval(chance, len(a), len(b), alpha))


def _of_pairs(unknown: Evidence, sides: tuple[Side, Side], gains: Pairs, alpha: float) -> Evidence:
    """Return what differences within pairs of units show.

    Args:
        unknown: What is known without them.
        sides: Which arms.
        gains: The candidate's and the baseline's value of each pair.
        alpha: As everywhere.
    """
    differences = tuple(a - b for a, b in gains)
    candidate, baseline = sides
    name = f"{candidate.arm} - {baseline.arm}"
    sample = Sample(name, differences, 1.0, shared=len(candidate.cells) > 1)
    try:
        test = t_test(mean(differences), [sample.term], alpha)
    except ComparisonError as error:
        return replace(unknown, reason=str(error))
    few = "" if len(gains) >= FOR_A_VERDICT else f"{len(gains)} pairs: enough for an interval, "
    a, b = zip(*gains, strict=True)
    found = replace(
        unknown,
        reason=few and f"{few}a verdict needs {FOR_A_VERDICT}",
        decisive=not few,
        test=test,
        method="paired-t",
        effects=(("d_z", d_z(differences)), ("d_av", d_av(a, b))),
        correlation=correlation(gains),
        samples=(sample,),
    )
    return _with_chance(found, a, b, alpha)


def _joined(remarks: Mapping[str, str]) -> str:
    """Return the remarks on arms in one; what is true of both is said once."""
    told = [remark for remark in remarks.values() if remark]
    tails = {remark.removeprefix(f"{arm} has ") for arm, remark in remarks.items()}
    if len(told) == len(tails) + 1 and all(r.startswith(f"{a} has ") for a, r in remarks.items()):
        return f"{' and '.join(remarks)} each have {tails.pop()}"
    return "; ".join(told)


def share(side: Side, asked: Level | None) -> Share:
    """Return what an arm adds to the variance of its mean over the datasets of its cells."""
    parts = [_part(side.arm, group, len(side.cells), asked) for group in grouped(side.cells)]
    complete = all(part.samples for part in parts)
    remarks = sorted({part.remark for part in parts if part.remark})
    return Share(
        "checkpoint" if any(part.level == "checkpoint" for part in parts) else "strategy",
        tuple(sample for part in parts for sample in part.samples) if complete else (),
        all(part.decisive for part in parts),
        remarks[0] if remarks else "",
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
    """Return the share of cells that vary together, out of so many datasets."""
    pretrains = any(cell.pretrains for cell in group)
    values = unit_means(group)
    few = "" if len(values) >= FOR_A_VERDICT else _few(arm, len(values), group)
    if pretrains and asked == "checkpoint":
        fixed = _checkpoint(arm, group, datasets)
        return replace(fixed, remark=fixed.remark and f"{arm}{fixed.remark}")
    if pretrains and asked is None and len(values) < FOR_AN_INTERVAL:
        fixed = _checkpoint(arm, group, datasets)
        return replace(fixed, remark=f"{few}{fixed.remark}")
    level: Level = asked or "strategy"
    if len(values) < FOR_AN_INTERVAL:
        remark = f"{few}: an interval needs {FOR_AN_INTERVAL}, a verdict {FOR_A_VERDICT}"
        return Share(level, (), decisive=False, remark=remark)
    name = f"{arm} on {', '.join(cell.dataset for cell in group)}"
    sample = Sample(name, values, len(group) / datasets, shared=len(group) > 1)
    remark = few and f"{few}: enough for an interval, a verdict needs {FOR_A_VERDICT}"
    return Share(level, (sample,), not few, remark)


def _checkpoint(arm: str, group: tuple[Cell, ...], datasets: int) -> Share:
    """Return the share of fixed pre-trained models: only their fine-tunings vary, independently."""
    samples: list[Sample] = []
    decisive = True
    for cell in group:
        fine_tunings = cell.units.values()
        if min(map(len, fine_tunings)) < FOR_AN_INTERVAL:
            remark = ", fine-tuned once: seed variance is unknown"
            return Share("checkpoint", (), decisive=False, remark=remark)
        weight = 1 / (datasets * len(fine_tunings))
        samples.extend(
            Sample(f"{arm} on {cell.dataset} from {seed}", values, weight)
            for seed, values in cell.units.items()
        )
        degrees = sum(len(values) - 1 for values in fine_tunings)
        decisive = decisive and degrees >= FOR_A_VERDICT - 1
    remark = "" if decisive else f", fine-tuned twice: a verdict needs {FOR_A_VERDICT}"
    return Share("checkpoint", tuple(samples), decisive, remark)


def _few(arm: str, count: int, group: Sequence[Cell]) -> str:
    unit = "pre-training" if any(cell.pretrains for cell in group) else "run"
    everywhere = all(len(cell.units) == count for cell in group)
    where = "" if everywhere else f" with results on all of {', '.join(c.dataset for c in group)}"
    return f"{arm} has {count} {unit}{'' if count == 1 else 's'}{where}"
