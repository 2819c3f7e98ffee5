"""The controls of channel shuffling: what each does to the views, and how it trains and resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from gpbench.api import InvalidValueError, PretrainRecipe, Strategy, is_splittable
from gpbench.core.errors import StageInterruptedError
from gpbench.core.params import plain_params
from gpbench.core.recipe import Execution, Optimisation
from gpbench.core.stage import (
    BACKBONE_FILE,
    Numerics,
    PluginSpec,
    PretrainSpec,
    SourceSpec,
    StageRequest,
)
from gpbench.engine.monitor import Silent
from gpbench.parts.color import LUMINANCE
from gpbench.parts.views import cropped, standardised
from gpbench.stages.run import run_stage
from gpbench_strategies import (
    amplitude_mix,
    channel_exchange,
    dsu,
    grayscale,
    imagenet,
    mixstyle,
    randconv,
    simulated_bands,
)
from tests.strategies.toys import batch, draws, task_of

SPLITTABLE = [
    pytest.param(grayscale.PLUGIN, grayscale.Params(0.5), id="grayscale"),
    pytest.param(channel_exchange.PLUGIN, channel_exchange.Params(0.5), id="exchange"),
    pytest.param(randconv.PLUGIN, randconv.Params("image", 0.0, 5.0), id="randconv"),
    pytest.param(simulated_bands.PLUGIN, simulated_bands.Params("batch", shuffle=True), id="bands"),
    pytest.param(amplitude_mix.PLUGIN, amplitude_mix.Params("apr-s"), id="apr-s"),
]
MIXING = [
    pytest.param(mixstyle.PLUGIN, mixstyle.Params(probability=1.0), id="mixstyle"),
    pytest.param(dsu.PLUGIN, dsu.Params(3, 1.0), id="dsu"),
    pytest.param(amplitude_mix.PLUGIN, amplitude_mix.Params(), id="fact"),
    pytest.param(amplitude_mix.PLUGIN, amplitude_mix.Params("apr-p"), id="apr-p"),
]
RESTYLING = MIXING[:2]
WHOLE, PARTS = slice(8), (slice(2), slice(2, 8))


def loss_of(strategy: Strategy, params: Any, part: slice = WHOLE) -> Tensor:
    task = task_of(strategy, params)
    return task.loss(task.views(batch(part), draws(part=part)))["loss"].detach()


def loss_of_parts(strategy: Strategy, params: Any) -> Tensor:
    first, rest = (loss_of(strategy, params, part) for part in PARTS)
    return (2 * first + 6 * rest) / 8


@pytest.mark.parametrize(("strategy", "params"), SPLITTABLE)
def test_cutting_the_batch_of_a_splittable_task_changes_rounding_alone(
    strategy: Strategy, params: Any
) -> None:
    assert is_splittable(task_of(strategy, params))
    torch.testing.assert_close(loss_of(strategy, params), loss_of_parts(strategy, params))


@pytest.mark.parametrize(("strategy", "params"), MIXING)
def test_a_task_whose_images_look_at_each_other_is_not_splittable(
    strategy: Strategy, params: Any
) -> None:
    assert not is_splittable(task_of(strategy, params))
    apart = abs(float(loss_of(strategy, params) - loss_of_parts(strategy, params)))
    assert apart > 1e-4  # cutting would change more than rounding


def plain_views() -> Tensor:
    views: Tensor = task_of(imagenet.PLUGIN).views(batch(), draws())[0]
    return views


def views_of(strategy: Strategy, params: Any, **context: Any) -> Tensor:
    views: Tensor = task_of(strategy, params, **context).views(batch(), draws())[0]
    return views


NOTHING = [
    pytest.param(grayscale.PLUGIN, grayscale.Params(0.0), id="grayscale"),
    pytest.param(randconv.PLUGIN, randconv.Params(keep=1.0), id="randconv"),
    pytest.param(amplitude_mix.PLUGIN, amplitude_mix.Params(probability=0.0), id="fact"),
    pytest.param(mixstyle.PLUGIN, mixstyle.Params(probability=0.0), id="mixstyle"),
    pytest.param(dsu.PLUGIN, dsu.Params(3, 0.0), id="dsu"),
]


@pytest.mark.parametrize(("strategy", "params"), NOTHING)
def test_with_nothing_to_do_a_control_is_imagenet(strategy: Strategy, params: Any) -> None:
    torch.testing.assert_close(views_of(strategy, params), plain_views())
    assert torch.equal(loss_of(strategy, params), loss_of(imagenet.PLUGIN, imagenet.Params()))


def test_grayscale_is_the_luminance_standardised_by_each_channels_constants() -> None:
    made, role = views_of(grayscale.PLUGIN, grayscale.Params()), batch().only
    task: Any = task_of(imagenet.PLUGIN)
    crops = cropped(role.images, draws(), task.recipe)
    gray = (crops * torch.tensor(LUMINANCE)[:, None, None]).sum(1, keepdim=True)
    expected = standardised(gray.expand(8, 3, 32, 32), role.mean, role.std)
    change = draws().uniform("jitter", 2) * 0.2 - 0.1
    contrast, brightness = (each[:, None, None, None] for each in change.unbind(1))
    torch.testing.assert_close(made, expected * (1 + contrast) + brightness)


def shown(strategy: Strategy, params: Any, step: int) -> list[tuple[int, ...]]:
    """Return which channel of the plain view each place shows, -1: none, for every image."""
    made = task_of(strategy, params).views(batch(), draws(step))[0]
    plain = task_of(imagenet.PLUGIN).views(batch(), draws(step))[0]
    return [
        tuple(
            next((source for source in range(3) if torch.equal(place, own[source])), -1)
            for place in image
        )
        for image, own in zip(made, plain, strict=True)
    ]


def test_every_exchanged_view_shows_channels_of_the_plain_one() -> None:
    def cases(gray: float) -> set[tuple[int, ...]]:
        params = channel_exchange.Params(gray=gray)
        return {row for step in range(4) for row in shown(channel_exchange.PLUGIN, params, step)}

    single = {(0, 0, 0), (1, 1, 1), (2, 2, 2)}
    assert cases(0.0) == {*single, (0, 1, 2)}
    assert cases(1.0) == {*single, (-1, -1, -1)}


def test_three_views_of_randconv_differ_and_the_first_alone_is_classified() -> None:
    params = randconv.Params(keep=0.0, consistency=5.0)
    task: Any = task_of(randconv.PLUGIN, params)
    images, labels = task.views(batch(), draws())
    assert images.shape == (24, 3, 32, 32)
    first, second, third = images.split(8)
    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)
    alone: Any = task_of(randconv.PLUGIN, randconv.Params(keep=0.0))
    torch.testing.assert_close(alone.views(batch(), draws())[0], first)
    losses = task.loss((images, labels))
    single = alone.loss((first, labels))["loss"]
    torch.testing.assert_close(losses["loss"], single + 5 * losses["disagreement"])
    assert float(losses["disagreement"].detach()) > 0


@pytest.mark.parametrize("in_chans", [1, 3, 4, 8])
def test_simulated_bands_has_as_many_bands_as_the_target(in_chans: int) -> None:
    params = simulated_bands.Params()
    made, plain = views_of(simulated_bands.PLUGIN, params, in_chans=in_chans), plain_views()
    assert made.shape == (8, in_chans, 32, 32)
    if in_chans >= 3:
        torch.testing.assert_close(made[:, :3], plain)
    extra = made[:, 3:] if in_chans >= 3 else made
    assert (extra <= plain.amax(1, keepdim=True) + 1e-5).all()  # a mixture lies in between
    assert (extra >= plain.amin(1, keepdim=True) - 1e-5).all()


@pytest.mark.parametrize("variant", ["fact", "apr-p", "apr-s"])
def test_mixed_amplitudes_lie_in_the_images_own_range(variant: Any) -> None:
    params = amplitude_mix.Params(variant, probability=1.0)
    still = PretrainRecipe(batch=8, crop_px=32, steps=1, scale=(0.5, 1.0))
    made = views_of(amplitude_mix.PLUGIN, params, recipe=still)
    task: Any = task_of(imagenet.PLUGIN, recipe=still)
    assert not torch.allclose(made, task.views(batch(), draws())[0], atol=0.05)
    role = batch().only
    raw = made * role.std[:, None, None] + role.mean[:, None, None]
    assert -1e-5 < float(raw.min()) < float(raw.max()) < 1 + 1e-5


def test_eta_bounds_the_share_of_the_other_image() -> None:
    def change(eta: float) -> float:
        made = views_of(amplitude_mix.PLUGIN, amplitude_mix.Params(eta=eta, probability=1.0))
        return float((made - plain_views()).abs().mean())

    assert change(0.0) == pytest.approx(0, abs=1e-4)
    assert 0 < 3 * change(0.1) < change(1.0)


@pytest.mark.parametrize(("strategy", "params"), RESTYLING)
def test_features_are_restyled_in_training_only(strategy: Strategy, params: Any) -> None:
    task, plain = task_of(strategy, params), task_of(imagenet.PLUGIN)
    views = task.views(batch(), draws())
    restyled = task.loss(views)["loss"]
    task.train(mode=False)
    ordinary = task.loss(views)["loss"]
    assert torch.equal(ordinary, plain.loss(plain.views(batch(), draws()))["loss"])
    assert not torch.allclose(restyled, ordinary, atol=1e-4)


@pytest.mark.parametrize(("strategy", "params"), RESTYLING)
def test_no_hook_stays_on_the_network(strategy: Strategy, params: Any) -> None:
    task = task_of(strategy, params)
    task.loss(task.views(batch(), draws()))
    assert not any(module._forward_hooks for module in task.net.modules())


def test_a_stage_is_changed_in_about_the_asked_share_of_steps() -> None:
    for strategy, params in ((mixstyle.PLUGIN, mixstyle.Params()), (dsu.PLUGIN, dsu.Params(3))):
        task = task_of(strategy, params)
        chosen = [
            [change is not None for change in task.views(batch(), draws(step))[2]]
            for step in range(120)
        ]
        shares = np.mean(chosen, axis=0)
        assert len(shares) == params.stages
        assert all(0.38 < share < 0.62 for share in shares)
        assert len({tuple(row) for row in chosen}) == 2**params.stages  # each stage by itself


def test_every_parameter_of_the_restyling_controls_reaches_the_loss() -> None:
    def loss(**changes: Any) -> Tensor:
        return loss_of(mixstyle.PLUGIN, mixstyle.Params(**{"probability": 1.0, **changes}))

    assert not torch.equal(loss(), loss(stages=1))
    assert not torch.equal(loss(), loss(concentration=5.0))
    still = loss_of(dsu.PLUGIN, dsu.Params(3, 1.0, factor=0.0))
    torch.testing.assert_close(still, loss_of(imagenet.PLUGIN, imagenet.Params()))


@pytest.mark.parametrize("strategy", [mixstyle.PLUGIN, dsu.PLUGIN])
def test_a_batch_of_one_is_refused_where_images_look_at_each_other(strategy: Strategy) -> None:
    single = PretrainRecipe(batch=1, crop_px=64, steps=1)
    with pytest.raises(InvalidValueError, match=r"pretrain.batch = 1 .* 2 or more"):
        task_of(strategy, recipe=single)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        (lambda: grayscale.Params(1.5), "probability"),
        (lambda: channel_exchange.Params(-0.1), "gray"),
        (lambda: randconv.Params(keep=2.0), "keep"),
        (lambda: randconv.Params(consistency=-1.0), "consistency"),
        (lambda: amplitude_mix.Params(eta=1.1), "eta"),
        (lambda: amplitude_mix.Params(probability=float("nan")), "probability"),
        (lambda: mixstyle.Params(concentration=0.0), "concentration"),
        (lambda: mixstyle.Params(stages=0), "stages"),
        (lambda: dsu.Params(factor=-1.0), "factor"),
        (lambda: dsu.Params(probability=1.1), "probability"),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_name(params: Any, field: str) -> None:
    with pytest.raises(InvalidValueError, match=f"^{field} = "):
        params()


# --- whole stages ---

STEPS = 8
RECIPE = PretrainRecipe(
    batch=8, crop_px=64, steps=STEPS, scale=(0.6, 1.0), optim=Optimisation(lr=3e-3, warmup_steps=0)
)
STAGES = [
    ("grayscale", grayscale.Params(), "test_convnext3", 3),
    ("channel-exchange", channel_exchange.Params(), "test_convnext3", 3),
    ("randconv", randconv.Params("mix", 0.0, 10.0), "test_convnext3", 3),
    ("simulated-bands", simulated_bands.Params(), "test_convnext3", 5),
    ("amplitude-mix", amplitude_mix.Params(), "test_convnext3", 3),
    ("mixstyle", mixstyle.Params(), "test_convnext3", 3),
    ("mixstyle", mixstyle.Params(), "test_vit", 3),
    ("mixstyle", mixstyle.Params(), "test_resnet", 3),
    ("dsu", dsu.Params(), "test_convnext3", 3),
    ("dsu", dsu.Params(), "test_mambaout", 3),
]


class StopAfter(Silent):
    """A monitor that stops a training after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def stop_wanted(self) -> bool:
        self.left -= 1
        return self.left == 0


