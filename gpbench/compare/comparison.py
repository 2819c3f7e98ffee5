"""One value with everything that a report of a comparison shows. Pure.

Differences are candidate minus baseline in percent points; None is what was not computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpbench.compare.failures import Failures
from gpbench.compare.images import ImageScope
from gpbench.compare.study import Run, StudyDataset
from gpbench.compare.words import Correction, Level, Scope, Span, Verdict
from gpbench.core.plan import Excluded
from gpbench.stats.components import Spread
from gpbench.stats.friedman import Friedman
from gpbench.stats.posterior import Posterior
from gpbench.stats.shares import VarianceShares


@dataclass(frozen=True)
class Ablation:
    """A full method and what each of the arms it is compared with lacks.

    The gain over such an arm, in a contrast's `against`, is the ingredient's marginal contribution;
    the contrast itself is with the best of them.
    """

    full: str
    ingredients: tuple[tuple[str, str], ...]
    """Arm -> how it differs, as in `shuffle=none instead of random`."""


@dataclass(frozen=True)
class Request:
    """What is asked for; None lets the study decide."""

    candidates: tuple[str, ...] = ()
    """Empty: every arm but the baseline."""
    baselines: tuple[str, ...] = ()
    """Empty: `imagenet`. Several: a candidate meets the best of them, the choice corrected for."""
    level: Level | None = None
    """None: `strategy` where the design reaches it, else `checkpoint`, and said so."""
    margin: float | None = None
    """Differences smaller than this, in percent points, do not matter; None: never `equivalent`."""
    alpha: float = 0.05
    correction: Correction | None = None
    """None: Holm's, or max-T where there are several baselines."""
    rng_seed: int | None = None
    ablation: Ablation | None = None
    """What the baselines are, where they are ablations of the one candidate."""


@dataclass(frozen=True)
class Equivalence:
    """The two one-sided tests that a difference lies within the margin; `ci` covers 1 - 2 alpha."""

    ci: Span
    p: float
    p_adjusted: float
    posterior: Posterior
    """The chances, under a flat prior, that the difference lies below, within, above the margin."""


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
    p_se: float | None = None
    """Monte-Carlo standard error of the adjusted p, where it was drawn."""
    ci_family: Span | None = None
    """Interval at Bonferroni's level: all of the family hold together."""
    equivalence: Equivalence | None = None
    test: str | None = None
    """`welch`, `satterthwaite` where an arm is several samples, `paired-t`."""
    remark: str = ""
    """The part of the reason that numbers do not tell: what the design lacks or takes for given."""


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
    a12: float | None
    """P(candidate > baseline) + P(equal) / 2 over units; None where an arm is several samples."""
    a12_ci: Span | None
    effects: tuple[tuple[str, float], ...]
    """Standardised differences by name: `hedges_g`, or of pairs `d_z` and `d_av`."""
    spread: tuple[Spread, Spread]
    """Of pre-training and of fine-tuning, for the candidate and the baseline."""
    correlation: float | None
    """Of the paired units, where the test is paired."""
    headline: Headline | None = None
    images: ImageScope | str = ""
    """The claim about new images of the dataset, or why there is none."""


@dataclass(frozen=True)
class Exact:
    """What needs no distribution: the gains of the datasets as they are; None: not computed."""

    sign_flip_p: float
    signed_rank_p: float
    floor: float
    """The smallest p that these tests can give with so many datasets."""
    hodges_lehmann: float
    d_z: float | None
    """The mean gain over its standard deviation between datasets; None: there is none."""
    wins: int
    ties: int
    losses: int
    leave_one_out: Span | None
    """The least and the greatest mean gain with one dataset left out; None for two datasets."""


@dataclass(frozen=True)
class Scoped:
    """A claim of another scope than the contrast's own."""

    scope: Scope
    finding: Finding


@dataclass(frozen=True)
class ByBackbone:
    """The contrast with one backbone only."""

    backbone: str
    finding: Finding


