"""Fisher's exact test of two counts. Pure."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from gpbench.core.errors import ComparisonError

TIE = 1e-7
"""Relative: tables whose probabilities differ by less are equally likely, as R takes it."""


def fisher_exact(a: int, n: int, b: int, m: int) -> float:
    """Return the two-sided p of `a` of `n` against `b` of `m`, in (0, 1]; 0 only below 1e-300.

    It is the probability, given both sums, of all tables that are no likelier than this one.

    Raises:
        ComparisonError: If there is nothing on a side, or more than all of it is counted.

    Reference: Fisher 1935; two-sided as in R's `fisher.test`.
    """
    if not (0 <= a <= n and 0 <= b <= m and n > 0 and m > 0):
        raise ComparisonError(f"no counts to compare: {a} of {n} against {b} of {m}")
    total = a + b
    first = np.arange(max(0, total - m), min(n, total) + 1)
    log_p = _log_choose(n, first) + _log_choose(m, total - first)
    p = np.exp(log_p - log_p.max())
    observed = p[a - first[0]]
    return float(min(1.0, p[p <= observed * (1 + TIE)].sum() / p.sum()))


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))
