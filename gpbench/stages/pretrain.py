"""One phase of pre-training: source images -> task -> backbone.safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from timm.layers import convert_sync_batchnorm
from torch import nn

from gpbench import registry
from gpbench.api import Batch, HasEma, Phase, Role, RoleBatch, is_splittable
from gpbench.core.errors import ContractError, InvalidValueError
from gpbench.core.recipe import PretrainRecipe, steps_of
from gpbench.core.seeds import derive_seed
from gpbench.core.stage import BACKBONE_FILE, HistoryRow, PretrainSpec, SourceSpec, StageRequest
from gpbench.data.sampler import batch_indices
from gpbench.data.source_images import SourceImages
from gpbench.engine.device import pick_device, set_up
from gpbench.engine.distributed import Group
from gpbench.engine.loop import Fetched, Trainer, Training
from gpbench.engine.monitor import Monitor
from gpbench.models.backbone import create_classifier, load_backbone, save_backbone
from gpbench.stages.target_images import TargetImages

RoleImages = SourceImages | TargetImages

STATISTICS_S = 600.0
"""How long a worker waits in a layer that shares batch statistics: one that failed never comes."""


@dataclass(frozen=True)
class Context:
    """What a task is told when it is built; meets `gpbench.api.PhaseContext`."""

    backbone: str
    in_chans: int
    num_classes: int
    recipe: PretrainRecipe
    seed: int

    def classifier(self) -> nn.Module:
        return create_classifier(
            self.backbone,
            self.in_chans,
            self.num_classes,
            image_px=self.recipe.crop_px,
            drop_path=self.recipe.drop_path,
            seed=derive_seed(self.seed, "weights"),
        )


@dataclass(frozen=True)
class Pretrained:
    """What a pre-training left, beside the weights."""

    history: tuple[HistoryRow, ...]
    facts: Mapping[str, str]
    """How it was run, for the outcome's environment: `pretrain_workers`, and `micro_batch`, the
    samples that each of them had on its device at once."""


def pretrain(request: StageRequest, monitor: Monitor) -> Pretrained:
    """Run one phase and leave the backbone's weights in the stage's folder.

    Where torch's default process group is set up, it is run by all its processes together, of
    which the first writes the files and hears and heeds the monitor.
    """
    spec = request.spec
    assert isinstance(spec, PretrainSpec)  # noqa: S101  the driver pairs kinds and functions
    group = Group.current()
    with group.together():
        task, training = _prepared(request, spec, group)
    trainer = Trainer(training, monitor)
    if group.world > 1:
        _limit_waits(task)  # after the running average is made: what waits cannot be copied
    history = trainer.run()
    if group.leads:
        net = task.ema if isinstance(task, HasEma) else trainer.exported()
        save_backbone(net, training.folder / BACKBONE_FILE)
    width = trainer.micro_batch or spec.recipe.batch // group.world
    facts = {"pretrain_workers": str(group.world), "micro_batch": str(width)}
    return Pretrained(tuple(history), facts)


def _prepared(request: StageRequest, spec: PretrainSpec, group: Group) -> tuple[Any, Training]:
    """Return the phase's task and how it is to be trained."""
    device = pick_device(request.execution.device)
    seed = derive_seed("phase", spec.pretrain_seed, spec.position)
    layers = derive_seed(seed, "layers")
    set_up(spec.numerics, derive_seed(layers, group.rank) if group.rank else layers)

    mine = group.part(spec.recipe.batch)
    images = {role: _images(role, request, spec) for role in _roles(spec)}
    task: Any = _task(spec, images, seed)
    if spec.parent is not None:
        _take_over(task.net, request, spec, seed)
    _check_cuttable(task, request)
    if group.world > 1:
        _check_shareable(task, group, device)
        task = convert_sync_batchnorm(task)
    training = Training(
        task=task,
        backbone=task.net,
        fetch=lambda step: _fetch(images, spec.recipe, step, seed, mine),
        steps=steps_of(spec.recipe),
        optim=spec.recipe.optim,
        numerics=spec.numerics,
        execution=request.execution,
        device=device,
        seed=derive_seed(seed, "draws"),
        folder=Path(request.folder),
        may_cut=is_splittable(task) and not any(map(_has_batch_statistics, task.modules())),
        group=group,
    )
    return task, training


def _limit_waits(task: nn.Module) -> None:
    """Let layers that share batch statistics wait for `STATISTICS_S` at most."""
    layers = [each for each in task.modules() if isinstance(each, nn.SyncBatchNorm)]
    if layers:
        waiting = dist.new_group(timeout=timedelta(seconds=STATISTICS_S), backend="nccl")
        for layer in layers:
            layer.process_group = waiting


def _roles(spec: PretrainSpec) -> tuple[Role, ...]:
    return _phase(spec).roles


