"""What a plan can show before anything is run: level, smallest p, detectable difference. Pure."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gpbench.core.errors import ComparisonError, InvalidValueError
from gpbench.core.plan import JsonObject, Plan, PlanItem
from gpbench.planning.pilot import Pilot, Place
from gpbench.stats.power import FOR_A_VERDICT, FOR_AN_INTERVAL, detectable
from gpbench.stats.satterthwaite import Term, t_test
from gpbench.stats.sign_flip import floor

ALPHA = 0.05
"""Two-sided, of the whole family."""
MOST_SD = 100.0
"""Scores are 0 to 100 percent points: their sd is never more."""


@dataclass(frozen=True)
class Group:
    """Datasets on which an arm starts from the same pre-trainings, and how many there are."""

    datasets: tuple[str, ...]
    units: int


@dataclass(frozen=True)
class Knowledge:
    """What is known of a unit's spread: a standard deviation that was named, or pilots."""

    sd: float | None = None
    """Percent points."""
    pilots: Mapping[Place, Pilot] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.sd is not None and not 0 < self.sd <= MOST_SD:
            raise InvalidValueError("--sd", self.sd, f"percent points, more than 0 to {MOST_SD:g}")

    def sd_at(self, place: Place) -> float | None:
        """Return the sd to plan with in percent points, None where nothing is known."""
        if self.sd is not None:
            return self.sd
        return self.pilots[place].upper if place in self.pilots else None


@dataclass(frozen=True)
class _Sides:
    """What can be compared: each arm at each label fraction, and what is known of its spread."""

    groups: Mapping[tuple[str, float], Sequence[Group]]
    pretrain: Collection[str]
    """The arms that do."""
    known: Knowledge

    def sd(self, arm: str, dataset: str, label_fraction: float) -> float | None:
        """Return the sd of a unit of an arm."""
        return self.known.sd_at(Place(dataset, label_fraction, arm in self.pretrain))


def design(plan: Plan, known: Knowledge) -> JsonObject:
    """Return which claims the plan's numbers of pre-trainings and datasets allow.

    A number that cannot be given is null, with the reason in the field named after it.
    """
    groups = {
        (facts.arm, fraction): _groups(plan, facts.arm, fraction)
        for facts in plan.strategies
        for fraction in plan.experiment.label_fractions
    }
    units = {
        facts.arm: min(
            (group.units for (arm, _), own in groups.items() if arm == facts.arm for group in own),
            default=0,
        )
        for facts in plan.strategies
    }
    contrasts = max(1, len(units) - 1) * len(plan.experiment.label_fractions)
    datasets = sorted({d for own in groups.values() for group in own for d in group.datasets})
    smallest, why_not_smaller = _p_floor(len(datasets), contrasts)
    sides = _Sides(groups, {facts.arm for facts in plan.strategies if facts.pretrains}, known)
    reached = _reached(plan, units, sides.pretrain)
    shown, why_not_shown = _detectable(sides, datasets, contrasts)
    if plan.trial:
        shown, why_not_shown = None, reached.reason
    return {
        "level": reached.level,
        "pretrainings": len(plan.experiment.pretrain_seeds),
        "finetunings": len(plan.experiment.seeds),
        "p_floor": smallest,
        "detectable_difference": shown,
        "level_reason": reached.reason,
        "decisive": reached.decisive,
        "more_pretrainings": max(0, FOR_A_VERDICT - min(units.values(), default=0)),
        "contrasts": contrasts,
        "alpha": ALPHA,
        "p_floor_reason": why_not_smaller,
        "detectable_difference_reason": why_not_shown,
        "detectable_by_dataset": {
            # verdicts of single datasets are a family of their own
            name: _detectable(sides, [name], contrasts * len(datasets))[0]
            for name in datasets
        },
        "sd": known.sd,
        "pilots": [
            {
                "dataset": place.dataset,
                "label_fraction": place.label_fraction,
                "pretrains": place.pretrains,
                "sd": pilot.sd,
                "df": pilot.df,
                "upper": pilot.upper,
            }
            for place, pilot in known.pilots.items()
        ],
    }