@pytest.mark.parametrize(("name", "params", "backbone", "in_chans"), STAGES)
def test_a_stage_trains_and_resumes_to_the_same_bits(
    tmp_path: Path, name: str, params: Any, backbone: str, in_chans: int
) -> None:
    spec = PretrainSpec(
        PluginSpec(name, 1, plain_params(params, without=["inflate"])),
        "supervised",
        0,
        backbone,
        in_chans,
        (SourceSpec("labelled", PluginSpec("demo", 1), "f" * 64),),
        RECIPE,
        Numerics(1, "fp32", channels_last=False),
        pretrain_seed=0,
    )

    def run(folder: Path, monitor: Silent) -> Any:
        execution = Execution(device="cpu", loader_workers=0)
        return run_stage(StageRequest(spec, str(folder), None, {}, str(folder), execution), monitor)

    whole = run(tmp_path / "whole", Silent())
    assert whole.status == "ok", whole.error
    losses = [row.loss for row in whole.history]
    assert len(losses) == STEPS
    assert np.isfinite(losses).all()
    assert min(losses[-3:]) < losses[0]
    with pytest.raises(StageInterruptedError, match="stopped after step 3"):
        run(tmp_path / "cut", StopAfter(3))
    assert run(tmp_path / "cut", Silent()).status == "ok"
    first, second = (load_file(tmp_path / folder / BACKBONE_FILE) for folder in ("whole", "cut"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
