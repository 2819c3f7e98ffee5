"""How likely a difference is worse, practically nothing, or better, given the values. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import special

from gpbench.stats.satterthwaite import TTest


@dataclass(frozen=True)
class Posterior:
    """Probabilities of a difference below -margin, from -margin to margin, above it; sum 1."""

    worse: float
    within: float
    better: float


def posterior(test: TTest, margin: float) -> Posterior:
    """Return the probabilities of the true difference under a flat prior.

    The posterior is Student's t around the difference, with the test's standard error and degrees;
    with Satterthwaite's degrees that is an approximation, as it is for the test.

    Args:
        test: A difference in percent points.
        margin: Percent points >= 0 below which a difference makes none in practice.

    Reference: Gelman et al. 2013, Bayesian Data Analysis, section 3.2; Kruschke 2013.
    """
    worse = float(special.stdtr(test.df, (-margin - test.difference) / test.se))
    better = float(special.stdtr(test.df, (test.difference - margin) / test.se))
    return Posterior(worse, max(0.0, 1 - worse - better), better)