def _groups(plan: Plan, arm: str, fraction: float) -> list[Group]:
    """Return an arm's datasets in groups that share pre-trainings, directly or through another."""
    runs: defaultdict[str, list[PlanItem]] = defaultdict(list)
    for item in plan.items:
        if item.arm == arm and item.label_fraction == fraction and item.dataset is not None:
            runs[item.dataset].append(item)
    groups: list[tuple[set[str], list[str]]] = []
    for dataset, items in runs.items():
        parents = {plan.items[index].identity for item in items for index in item.needs}
        joined = [group for group in groups if group[0] & parents]
        groups = [group for group in groups if group not in joined]
        names = [name for _, members in joined for name in members]
        groups.append((parents.union(*(keys for keys, _ in joined)), [*names, dataset]))
    return [
        Group(tuple(names), len(set.intersection(*(_seeds(runs[name]) for name in names))))
        for _, names in groups
    ]


def _seeds(items: Sequence[PlanItem]) -> set[int | None]:
    """Return the seeds of an arm's units on one dataset: those that all its backbones have."""
    by_backbone: defaultdict[str, set[int | None]] = defaultdict(set)
    for item in items:
        alone = item.pretrain_seed is None
        by_backbone[item.backbone].add(item.finetune_seed if alone else item.pretrain_seed)
    return set.intersection(*by_backbone.values())


@dataclass(frozen=True)
class _Reached:
    """As `compare` would say: the level, whether there are verdicts, why none about strategies."""

    level: Literal["strategy", "checkpoint"]
    decisive: bool
    reason: str | None


def _reached(plan: Plan, units: Mapping[str, int], pretrain: Collection[str]) -> _Reached:
    """Return what claims the numbers of units allow.

    Args:
        plan: What is to be run.
        units: Arm -> pre-trainings, or runs of an arm without one.
        pretrain: The arms that pre-train.
    """
    single = [arm for arm, count in units.items() if arm in pretrain and count == 1]
    level: Literal["strategy", "checkpoint"] = "checkpoint" if single else "strategy"
    if plan.trial:
        return _Reached(level, decisive=False, reason="a trial is never ranked")
    few = {arm: count for arm, count in units.items() if count < FOR_A_VERDICT}
    if not few:
        return _Reached(level, decisive=True, reason=None)
    told = ", ".join(
        _few(arm, count, plan, pretrains=arm in pretrain) for arm, count in few.items()
    )
    more = FOR_A_VERDICT - min(few.values())
    needs = f"a verdict about strategies needs {FOR_A_VERDICT} ({more} more)"
    if min(few.values()) >= FOR_AN_INTERVAL:
        needs = f"enough for an interval, {needs}"
    # of a single pre-training the fine-tunings are the units
    decisive = set(few) == set(single) and len(plan.experiment.seeds) >= FOR_A_VERDICT
    if decisive:
        needs = f"verdicts are about these pre-trained models; {needs}"
    return _Reached(level, decisive, f"{told}: {needs}")


def _few(arm: str, count: int, plan: Plan, *, pretrains: bool) -> str:
    if not pretrains:
        return f"{arm} has {count} run{'' if count == 1 else 's'}"
    if count > 1:
        return f"{arm} has {count} pre-trainings"
    tuned = {1: ", fine-tuned once", 2: ", fine-tuned twice"}
    return f"{arm} has {count} pre-training{tuned.get(len(plan.experiment.seeds), '')}"


