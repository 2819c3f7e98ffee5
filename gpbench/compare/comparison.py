"""One value with everything that a report of a comparison shows. Pure.

Differences are candidate minus baseline in percent points; None is what was not computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpbench.compare.study import Run, StudyDataset
from gpbench.core.plan import Excluded

Verdict = Literal["better", "worse", "equivalent", "inconclusive", "undecidable"]
Level = Literal["strategy", "checkpoint"]
Scope = Literal["fixed-suite", "seeds"]
Correction = Literal["holm", "bh", "none"]
Span = tuple[float, float]


@dataclass(frozen=True)
class Request:
    """What is asked for; None lets the study decide."""

    candidates: tuple[str, ...] = ()
    """Empty: every arm but the baseline."""
    baseline: str | None = None
    level: Level | None = None
    """None: `strategy` where the design reaches it, else `checkpoint`, and said so."""
    margin: float | None = None
    """Differences smaller than this, in percent points, do not matter; None: never `equivalent`."""
    alpha: float = 0.05
    correction: Correction = "holm"
    rng_seed: int | None = None


@dataclass(frozen=True)
class Equivalence:
    """The two one-sided tests that a difference lies within the margin; `ci` covers 1 - 2 alpha."""

    ci: Span
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class Finding:
    """What the numbers say about one difference, and in which words."""

    verdict: Verdict
    level: Level
    reason: str
    difference: float | None = None
    ci: Span | None = None
    df: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    equivalence: Equivalence | None = None


@dataclass(frozen=True)
class Headline:
    """Both arms' means by the dataset's own metric, where that is not the one compared by."""

    metric: str
    candidate: float
    baseline: float


@dataclass(frozen=True)
class Row:
    """A contrast on one dataset.

    `candidate` and `baseline` hold one score per fine-tuning, averaged over `backbones`; the seeds
    beside them say which pre-training each started from.
    """

    dataset: StudyDataset
    backbones: tuple[str, ...]
    candidate: tuple[float, ...]
    baseline: tuple[float, ...]
    candidate_pretrain_seeds: tuple[int | None, ...]
    baseline_pretrain_seeds: tuple[int | None, ...]
    candidate_mean: float
    baseline_mean: float
    finding: Finding
    test: str | None
    a12: float | None
    """P(candidate > baseline) + P(equal) / 2 over units; None where an arm is several samples."""
    headline: Headline | None = None


@dataclass(frozen=True)
class Contrast:
    """A candidate against the baseline, averaged over the datasets that both have."""

    candidate: str
    baseline: str
    metric: str
    label_fraction: float
    scope: Scope
    finding: Finding
    pretrainings: tuple[int, int]
    """Pre-trainings behind every dataset's mean, at least; 0 for an arm without any."""
    finetunings: tuple[int, int]
    """Fine-tunings compared, over all datasets and backbones."""
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Unfairness:
    """Something besides the strategy in which an arm and the baseline differ."""

    arm: str
    baseline: str
    field: str
    values: tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """Everything that a report shows."""

    study: str
    metric: str
    baseline: str
    alpha: float
    correction: Correction
    margin: float | None
    family: tuple[int, int]
    """Number of tests corrected for together: headlines, and rows."""
    data_hash: str
    rng_seed: int
    contrasts: tuple[Contrast, ...]
    runs: tuple[Run, ...]
    excluded: tuple[Excluded, ...]
    fairness: tuple[Unfairness, ...]
    banners: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    trial: bool
    partial: tuple[str, ...]

    @property
    def diverged(self) -> tuple[Run, ...]:
        """Return the runs whose loss became NaN or infinite, or whose pre-training's did."""
        return tuple(run for run in self.runs if run.status == "diverged")

    @property
    def missing(self) -> tuple[Run, ...]:
        """Return the runs that say nothing about their arm: not run, out of memory and the like."""
        return tuple(run for run in self.runs if run.value is None and run.status != "diverged")
