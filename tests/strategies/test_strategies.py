"""The strategies that need no other network than the classifier, and what all of them keep to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gpbench.api import InvalidValueError, PretrainRecipe, Strategy
from gpbench_strategies import (
    amplitude_mix,
    channel_exchange,
    dsu,
    generalised,
    grayscale,
    imagenet,
    mixstyle,
    randconv,
    scratch,
    simulated_bands,
)
from tests.strategies.toys import Context, batch, draws, equal, task_of

BOTH = [imagenet.PLUGIN, generalised.PLUGIN]
ALL = [
    pytest.param(imagenet.PLUGIN, imagenet.Params(), id="imagenet"),
    pytest.param(generalised.PLUGIN, generalised.Params(), id="generalised"),
    pytest.param(grayscale.PLUGIN, grayscale.Params(), id="grayscale"),
    pytest.param(channel_exchange.PLUGIN, channel_exchange.Params(gray=0.5), id="exchange"),
    pytest.param(randconv.PLUGIN, randconv.Params(keep=0.0), id="randconv-image"),
    pytest.param(randconv.PLUGIN, randconv.Params("mix", 0.0, 10.0), id="randconv-mix"),
    pytest.param(simulated_bands.PLUGIN, simulated_bands.Params(shuffle=True), id="bands"),
    pytest.param(mixstyle.PLUGIN, mixstyle.Params(probability=1.0), id="mixstyle"),
    pytest.param(dsu.PLUGIN, dsu.Params(stages=3, probability=1.0), id="dsu"),
    pytest.param(amplitude_mix.PLUGIN, amplitude_mix.Params(), id="fact"),
    pytest.param(amplitude_mix.PLUGIN, amplitude_mix.Params("apr-p"), id="apr-p"),
    pytest.param(amplitude_mix.PLUGIN, amplitude_mix.Params("apr-s"), id="apr-s"),
]


@pytest.mark.parametrize(("strategy", "params"), ALL)
def test_equal_seeds_give_equal_weights_views_and_losses(strategy: Strategy, params: Any) -> None:
    first, again, other = (task_of(strategy, params, seed=seed) for seed in (1, 1, 2))
    assert equal(first.net, again.net)
    assert not equal(first.net, other.net)
    loss = first.loss(first.views(batch(), draws()))["loss"]
    assert torch.equal(loss, again.loss(again.views(batch(), draws()))["loss"])


@pytest.mark.parametrize(("strategy", "params"), ALL)
def test_the_loss_falls_on_a_toy_batch(strategy: Strategy, params: Any) -> None:
    task = task_of(strategy, params)
    optimiser = torch.optim.AdamW(task.parameters(), 3e-3)
    losses = []
    for _ in range(30):
        loss = task.loss(task.views(batch(), draws()))["loss"]
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(0.69, abs=0.2)
    assert losses[-1] < 0.3


@pytest.mark.parametrize(("strategy", "params"), ALL)
def test_views_and_losses_leave_weights_images_and_budget_alone(
    strategy: Strategy, params: Any
) -> None:
    task, fresh, images = task_of(strategy, params), task_of(strategy, params), batch()
    task.train()
    loss = task.loss(task.views(images, draws()))["loss"]
    assert loss.ndim == 0
    assert equal(task.net, fresh.net)
    assert torch.equal(images.images, batch().images)
    assert all(parameter.grad is None for parameter in task.parameters())


@pytest.mark.parametrize(("strategy", "params"), ALL)
def test_all_chance_comes_from_the_draws(strategy: Strategy, params: Any) -> None:
    task = task_of(strategy, params)
    before = torch.random.get_rng_state()
    first, again = (task.views(batch(), draws())[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, task.views(batch(), draws(step=1))[0])
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("strategy", "params"), ALL)
def test_the_net_is_the_whole_model_under_timms_names(strategy: Strategy, params: Any) -> None:
    task = task_of(strategy, params)
    plain = Context(in_chans=task.net.get_parameter("stem.0.weight").shape[1]).classifier()
    assert task.net.state_dict().keys() == plain.state_dict().keys()
    assert {key.removeprefix("net.") for key in task.state_dict()} == set(plain.state_dict())


@pytest.mark.parametrize("strategy", BOTH)
def test_labels_are_smoothed_as_the_recipe_says(strategy: Strategy) -> None:
    smoothing = PretrainRecipe(batch=8, crop_px=32, steps=1, label_smoothing=0.2)
    task: Any = task_of(strategy, recipe=smoothing)
    task.net = Fixed()
    images = torch.zeros(1, 4, 2, 2)
    loss = task.loss((images, torch.tensor([0])))["loss"]
    assert float(loss) == pytest.approx(0.9 * np.log(4 / 3) + 0.1 * np.log(4))


class Fixed(nn.Module):
    """Says class 0 with probability 3/4."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.log(torch.tensor([[0.75, 0.25]])).expand(len(images), 2)