def _p_floor(datasets: int, contrasts: int) -> tuple[float | None, str | None]:
    """Return the smallest p of exact tests over datasets, and why none is below alpha.

    They stand beside the t tests that verdicts go by, and limit the best of several baselines only.
    """
    if datasets < 2:
        return None, "one dataset: there is no exact test over datasets"
    smallest = floor(datasets)
    if smallest * contrasts < ALPHA:
        return smallest, None
    enough = next(n for n in itertools.count(2) if floor(n) * contrasts < ALPHA)
    over = (
        f", {min(1.0, smallest * contrasts):.3g} after Holm over {contrasts}"
        if contrasts > 1
        else ""
    )
    return smallest, (
        f"with {datasets} datasets their p is at least {smallest:.3g}{over}, and {enough} could "
        f"bring it below {ALPHA:g}; verdicts go by t tests, which have no such limit"
    )


def _detectable(
    known: _Sides, datasets: Collection[str], family: int
) -> tuple[float | None, str | None]:
    """Return the mean gain over the datasets that any two arms show, or why it is not known.

    With 80 % power at the level of the first of Holm's tests, and for the pair of arms and the
    label fraction that show the least. What gets no verdict about strategies shows none.
    """
    undecided = _undecided(known, datasets)
    if undecided is not None:
        return None, undecided
    largest = 0.0
    for fraction in sorted({fraction for _, fraction in known.groups}):
        sides: list[list[Term]] = []
        for (arm, of_fraction), own in known.groups.items():
            if of_fraction != fraction:
                continue
            used = [group for group in own if not set(group.datasets).isdisjoint(datasets)]
            names = [name for group in used for name in group.datasets if name in datasets]
            sds = {name: known.sd(arm, name, fraction) for name in names}
            unknown = [name for name, sd in sds.items() if sd is None]
            if unknown:
                return None, _unknown(unknown, pretrains=arm in known.pretrain)
            found = {name: sd for name, sd in sds.items() if sd is not None}
            sides.append([_term(group, found) for group in used])
        for a, b in itertools.combinations(sides, 2):
            try:
                test = t_test(0, [*a, *b], ALPHA)
            except ComparisonError:
                return None, "the stored scores do not vary: is the seed used?"
            largest = max(largest, detectable(test.se, test.df, ALPHA / family))
    return largest, None


def _undecided(known: _Sides, datasets: Collection[str]) -> str | None:
    """Return why no difference gets a verdict about strategies, whatever varies; None: one can."""
    if not datasets:
        return "nothing is fine-tuned"
    if len({arm for arm, _ in known.groups}) < 2:
        return "one arm: nothing to compare with"
    for (arm, _), own in known.groups.items():
        used = [group for group in own if not set(group.datasets).isdisjoint(datasets)]
        fewest = min((group.units for group in used), default=FOR_A_VERDICT)
        if fewest < FOR_A_VERDICT:
            return _too_few(arm, fewest, pretrains=arm in known.pretrain)
    return None


def _too_few(arm: str, units: int, *, pretrains: bool) -> str:
    if pretrains and units == 1:
        return (
            f"{arm} has 1 pre-training, so the spread of fine-tunings would count, and a plan "
            f"knows that of pre-trainings; {FOR_A_VERDICT} of them would be enough for strategies"
        )
    called = "pre-training" if pretrains else "run"
    return (
        f"with {units} {called}{'' if units == 1 else 's'} of {arm} no difference gets a verdict, "
        f"however large; {FOR_A_VERDICT} would be enough"
    )


def _term(group: Group, sds: Mapping[str, float]) -> Term:
    """Return what a group adds to the variance of an arm's mean over the datasets of `sds`.

    A pre-training that is good on one dataset may be as good on the next: the sds are averaged, as
    if its datasets were fully correlated.
    """
    total = math.fsum(sds[name] for name in group.datasets if name in sds)
    return Term((total / len(sds)) ** 2 / group.units, group.units - 1)


def _unknown(datasets: Sequence[str], *, pretrains: bool) -> str:
    arms, units = (
        ("arm of the plan that pre-trains", "pre-trainings")
        if pretrains
        else ("arm of the plan without a pre-training", "runs")
    )
    return (
        f"no spread is known on {', '.join(datasets)}: no {arms} has {FOR_AN_INTERVAL} stored "
        f"{units} there; --sd names one"
    )
