from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import beta as beta_distribution

from gpbench.data.draws import HashDraws
from gpbench.parts.draws import Prefixed, beta


def draws(samples: int) -> HashDraws:
    return HashDraws(4, 2, np.arange(samples), torch.device("cpu"))


def test_prefixed_draws_are_those_of_the_longer_name() -> None:
    plain, second = draws(3), Prefixed(draws(3), "second")
    assert torch.equal(second.uniform("a", 2), plain.uniform("second.a", 2))
    assert torch.equal(second.normal("a", 2), plain.normal("second.a", 2))
    assert torch.equal(second.permutation("a", 4), plain.permutation("second.a", 4))
    assert torch.equal(second.of_step().uniform("a"), plain.of_step().uniform("second.a"))
    assert second.device == plain.device


@pytest.mark.parametrize("concentration", [0.1, 1.0, 3.0])
def test_beta_draws_follow_their_distribution(concentration: float) -> None:
    found = beta(draws(3000), "weight", concentration)
    assert found.shape == (3000,)
    assert found.dtype == torch.float32
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    law = beta_distribution(concentration, concentration)
    for share in (0.1, 0.25, 0.5, 0.75):  # those near 1 may round to it
        assert float((found < law.ppf(share)).float().mean()) == pytest.approx(share, abs=0.03)
    assert float(found.var()) == pytest.approx(1 / (4 * (2 * concentration + 1)), rel=0.1)


def test_beta_of_concentration_one_is_the_uniform_draw() -> None:
    torch.testing.assert_close(beta(draws(9), "w", 1.0), draws(9).uniform("w")[:, 0])
