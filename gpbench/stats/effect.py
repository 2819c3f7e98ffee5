"""Effect sizes beside the difference. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpbench.stats.satterthwaite import RESOLUTION


def a12(a: Sequence[float], b: Sequence[float]) -> float:
    """Return P(a > b) + P(a = b) / 2 over all pairs of one value from each side, in [0, 1].

    Values closer than 1e-9 are ties. A12 = (Cliff's delta + 1) / 2 = U / (n m).

    Reference: Vargha & Delaney 2000.
    """
    gaps = np.subtract.outer(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    wins = int(np.count_nonzero(gaps > RESOLUTION))
    ties = int(np.count_nonzero(np.abs(gaps) <= RESOLUTION))
    return (wins + ties / 2) / gaps.size
