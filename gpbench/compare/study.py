"""What a comparison is made from: runs with their scores, and facts of the experiment. Pure.

Scores are percent points from here on, whoever made them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gpbench.compare.cell import Replicates
from gpbench.compare.training import Trainings
from gpbench.core.plan import Excluded
from gpbench.core.stage import canonical_json, digest

UNRUN = "missing"
"""Status of a run that has no outcome yet, or none that says anything about its arm."""


@dataclass(frozen=True)
class Run:
    """One fine-tuning: where it stands in the design, and its score in [0, 100] where it has one.

    `pretrain_seed` None: the run has no pre-training of its own and is an independent unit.
    Runs of one `pretrain_key` started from the same weights. `headline` is the score by the
    dataset's own metric. `status` is `ok`, or why there is no value: `diverged` is an outcome of
    the arm, everything else is missing.
    """

    arm: str
    backbone: str
    dataset: str
    label_fraction: float
    pretrain_seed: int | None
    pretrain_key: str | None
    finetune_seed: int
    value: float | None
    status: str = "ok"
    headline: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    """Of the fine-tuning's stage, where the store has it."""
    ran: tuple[float, float] | None = None
    """When it began and ended, seconds since 1970, where known."""
    one_class: bool = False
    """Whether it is known to have given all pixels of the test set the same class."""

    @property
    def facts(self) -> tuple[str | float | None, ...]:
        """Return what a comparison rests on: all but how and where the run was made."""
        return (
            *(self.arm, self.backbone, self.dataset, self.label_fraction),
            *(self.pretrain_seed, self.pretrain_key, self.finetune_seed, self.value, self.status),
        )


@dataclass(frozen=True)
class StudyDataset:
    """What reports show about a dataset; `metric` is its own headline metric, where known."""

    name: str
    protocol: str | None = None
    metric: str | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class Caution:
    """An assumption that a table leaves open: a verdict's condition, and a sentence about it."""

    condition: str
    sentence: str


@dataclass(frozen=True)
class Study:
    """All runs of an experiment or table, scored by one metric, and what was left out of it."""

    name: str
    metric: str
    arms: tuple[str, ...]
    datasets: tuple[StudyDataset, ...]
    runs: tuple[Run, ...]
    excluded: tuple[Excluded, ...] = ()
    trial: bool = False
    partial: tuple[str, ...] = ()
    """Datasets that are incomplete and were allowed to be."""
    assumed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Arm -> parameters that its paper leaves open."""
    trainings: Trainings = field(default_factory=Trainings)
    """How the arms were trained, as far as it is known."""
    cautions: Mapping[str, Caution] = field(default_factory=dict)
    """Arm -> what had to be assumed of its runs."""
    busy: tuple[tuple[float, float], ...] = ()
    """When any stage of the experiment ran, pre-trainings and failed ones too, where known."""

    def runs_of(self, arm: str, dataset: str, label_fraction: float) -> Sequence[Run]:
        """Return the runs of one cell, all backbones."""
        return self._by_cell.get((arm, dataset, label_fraction), ())

    def replicates_of(
        self, arm: str, dataset: str, label_fraction: float, backbone: str | None = None
    ) -> Replicates:
        """Return the replicates of one cell, with one backbone or (None) with all."""
        place = (arm, dataset, label_fraction, backbone)
        if place not in self._replicates:
            runs = self.runs_of(arm, dataset, label_fraction)
            chosen = (run for run in runs if backbone in (None, run.backbone))
            self._replicates[place] = Replicates(dataset, chosen)
        return self._replicates[place]

    def of_arm(self, arm: str) -> Sequence[Run]:
        """Return the runs of one arm, wherever."""
        return self._by_arm.get(arm, ())

    def of_dataset(self, dataset: str, label_fraction: float) -> list[Run]:
        """Return the runs of all arms on one dataset."""
        return [run for arm in self.arms for run in self.runs_of(arm, dataset, label_fraction)]

    @cached_property
    def _by_cell(self) -> Mapping[tuple[str, str, float], Sequence[Run]]:
        found: defaultdict[tuple[str, str, float], list[Run]] = defaultdict(list)
        for run in self.runs:
            found[run.arm, run.dataset, run.label_fraction].append(run)
        return found

    @cached_property
    def _replicates(self) -> dict[tuple[str, str, float, str | None], Replicates]:
        return {}

    @cached_property
    def _by_arm(self) -> Mapping[str, Sequence[Run]]:
        found: defaultdict[str, list[Run]] = defaultdict(list)
        for run in self.runs:
            found[run.arm].append(run)
        return found

    @property
    def data_hash(self) -> str:
        """Return the sha256 of the metric and of all runs that ended, in whatever order."""
        # the texts are sorted, not the rows, whose seeds may be None
        ended = (run for run in self.runs if run.status != UNRUN)
        return digest([self.metric, sorted(canonical_json(run.facts) for run in ended)])
