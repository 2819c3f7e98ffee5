"""What the page shows, as typed values that templates lay out. Pure; scores are percent points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpbench_leaderboard.references import Reference
from gpbench_leaderboard.svg import ForestRow, Strip, Tick

ARM_COLOURS = 8
"""Colours in site.css; the ninth arm gets the first one again."""


@dataclass(frozen=True)
class Banner:
    """A remark that must be read before any number."""

    kind: Literal["synthetic", "trial", "partial"]
    title: str
    text: str


@dataclass(frozen=True)
class Fact:
    """One line of "what was run"."""

    term: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Arm:
    """A strategy as its rows are headed; `colour` is in 0..ARM_COLOURS - 1."""

    name: str
    title: str
    colour: int
    is_baseline: bool


@dataclass(frozen=True)
class Difference:
    """Candidate minus baseline in one scope; what was not computed is None."""

    label: str
    metric: str
    candidate: float | None
    baseline: float | None
    difference: float | None
    ci: tuple[float, float] | None
    p_adjusted: float | None
    units: tuple[int, int] | None
    """Candidate's and baseline's pre-trainings; fine-tunings where nothing is pre-trained."""
    own: str
    """Both scores by the dataset's own metric, where that is another one: "mF1 81.8 v 79.4"."""
    verdict: str
    level: str | None
    forest: ForestRow | None


@dataclass(frozen=True)
class Contrast:
    """One candidate against the baseline: the headline, then its datasets."""

    candidate: Arm
    headline: Difference
    reason: str
    datasets: tuple[Difference, ...]


@dataclass(frozen=True)
class Verdicts:
    """All contrasts on one axis; `note` says why there are none."""

    baseline: str
    metric: str
    confidence: float
    """Of the intervals, in percent."""
    contrasts: tuple[Contrast, ...]
    ticks: tuple[Tick, ...]
    width: float
    """Of the figure, in SVG units."""
    note: str


@dataclass(frozen=True)
class Column:
    """A dataset as a column of the table of scores."""

    name: str
    title: str
    facts: tuple[str, ...]
    metric: str
    protocol: str
    synthetic: bool
    majority: float | None
    """Score of always predicting the commonest class."""
    axis: tuple[float, float] | None
    """Ends of the strips' common axis; None where nothing is finished."""


@dataclass(frozen=True)
class Cell:
    """One strategy on one dataset: mean and sd over pre-trainings, fine-tunings averaged first."""

    mean: float | None
    sd: float | None
    """None for fewer than two units."""
    units: int
    unit: Literal["pre-training", "fine-tuning"]
    finetunings: int
    values: tuple[float, ...]
    """One per fine-tuning, in the order of the seeds."""
    failures: tuple[str, ...]
    """What did not end well: "1 diverged"."""
    strip: Strip


@dataclass(frozen=True)
class ScoreRow:
    """One strategy, backbone and label fraction over all datasets; None: nothing was planned."""

    arm: Arm
    backbone: str
    label_fraction: float
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class ClassTable:
    """IoU or F1 of each class of one dataset, mean over pre-trainings; None: absent or excluded."""

    dataset: str
    metric: str
    heads: tuple[str, ...]
    """One per arm (and backbone, label fraction, where there are several)."""
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


@dataclass(frozen=True)
class StrategyCard:
    """What a strategy is, and what of it is our reading of a paper."""

    arm: Arm
    phases: tuple[str, ...]
    params: tuple[tuple[str, str], ...]
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """A published statement; `status` says whether this site has anything to set beside it."""

    reference: Reference
    status: str


@dataclass(frozen=True)
class ClaimGroup:
    """Published rows of one paper, or on one dataset."""

    name: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    question: str
    banners: tuple[Banner, ...]
    facts: tuple[Fact, ...]
    verdicts: Verdicts
    columns: tuple[Column, ...]
    scores: tuple[ScoreRow, ...]
    several_backbones: bool
    several_fractions: bool
    class_tables: tuple[ClassTable, ...]
    strategies: tuple[StrategyCard, ...]
    excluded: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    claims: tuple[ClaimGroup, ...]
    published: tuple[ClaimGroup, ...]
    command: str
    version: str
