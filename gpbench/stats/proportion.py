"""How often something happened in so many draws, and how sure that is. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Rate:
    """How often something happened in so many draws, at least one."""

    count: int
    draws: int

    @property
    def share(self) -> float:
        return self.count / self.draws

    @property
    def se(self) -> float:
        """Return the Monte-Carlo standard error; that of a count of 1 where it is 0."""
        share = max(1, self.count) / self.draws
        return math.sqrt(share * (1 - share) / self.draws)

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return Wilson's interval of the share that endless draws would give, within [0, 1].

        Args:
            alpha: It covers about 1 - alpha.

        Reference: Wilson 1927, JASA 22.
        """
        z = NormalDist().inv_cdf(1 - alpha / 2)
        middle = self.count + z**2 / 2
        half = z * math.sqrt(self.count * (1 - self.share) + z**2 / 4)
        lo, hi = ((middle + side * half) / (self.draws + z**2) for side in (-1, 1))
        return max(0.0, lo), min(1.0, hi)