@dataclass(frozen=True)
class Against:
    """The contrast with one of several baselines."""

    baseline: str
    finding: Finding


@dataclass(frozen=True)
class Sensitivity:
    """What the finding would be with scores for the diverged runs.

    `worst` gives the candidate's diverged runs the lowest score of any arm and the baseline's the
    highest; `best` the reverse. `fragile`: one of them has another sign or decision.
    """

    diverged: tuple[int, int]
    worst: Finding
    best: Finding
    fragile: bool


@dataclass(frozen=True)
class Needed:
    """What the design lacks for 80 % power; None: unknown, or it cannot help."""

    pretrainings: int | None
    datasets: int | None
    sentence: str
    precise: int | None = None
    """Pre-trainings per arm that bring the interval to half the margin to each side."""


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
    exact: Exact | None
    """Across datasets; None for fewer than two."""
    scopes: tuple[Scoped, ...]
    backbones: tuple[ByBackbone, ...]
    """Empty where there is one."""
    against: tuple[Against, ...] = ()
    """All baselines, where there were several: `baseline` is the one with the highest mean."""
    sensitivity: Sensitivity | None = None
    """None where no run diverged."""
    needed: Needed | None = None

    @property
    def fragile(self) -> bool:
        """Return whether the finding could be otherwise with scores for the diverged runs."""
        return self.sensitivity is not None and self.sensitivity.fragile


@dataclass(frozen=True)
class Unfairness:
    """Something besides the strategy in which an arm and the baseline differ."""

    arm: str
    baseline: str
    field: str
    values: tuple[str, str]


@dataclass(frozen=True)
class Omnibus:
    """Friedman's test over the datasets on which all arms have results."""

    label_fraction: float
    arms: tuple[str, ...]
    datasets: tuple[str, ...]
    dropped: tuple[str, ...]
    """Datasets that some arm lacks."""
    test: Friedman


@dataclass(frozen=True)
class Sources:
    """Where the variance of scores and gains comes from, at one label fraction."""

    label_fraction: float
    arms: tuple[str, ...]
    datasets: tuple[str, ...]
    backbones: tuple[str, ...]
    found: VarianceShares | str
    """Or why it cannot be told."""


@dataclass(frozen=True)
class Family:
    """How many tests are corrected for together."""

    headline: int
    rows: int
    backbones: int


@dataclass(frozen=True)
class Comparison:
    """Everything that a report shows."""

    study: str
    metric: str
    baselines: tuple[str, ...]
    alpha: float
    correction: Correction
    margin: float | None
    family: Family
    data_hash: str
    rng_seed: int
    contrasts: tuple[Contrast, ...]
    runs: tuple[Run, ...]
    excluded: tuple[Excluded, ...]
    fairness: tuple[Unfairness, ...]
    failures: tuple[Failures, ...]
    """Of the arms whose runs diverged, or whose baseline's did."""
    omnibus: tuple[Omnibus, ...]
    """Whether the arms differ at all, where there are 3 arms and datasets. No verdict uses it."""
    sources: tuple[Sources, ...]
    """One per label fraction."""
    banners: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    trial: bool
    partial: tuple[str, ...]
    ablation: Ablation | None = None

    @property
    def baseline(self) -> str:
        """Return the baseline's name, or all of them."""
        return (
            self.baselines[0]
            if len(self.baselines) == 1
            else f"best of {', '.join(self.baselines)}"
        )

    @property
    def diverged(self) -> tuple[Run, ...]:
        """Return the runs whose loss became NaN or infinite, or whose pre-training's did."""
        return tuple(run for run in self.runs if run.status == "diverged")

    @property
    def missing(self) -> tuple[Run, ...]:
        """Return the runs that say nothing about their arm: not run, out of memory and the like."""
        return tuple(run for run in self.runs if run.value is None and run.status != "diverged")