def _phase(spec: PretrainSpec) -> Phase:
    strategy = registry.load("strategies", spec.strategy.name)
    phases = strategy.phases(strategy.params(**spec.strategy.params))
    for phase in phases:
        if phase.name == spec.phase:
            return phase
    raise ContractError(spec.strategy.name, f"its phases include '{spec.phase}', as when planned")


def _images(role: Role, request: StageRequest, spec: PretrainSpec) -> RoleImages:
    if role == "target-train":
        return TargetImages(request)
    source: SourceSpec = next(source for source in spec.sources if source.role == role)
    plugin = registry.load("sources", source.source.name)
    return SourceImages(plugin, Path(request.roots.get(role, "")), role)


def _task(spec: PretrainSpec, images: dict[Role, RoleImages], seed: int) -> Any:
    classes = max((each.num_classes for each in images.values()), default=0)
    context = Context(spec.backbone, spec.in_chans, classes, spec.recipe, seed)
    with torch.random.fork_rng(devices=[]):  # a task's own layers: the same whatever came before
        torch.manual_seed(derive_seed(seed, "task"))
        task = _phase(spec).task(context)
    if not isinstance(task, nn.Module) or not isinstance(getattr(task, "net", None), nn.Module):
        raise ContractError(
            spec.strategy.name, "a phase's task is an nn.Module with the module `net`"
        )
    return task


def _take_over(net: nn.Module, request: StageRequest, spec: PretrainSpec, seed: int) -> None:
    bands = [band.name for band in spec.dataset.info.bands] if spec.dataset else None
    load_backbone(
        net,
        Path(str(request.parent_weights)),
        stem=spec.parent_stem,
        bands=bands,
        inflate=spec.inflate,
        seed=derive_seed(seed, "stem"),
    )


def _check_cuttable(task: nn.Module, request: StageRequest) -> None:
    """Refuse micro-batches where cutting a batch would change the numbers."""
    if request.execution.micro_batch is None:
        return
    reasons = [
        reason
        for reason, found in (
            ("its task does not declare `splittable = True`", not is_splittable(task)),
            ("it has batch statistics", any(map(_has_batch_statistics, task.modules()))),
            ("it drops at random", any(map(_drops, task.modules()))),
        )
        if found
    ]
    if reasons:
        raise InvalidValueError(
            "execution.micro_batch",
            request.execution.micro_batch,
            f"null: cutting the batch would change the numbers, for {'; '.join(reasons)}",
        )


def _check_shareable(task: nn.Module, group: Group, device: torch.device) -> None:
    """Refuse several workers where sharing a batch would change the numbers.

    Dropout and stochastic depth draw other masks in each worker, as they do on another device.
    """
    if not is_splittable(task):
        problem = "its task does not declare `splittable = True`"
    elif device.type == "cpu" and any(map(_has_batch_statistics, task.modules())):
        problem = "it has batch statistics, which are shared on GPUs only"
    else:
        return
    raise InvalidValueError(
        "execution.pretrain_workers",
        group.world,
        f"1: sharing the batch would change the numbers, for {problem}",
    )


def _has_batch_statistics(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)  # noqa: SLF001  the common base of all


def _drops(module: nn.Module) -> bool:
    """Return whether a module is dropout or stochastic depth with a rate."""
    rate = getattr(module, "drop_prob", None) or getattr(module, "p", None)
    return isinstance(rate, float) and rate > 0


def _fetch(
    images: dict[Role, RoleImages], recipe: PretrainRecipe, step: int, seed: int, mine: slice
) -> Fetched:
    """Return this worker's images of a step, of all roles, squares of `image_px` on the host."""
    size_px = recipe.image_px or recipe.crop_px
    host: dict[Role, tuple[NDArray[Any], NDArray[np.int64] | None]] = {}
    for role, each in images.items():
        order = derive_seed(seed, "order", role)
        indices = batch_indices(each.n_images, recipe.batch, step, order)[mine]
        labels = each.labels[indices] if each.labels is not None else None
        host[role] = (each.batch(indices, size_px), labels)

    def part(samples: slice, device: torch.device) -> Batch:
        return Batch(
            {role: _on_device(images[role], *host[role], samples, device) for role in host}
        )

    return Fetched(mine.stop - mine.start, part, mine.start)


def _on_device(
    images: RoleImages,
    pixels: NDArray[Any],
    labels: NDArray[np.int64] | None,
    samples: slice,
    device: torch.device,
) -> RoleBatch:
    chosen = torch.from_numpy(pixels[samples]).to(device).float() / images.full_scale
    return RoleBatch(
        images=chosen,
        labels=None if labels is None else torch.from_numpy(labels[samples]).to(device),
        mean=torch.tensor(images.mean, dtype=torch.float32, device=device),
        std=torch.tensor(images.std, dtype=torch.float32, device=device),
    )
