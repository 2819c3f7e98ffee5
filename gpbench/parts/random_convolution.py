"""Random convolution: images filtered by a kernel that is drawn anew in every step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F  # noqa: N812  torch's own idiom
from torch import Tensor

from gpbench.api import Draws

KERNELS_PX = (1, 3, 5, 7)
Blend = Literal["image", "mix"]


def random_convolution(images: Tensor, draws: Draws, *, name: str = "randconv") -> Tensor:
    """Return w * images (B, C, H, W), one kernel w for all images of the step.

    The kernel's side is uniform in {1, 3, 5, 7} and its C x C x k x k weights are normal with
    variance 1 / fan-in, fan-in C k k: where the pixels under it are uncorrelated, the mean square
    stays. Zeros lie around the images, and there is no bias.

    Args:
        images: (B, C, H, W) float32, standardised: 0 is the mean.
        draws: Names used, of the step: `<name>.size`, `<name>.weights`.
        name: Another one, another kernel in the same step.

    Reference: Xu et al. 2021, section 3.1; wildphoton/RandConv, lib/networks/rand_conv.py.
    """
    step, channels = draws.of_step(), images.shape[1]
    side = KERNELS_PX[int(step.uniform(f"{name}.size") * len(KERNELS_PX))]
    fan_in = channels * side * side
    weights = step.normal(f"{name}.weights", channels * fan_in) / math.sqrt(fan_in)
    return F.conv2d(images, weights.reshape(channels, channels, side, side), padding=side // 2)


def randomly_convolved(
    images: Tensor, draws: Draws, *, blend: Blend, keep: float, name: str = "randconv"
) -> Tensor:
    """Return images or their random convolution (B, C, H, W): RC_img or RC_mix of the paper.

    Args:
        images: (B, C, H, W) float32, standardised.
        draws: Names used, of the step: those of `random_convolution`, `<name>.keep` and
            `<name>.alpha`.
        blend: `image`: the convolution itself; `mix`: alpha w * x + (1 - alpha) x with alpha
            uniform in 0..1, one for all images of the step.
        keep: That the images of the step stay as they are.
        name: See `random_convolution`.

    Reference: Xu et al. 2021, equations 2 and 3.
    """
    step = draws.of_step()
    if bool(step.uniform(f"{name}.keep") < keep):
        return images
    filtered = random_convolution(images, draws, name=name)
    if blend == "image":
        return filtered
    alpha = step.uniform(f"{name}.alpha")
    return alpha * filtered + (1 - alpha) * images


def disagreement(logits: Sequence[Tensor]) -> Tensor:
    """Return the mean over images and views of KL(p_v || mean of the views' p), in nats, ().

    Args:
        logits: For every view of the same images (B, classes).

    Reference: Xu et al. 2021, equation 4 (the Jensen-Shannon divergence of AugMix); the mean over
    the views is the released code's.
    """
    shares = [each.float().softmax(dim=1) for each in logits]
    mean = sum(shares[1:], shares[0]) / len(shares)
    log_mean = mean.clamp(1e-7, 1).log()
    terms = [F.kl_div(log_mean, each, reduction="batchmean") for each in shares]
    return sum(terms[1:], terms[0]) / len(terms)
