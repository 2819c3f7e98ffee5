"""How an error rate reads: the promise, and whether it is kept. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpbench.compare.calibrate import Calibration
from gpbench.compare.tally import FamilyRate
from gpbench.reports.phrases import told
from gpbench.stats.proportion import Rate

ALPHA = 0.05
"""The intervals of rates cover 95 %, whatever the level of the tests."""

FEW = 5
"""Units of an arm, up to which docs/statistics.md shows the tests to err less than promised."""

Word = Literal["as promised", "more", "fewer", "never", "no promise"]


@dataclass(frozen=True)
class Reading:
    """Whether a family keeps its promise, and why, in a clause."""

    word: Word
    clause: str


def promised(calibration: Calibration, family: FamilyRate) -> float | None:
    """Return the share of experiments that may hold a false claim; None: nobody promised any."""
    corrected = calibration.correction != "none" or family.claims == 1
    return calibration.alpha if corrected else None


def reading(calibration: Calibration, family: FamilyRate) -> Reading:
    """Return what the interval of a simulated rate says about what was promised."""
    alpha = promised(calibration, family)
    if family.undecided:
        return Reading("never", f"this design never decides it: {family.undecided}")
    if alpha is None:
        return Reading("no promise", f"nothing corrects for the {family.claims} tests")
    lo, hi = family.false.interval(ALPHA)
    level = f"{100 * alpha:g} %"
    if lo > alpha:
        return Reading("more", f"more than {level}: a p near alpha says less here than it should")
    if hi < alpha:
        why = _because(calibration, family)
        return Reading("fewer", f"fewer than {level}: on the safe side{why}")
    return Reading("as promised", f"consistent with {level}")


def percent(rate: Rate) -> str:
    """Return a rate as its table shows it, without the unit."""
    return f"{100 * rate.share:.1f}"


def se(rate: Rate) -> str:
    """Return its Monte-Carlo standard error in percent points."""
    return f"{100 * rate.se:.1f}"


def interval(rate: Rate) -> str:
    """Return its interval in per cent."""
    lo, hi = rate.interval(ALPHA)
    return f"[{100 * lo:.1f}, {100 * hi:.1f}]"


def _because(calibration: Calibration, family: FamilyRate) -> str:
    """Return what of the design is known to make false claims rarer."""
    if family.kind == "new-datasets" and calibration.correction == "max-t":
        return ", since max-T asks sign flips of whole datasets too"
    if family.kind == "new-datasets":
        return ", since equal arms have no gains that vary between datasets, as the test allows for"
    reasons = []
    if calibration.units <= FEW and not calibration.given:  # whose units are fine-tunings
        reasons.append(f"tests of {calibration.units} units a side are cautious")
    if calibration.sharing:
        arms = ", ".join(calibration.sharing)
        reasons.append(f"pre-trainings of the baseline serve {arms} too, as no test counts on")
    if family.claims > 1 and calibration.correction == "holm":
        reasons.append(f"Holm takes {family.claims} tests of shared runs for unrelated ones")
    return f", since {told(reasons)}" if reasons else ""
