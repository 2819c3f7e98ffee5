"""Words for numbers: from evidence and its adjusted p-values to a verdict with its reason. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpbench.compare.comparison import Equivalence, Finding, Request
from gpbench.compare.evidence import Evidence
from gpbench.compare.family import CORRECTIONS, adjusted, corrected
from gpbench.compare.words import Correction, Verdict
from gpbench.stats.posterior import posterior
from gpbench.stats.satterthwaite import TTest, equivalence_p

CHECKPOINT = (
    "this is about these pre-trained models: another pre-training of the same strategy may differ"
)
TRIAL = "a trial run is never ranked: verdicts are withheld"


@dataclass(frozen=True)
class Judge:
    """Gives verdicts to the tests of one family, which are corrected for together."""

    request: Request
    trial: bool
    correction: Correction = "holm"
    rng_seed: int = 0

    @property
    def rng(self) -> np.random.Generator:
        """Return the generator anew: what one claim draws does not depend on other claims."""
        return np.random.Generator(np.random.PCG64(self.rng_seed))

    def alpha_of(self, family: int) -> float:
        """Return the level at which one member of a family is sure to be judged."""
        return self.request.alpha / (1 if self.correction == "none" else family)

    def findings(self, family: Sequence[Evidence]) -> list[Finding]:
        """Return one finding per member of the declared family."""
        p = corrected(family, self.correction, self.request.alpha, self.rng)
        margin = self.request.margin
        within: Sequence[float | None] = [None] * len(family)
        if margin is not None:
            raw = [equivalence_p(e.test, margin) if e.test else 1.0 for e in family]
            within = adjusted(raw, self.correction)
        return [
            self._finding(evidence, own, se, p_within, len(family))
            for evidence, own, se, p_within in zip(family, p.p, p.se, within, strict=True)
        ]

    def _finding(
        self, evidence: Evidence, p: float, se: float, p_within: float | None, family: int
    ) -> Finding:
        test = evidence.test
        if test is None:
            reason = self._joined("", evidence)
            return Finding(
                "undecidable", evidence.level, reason, evidence.difference, remark=reason
            )
        verdict = self._verdict(test, p, p_within)
        core = self._because(verdict, test, p, se, family)
        if self.trial or not evidence.decisive:
            verdict, core = "undecidable", ""
        return Finding(
            verdict,
            evidence.level,
            self._joined(core, evidence),
            evidence.difference,
            test.ci,
            test.df,
            test.p,
            p,
            se or None,
            test.interval(self.alpha_of(family)),
            self._equivalence(test, p_within),
            evidence.method,
            self._joined("", evidence),
        )

    def _verdict(self, test: TTest, p_adjusted: float, p_within: float | None) -> Verdict:
        if p_adjusted < self.request.alpha:
            return "better" if test.difference > 0 else "worse"
        if p_within is not None and p_within < self.request.alpha:
            return "equivalent"
        return "inconclusive"

    def _because(
        self, verdict: Verdict, test: TTest, p_adjusted: float, se: float, family: int
    ) -> str:
        """Return the sentence that leads from the numbers to the verdict."""
        margin, alpha = self.request.margin, self.request.alpha
        if verdict == "equivalent":
            return f"the {interval_name(2 * alpha)} lies within the margin of {margin:g} points"
        told = f"p = {p_adjusted:.2g}"
        if family > 1 and self.correction != "none":
            told += f" after {CORRECTIONS[self.correction]} over {family}"
        if se:
            told += f" (drawn, +-{se:.1g})"
        if verdict == "inconclusive":
            return f"{told} is not below {alpha:g}, which is no evidence of equality"
        size = ""
        at = self.alpha_of(family)
        if margin is not None and min(map(abs, test.interval(at))) > margin:
            size = f"; by more than the margin of {margin:g} points"
        elif margin is not None and max(map(abs, test.interval(2 * at))) < margin:
            size = f"; yet by less than the margin of {margin:g} points"
        elif margin is not None:
            size = f"; not shown to be by more than the margin of {margin:g} points"
        return f"{told} is below {alpha:g}{size}"

    def _equivalence(self, test: TTest, p_within: float | None) -> Equivalence | None:
        margin = self.request.margin
        if margin is None or p_within is None:
            return None
        ci = test.interval(2 * self.request.alpha)
        return Equivalence(ci, equivalence_p(test, margin), p_within, posterior(test, margin))

    def _joined(self, core: str, evidence: Evidence) -> str:
        trial = TRIAL if self.trial else ""
        checkpoint = CHECKPOINT if evidence.level == "checkpoint" else ""
        return "; ".join(filter(None, [trial, core, evidence.reason, checkpoint]))


def interval_name(alpha: float) -> str:
    """Return for example `95 % interval`."""
    return f"{100 * (1 - alpha):g} % interval"
