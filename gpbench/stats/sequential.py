"""Looking at results before all are in: what each look may ask for. Pure.

Looks are planned and equally spaced. With few values turn a look's nominal alpha into a quantile of
t: Pocock's keep their size so (4.6 % at 3, 5 and 10 values per arm), O'Brien and Fleming's do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

Rule = Literal["pocock", "obrien-fleming"]
NODES = 128


def boundaries(looks: int, alpha: float, rule: Rule = "pocock") -> tuple[float, ...]:
    """Return which |z| each look must reach, so that all together err with chance alpha.

    Pocock: the same at each look. O'Brien and Fleming: falling with the square root of the share of
    the values that are in. The last one is the constant that tables print.

    Reference: Jennison & Turnbull 2000, Group Sequential Methods, tables 2.1 and 2.3.
    """
    if rule == "pocock":
        shape = [1.0] * looks
    else:
        shape = [math.sqrt(looks / look) for look in range(1, looks + 1)]
    low, high = 0.0, 10.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        errs = crossing([middle * each for each in shape])
        low, high = (middle, high) if errs > alpha else (low, middle)
    return tuple(high * each for each in shape)


def nominal_alphas(looks: int, alpha: float, rule: Rule = "pocock") -> tuple[float, ...]:
    """Return the two-sided level of each look: stop where its p is below; Pocock, 3 looks: .0221.

    Reference: as `boundaries`.
    """
    return tuple(2 * float(special.ndtr(-each)) for each in boundaries(looks, alpha, rule))


def crossing(bounds: Sequence[float]) -> float:
    """Return the chance that without any difference some look has |z| above its bound.

    The density of the sum, where no look before was above, is carried from look to look by Gauss
    and Legendre's rule.

    Reference: Armitage, McPherson & Rowe 1969, JRSS A 132.
    """
    nodes, weights = _rule()
    edge = bounds[0]
    at = edge * nodes
    density = np.exp(-(at**2) / 2) / math.sqrt(2 * math.pi)
    for look, bound in enumerate(bounds[1:], start=2):
        mass, before = edge * weights * density, at
        edge = bound * math.sqrt(look)
        at = edge * nodes
        steps = np.exp(-(np.subtract.outer(at, before) ** 2) / 2) / math.sqrt(2 * math.pi)
        density = steps @ mass
    return 1 - float(edge * weights @ density)


@cache
def _rule() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights
