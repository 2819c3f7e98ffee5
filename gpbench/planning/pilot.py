"""How much scores vary from pre-training to pre-training, by results that are stored already."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gpbench.core.dataset import Metric
from gpbench.core.plan import Plan
from gpbench.metrics import score
from gpbench.stats.components import spread
from gpbench.stats.power import upper_sd
from gpbench.store import Result, Store, StoredExperiment

METRIC: Metric = "mIoU"
_ALPHA = 0.05  # of intervals that are not shown


@dataclass(frozen=True, order=True)
class Place:
    """Where scores are compared, and whether the arms' units are pre-trainings or single runs."""

    dataset: str
    label_fraction: float
    pretrains: bool


@dataclass(frozen=True)
class Pilot:
    """The sd of a unit's mean in percent points, with its degrees of freedom.

    It is pooled over arms that all pre-train, or all do not: one run varies more than the mean of a
    pre-training's fine-tunings.
    """

    sd: float
    df: float

    @property
    def upper(self) -> float:
        """Return the upper 80 % limit, to plan with."""
        return upper_sd(self.sd, self.df)


def stored_pilots(store: Store, plan: Plan) -> dict[Place, Pilot]:
    """Return the spread of the plan's arms on its datasets, where 2 units of an arm are stored.

    Any experiment counts, the one planned last before the others, whatever its recipe. The sd is of
    the mean of as many fine-tunings as the plan has per pre-training.
    """
    wanted = {
        (item.arm, Place(item.dataset, item.label_fraction, item.pretrain_seed is not None))
        for item in plan.items
        if item.dataset is not None and item.label_fraction is not None
    }
    arms, datasets = {arm for arm, _ in wanted}, {place.dataset for _, place in wanted}
    found: dict[tuple[str, Place], Pilot] = {}
    for name in store.experiments():
        if len(found) == len(wanted):
            break
        stored = store.experiment(name)
        if arms.isdisjoint(facts.arm for facts in stored.strategies):
            continue
        if datasets.isdisjoint(facts.name for facts in stored.datasets):
            continue
        for cell, units in _units(stored, store.results(name), plan.experiment.backbones).items():
            known = pilot(units, len(plan.experiment.seeds))
            if known is not None and cell in wanted:
                found.setdefault(cell, known)
    return _pooled(found)


def pilot(units: Sequence[Sequence[float]], finetunings: int) -> Pilot | None:
    """Return the sd of the mean of so many fine-tunings; None for fewer than 2 units.

    Where each unit was fine-tuned once, more fine-tunings may make it smaller: by how much is
    unknown, and it stays.
    """
    found = spread(units, _ALPHA) if units else None
    if found is None or found.unit is None:
        return None
    variance = found.unit.sd**2
    if found.ft is not None:
        had = math.fsum(1 / len(unit) for unit in units) / len(units)
        within = found.ft.sd**2
        variance = max(variance + within * (1 / finetunings - had), within / finetunings)
    return Pilot(math.sqrt(variance), found.unit.df)


def _units(
    stored: StoredExperiment, results: Iterable[Result], backbones: Collection[str]
) -> Mapping[tuple[str, Place], list[list[float]]]:
    """Return arm and place -> the scores of each pre-training, averaged over the backbones."""
    protocols = {facts.name: facts.spec for facts in stored.datasets}
    runs: defaultdict[tuple[str, Place], defaultdict[tuple[int | None, int], dict[str, float]]]
    runs = defaultdict(lambda: defaultdict(dict))
    for result in results:
        if result.total is None or result.backbone not in backbones:
            continue
        spec = protocols[result.dataset]
        protocol = spec.protocol
        scores = score(result.total, spec.info.classes, protocol.excluded, protocol.absent)
        replicate = result.pretrain_seed, result.finetune_seed
        pretrains = result.pretrain_seed is not None
        place = Place(result.dataset, result.label_fraction, pretrains)
        runs[result.arm, place][replicate][result.backbone] = 100 * scores.headline(METRIC)
    found: dict[tuple[str, Place], list[list[float]]] = {}
    for cell, replicates in runs.items():
        shared = {backbone for values in replicates.values() for backbone in values}
        units: defaultdict[tuple[int | None, int], list[float]] = defaultdict(list)
        for (pretrain_seed, finetune_seed), values in replicates.items():
            if len(values) == len(shared):
                # without a pre-training every run is a unit
                unit = (None, finetune_seed) if pretrain_seed is None else (pretrain_seed, 0)
                units[unit].append(math.fsum(values.values()) / len(values))
        found[cell] = list(units.values())
    return found


def _pooled(found: Mapping[tuple[str, Place], Pilot]) -> dict[Place, Pilot]:
    """Return one sd per place: the arms' variances, weighted by their degrees of freedom."""
    by_place: defaultdict[Place, list[Pilot]] = defaultdict(list)
    for (_, place), known in found.items():
        by_place[place].append(known)
    return {
        place: Pilot(
            math.sqrt(math.fsum(p.df * p.sd**2 for p in pilots) / math.fsum(p.df for p in pilots)),
            math.fsum(p.df for p in pilots),
        )
        for place, pilots in sorted(by_place.items())
    }
