"""Whether a place of a shuffled image can be told from what stands there.

Channel shuffling is to leave no cue of the place. Standardised before the shuffle a channel carries
its own constants wherever it stands; standardised after it, it carries the constants of the place.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from gpbench.data.draws import HashDraws
from gpbench.parts.channels import Normalise, arrangements, shuffled

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
IMAGES = 1500


def coloured(samples: int) -> Tensor:
    """Return images (B, 3, 6, 6) of the source's own means and deviations, each of one tint."""
    generator = torch.Generator().manual_seed(4)
    tints = torch.randn(samples, 3, 1, 1, generator=generator)
    grain = torch.randn(samples, 3, 6, 6, generator=generator)
    return MEAN[:, None, None] + STD[:, None, None] * (0.1 * tints + 0.1 * grain)


def probed(in_chans: int, normalise: Normalise) -> float:
    """Return how often a linear probe on a channel's mean and deviation says its place right."""
    draws = HashDraws(9, 0, np.arange(IMAGES), torch.device("cpu"))
    channels = arrangements(
        IMAGES, in_chans, draws, duplicate="cyclic", shuffle="sample", probability=1.0
    )
    views = shuffled(coloured(IMAGES), channels, MEAN, STD, normalise=normalise)
    features = torch.stack([views.mean((2, 3)), views.std((2, 3))], dim=2)  # (B, n, 2)
    places = np.tile(np.arange(in_chans), (IMAGES, 1))
    half = IMAGES // 2
    probe = LogisticRegression(C=100.0, max_iter=1000)
    probe.fit(features[:half].reshape(-1, 2).numpy(), places[:half].ravel())
    return float(probe.score(features[half:].reshape(-1, 2).numpy(), places[half:].ravel()))


@pytest.mark.parametrize("in_chans", [3, 4, 5])
def test_standardising_before_the_shuffle_leaves_no_cue_of_the_place(in_chans: int) -> None:
    assert probed(in_chans, "before") == pytest.approx(1 / in_chans, abs=0.03)


@pytest.mark.parametrize("in_chans", [3, 4, 5])
def test_standardising_after_the_shuffle_tells_the_place(in_chans: int) -> None:
    assert probed(in_chans, "after") > 1 / in_chans + 0.06
