"""The p-values of a family of tests after their correction. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpbench.compare.evidence import Evidence, Sample
from gpbench.compare.words import Correction
from gpbench.stats.correction import benjamini_hochberg, holm
from gpbench.stats.max_t import Member, Spread, max_t, sign_flip_max_t

CORRECTIONS: dict[Correction, str] = {
    "holm": "Holm",
    "max-t": "max-T",
    "bh": "Benjamini-Hochberg",
    "none": "no correction",
}


@dataclass(frozen=True)
class Corrected:
    """Adjusted p-values in the family's order; one without a test has 1.

    `se` is their Monte-Carlo standard error, 0 where nothing was drawn.
    """

    p: tuple[float, ...]
    se: tuple[float, ...]


def corrected(
    family: Sequence[Evidence], correction: Correction, alpha: float, rng: np.random.Generator
) -> Corrected:
    """Return the adjusted p-values of a family, members without a test included.

    What was looked at must not depend on how it came out: a member without a test counts, with a p
    of 1. Under max-T it cannot be drawn, and changes nothing.

    Args:
        family: What was tested, or was to be.
        correction: How.
        alpha: Level of the verdicts: near it, max-T draws more.
        rng: Of max-T's draws.
    """
    if correction == "max-t":
        return _drawn(family, alpha, rng)
    p = adjusted([e.test.p if e.test else 1.0 for e in family], correction)
    return Corrected(tuple(p), (0.0,) * len(family))


def adjusted(p: Sequence[float], correction: Correction) -> Sequence[float]:
    """Return p-values after a correction that needs nothing else, in the order given.

    max-T has none for the tests of equivalence: they get Holm's.
    """
    if correction == "none":
        return p
    return benjamini_hochberg(p) if correction == "bh" else holm(p)


def _drawn(family: Sequence[Evidence], alpha: float, rng: np.random.Generator) -> Corrected:
    tested = [at for at, evidence in enumerate(family) if evidence.test]
    chosen = [family[at] for at in tested]
    p, se = [1.0] * len(family), [0.0] * len(family)
    units = {tuple(name for name, _ in evidence.gains) for evidence in chosen}
    none = (0.0,) * len(chosen)
    if units and units != {()}:  # datasets are the units
        found = Corrected(_flipped(chosen, units, rng), none)
    elif not all(evidence.samples for evidence in chosen):  # scenes were drawn, not units
        found = Corrected(holm([e.test.p for e in chosen if e.test]), none)
    else:
        samples = {_name(s): _spread(s) for e in chosen for s in e.samples}
        members = [
            Member(e.test.p, {_name(s): s.weight for s in e.samples}) for e in chosen if e.test
        ]
        drawn = max_t(members, samples, rng, alpha=alpha)
        found = Corrected(drawn.p, drawn.se)
    for at, own, error in zip(tested, found.p, found.se, strict=True):
        p[at], se[at] = own, error
    return Corrected(tuple(p), tuple(se))


def _flipped(
    chosen: Sequence[Evidence], units: set[tuple[str, ...]], rng: np.random.Generator
) -> tuple[float, ...]:
    """Return p by joint sign flips; by Holm where contrasts have other datasets, so share none.

    Flips need no distribution, the tests do: what one of them doubts is not significant.
    """
    p = [e.test.p for e in chosen if e.test]
    if len(units) > 1:
        return holm(p)
    table = np.array([[gain for _, gain in e.gains] for e in chosen]).T
    return tuple(map(max, p, sign_flip_max_t(table, rng)))


def _name(sample: Sample) -> str:
    return f"{sample.name} {sample.values}"


def _spread(sample: Sample) -> Spread:
    term = sample.term
    n = len(sample.values)
    return Spread(term.variance * n / sample.weight**2, n)
