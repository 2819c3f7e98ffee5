"""Which shares of the variance of scores and of gains the sources of chance have. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """One source's part of the variance.

    `of_score`: of one run's score; None for test images, whose part in a score nobody measures.
    `of_gain`: of the difference between one run of each of two arms; None for the dataset, whose
    level cancels.
    """

    source: str
    variance: float
    """Of one score, in percent points squared; of test images half of that of a difference."""
    of_score: float | None
    of_gain: float | None


@dataclass(frozen=True)
class VarianceShares:
    """The shares of all sources in the order of the design; each kind adds up to 1."""

    shares: tuple[Share, ...]
    negative: tuple[str, ...]
    """Sources whose variance was estimated below 0 and set to 0."""
    unknown: tuple[str, ...]
    """Sources that this design cannot tell apart, a sentence each."""
