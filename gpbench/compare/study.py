"""What a comparison is made from: runs with their scores, and facts of the experiment. Pure.

Scores are percent points from here on, whoever made them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from gpbench.core.plan import Excluded
from gpbench.core.stage import digest

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


@dataclass(frozen=True)
class StudyDataset:
    """What reports show about a dataset; `metric` is its own headline metric, where known."""

    name: str
    protocol: str | None = None
    metric: str | None = None
    synthetic: bool = False


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

    @property
    def data_hash(self) -> str:
        """Return the sha256 of what is compared; the order of the runs does not matter."""
        rows = [{**asdict(run), "environment": None} for run in self.runs]
        return digest([self.metric, sorted(rows, key=digest)])

    def facts(self, dataset: str) -> StudyDataset:
        """Return the facts of one of the study's datasets."""
        return next(d for d in self.datasets if d.name == dataset)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct names, in the order of their first appearance."""
    return tuple(dict.fromkeys(names))
