"""Verdicts of many comparisons that make the same claims, counted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gpbench.compare.comparison import Comparison, Finding
from gpbench.compare.words import Verdict
from gpbench.stats.proportion import Rate

Kind = Literal["headline", "new-datasets", "rows", "backbones"]
"""Families of claims; each is corrected for on its own."""
KINDS: tuple[Kind, ...] = ("headline", "new-datasets", "rows", "backbones")


@dataclass(frozen=True)
class About:
    """Which claim of a report is meant; of rows the dataset, of backbones the backbone."""

    kind: Kind
    candidate: str
    label_fraction: float
    dataset: str | None = None
    backbone: str | None = None


@dataclass(frozen=True)
class Claim:
    """One claim, over all draws."""

    about: About
    verdicts: Mapping[Verdict, int]
    false: Rate
    """How often the arms, which are equal, were called better or worse."""


@dataclass(frozen=True)
class FamilyRate:
    """How often any claim of a family was false.

    `small` is how often any adjusted p was below alpha, whether or not a verdict was given.
    `undecided` is why no claim was decidable in any draw, empty where one was.
    """

    kind: Kind
    claims: int
    false: Rate
    small: Rate
    undecided: str


@dataclass(frozen=True)
class Counted:
    """What so many comparisons of equal arms said; families without a claim are left out."""

    draws: int
    families: tuple[FamilyRate, ...]
    claims: tuple[Claim, ...]


class Tally:
    """Counts the verdicts of comparisons that have the same claims."""

    def __init__(self, alpha: float) -> None:
        self._alpha, self._draws = alpha, 0
        self._verdicts: dict[About, Counter[Verdict]] = {}
        self._false: Counter[Kind] = Counter()
        self._small: Counter[Kind] = Counter()
        self._undecided: dict[Kind, str] = {}
        self._decided: set[Kind] = set()

    def add(self, comparison: Comparison) -> None:
        """Count one comparison."""
        self._draws += 1
        false, small = set(), set()
        for about, finding in _claims(comparison):
            self._verdicts.setdefault(about, Counter())[finding.verdict] += 1
            if finding.verdict == "undecidable":
                self._undecided.setdefault(about.kind, finding.reason)
            else:
                self._decided.add(about.kind)
            if finding.verdict in ("better", "worse"):
                false.add(about.kind)
            if finding.p_adjusted is not None and finding.p_adjusted < self._alpha:
                small.add(about.kind)
        self._false.update(false)
        self._small.update(small)

    @property
    def counted(self) -> Counted:
        claims = tuple(
            Claim(about, verdicts, Rate(verdicts["better"] + verdicts["worse"], self._draws))
            for about, verdicts in self._verdicts.items()
        )
        numbers = Counter(claim.about.kind for claim in claims)
        families = tuple(
            FamilyRate(
                kind,
                numbers[kind],
                Rate(self._false[kind], self._draws),
                Rate(self._small[kind], self._draws),
                "" if kind in self._decided else self._undecided[kind],
            )
            for kind in KINDS
            if numbers[kind]
        )
        return Counted(self._draws, families, claims)


def _claims(comparison: Comparison) -> Iterator[tuple[About, Finding]]:
    """Yield the claims of a report; one dataset's headline is its row, one backbone has no own."""
    for contrast in comparison.contrasts:
        of = (contrast.candidate, contrast.label_fraction)
        yield About("headline", *of), contrast.finding
        for scoped in contrast.scopes:
            if scoped.scope == "datasets":
                yield About("new-datasets", *of), scoped.finding
        for row in contrast.rows:
            yield About("rows", *of, dataset=row.dataset.name), row.finding
        for each in contrast.backbones:
            yield About("backbones", *of, backbone=each.backbone), each.finding