def test_scratch_has_no_phase() -> None:
    assert scratch.PLUGIN.phases(scratch.PLUGIN.params()) == []


def test_imagenet_sees_three_channels_and_inflation_is_none_of_its_business() -> None:
    plugin = imagenet.PLUGIN
    assert plugin.channels == "rgb"
    assert imagenet.Params().inflate == "repeat"
    default, zero = (task_of(plugin, imagenet.Params(inflate=how)) for how in ("repeat", "zero"))
    assert equal(default.net, zero.net)
    assert default.views(batch(), draws())[0].shape == (8, 3, 32, 32)


@pytest.mark.parametrize("in_chans", [1, 3, 4, 5])
def test_generalised_sees_as_many_channels_as_the_target(in_chans: int) -> None:
    assert generalised.PLUGIN.channels == "target"
    task = task_of(generalised.PLUGIN, in_chans=in_chans)
    images, labels = task.views(batch(), draws())
    assert images.shape == (8, in_chans, 32, 32)
    assert task.loss((images, labels))["loss"].isfinite()


def test_generalised_on_three_channels_without_shuffling_is_imagenet() -> None:
    plain = generalised.Params(shuffle="none")
    ours = task_of(generalised.PLUGIN, plain, in_chans=3).views(batch(), draws())[0]
    theirs = task_of(imagenet.PLUGIN).views(batch(), draws())[0]
    torch.testing.assert_close(ours, theirs)


def test_generalised_shuffles_all_images_alike_when_asked_to() -> None:
    params = generalised.Params(shuffle="batch", duplicate="random")
    channels = task_of(generalised.PLUGIN, params, in_chans=3).views(batch(), draws())[0]
    plain = task_of(imagenet.PLUGIN).views(batch(), draws())[0]
    order = [int((channels[0, j] - plain[0]).abs().sum((1, 2)).argmin()) for j in range(3)]
    torch.testing.assert_close(channels, plain[:, order])


def test_generalised_shuffles_the_channels_of_ordinary_views() -> None:
    ours = task_of(generalised.PLUGIN, in_chans=3).views(batch(), draws())[0]
    plain = task_of(imagenet.PLUGIN).views(batch(), draws())[0]
    for shuffled, ordinary in zip(ours, plain, strict=True):
        matches = [
            [channel for channel in range(3) if torch.allclose(shown, ordinary[channel])]
            for shown in shuffled
        ]
        assert all(matches)


def test_every_parameter_of_generalised_reaches_the_views() -> None:
    def shown(**params: Any) -> Tensor:
        task = task_of(generalised.PLUGIN, generalised.Params(**params), in_chans=5)
        images: Tensor = task.views(batch(), draws())[0]
        return images

    assert torch.equal(shown(probability=0.0), shown(shuffle="none"))
    assert not torch.equal(shown(shuffle="none"), shown(shuffle="none", duplicate="random"))


def test_normalising_after_the_shuffle_shows_in_the_values() -> None:
    options = (generalised.Params(), generalised.Params(normalise="after"))
    before, after = (
        task_of(generalised.PLUGIN, params).views(batch(), draws())[0] for params in options
    )
    assert not torch.allclose(before, after)


def test_generalised_says_what_the_paper_leaves_open() -> None:
    assert generalised.PLUGIN.assumed == ("duplicate", "shuffle", "probability", "normalise")


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_a_probability_outside_0_to_1_is_refused(probability: float) -> None:
    with pytest.raises(InvalidValueError, match="probability"):
        generalised.Params(probability=probability)
