"""Draws by other names: what draws once can draw twice in a step."""

from __future__ import annotations

import torch
from scipy.special import betaincinv
from torch import Tensor

from gpbench.api import Draws


class Prefixed:
    """Meets `gpbench.api.Draws`: those of `draws`, each name with a prefix and a dot before it."""

    def __init__(self, draws: Draws, prefix: str) -> None:
        self.device = draws.device
        self.draws, self.prefix = draws, prefix

    def uniform(self, name: str, n: int = 1) -> Tensor:
        return self.draws.uniform(f"{self.prefix}.{name}", n)

    def normal(self, name: str, n: int = 1) -> Tensor:
        return self.draws.normal(f"{self.prefix}.{name}", n)

    def permutation(self, name: str, n: int) -> Tensor:
        return self.draws.permutation(f"{self.prefix}.{name}", n)

    def of_step(self) -> Draws:
        return Prefixed(self.draws.of_step(), self.prefix)


def beta(draws: Draws, name: str, concentration: float) -> Tensor:
    """Return (B,) float32 of Beta(a, a), a the concentration, by the inverse of its distribution.

    Where a is small, the smallest and largest of them round to 0 and 1.
    """
    uniform = draws.uniform(name)[:, 0].cpu().double().numpy()
    values = betaincinv(concentration, concentration, uniform)
    return torch.from_numpy(values).to(draws.device, torch.float32)
