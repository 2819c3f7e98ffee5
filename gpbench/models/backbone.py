"""timm backbones: which there are, how one is made, how its weights are kept.

Weights are kept under timm's full-model names.
Nothing is ever downloaded: initial weights are a pure function of the arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from gpbench.core.errors import ConfigError, InvalidValueError, StageError, UnknownNameError
from gpbench.core.plan import BackboneCatalog, BackboneFacts
from gpbench.core.recipe import Inflate
from gpbench.core.stage import Stem
from gpbench.core.whole_file import write_whole
from gpbench.models.features import FeatureStages, feature_stages
from gpbench.models.positions import resampled
from gpbench.models.stem import find_stems, inflate_stem, needs_inflation


def catalog(names: Sequence[str] = ()) -> BackboneCatalog:
    """Return the names of all backbones, and the facts of the named ones.

    Raises:
        UnknownNameError: If timm has no model of a name.
        ConfigError: If one hands out no feature maps.
    """
    facts = {
        name: BackboneFacts(
            name,
            "isotropic" if family.stages.isotropic else "hierarchical",
            family.parameters,
        )
        for name in names
        for family in (_family(name),)
    }
    return BackboneCatalog(frozenset(timm.list_models()), facts)


def stages_of(name: str) -> FeatureStages:
    """Return which maps of a backbone a decode head gets.

    Raises:
        UnknownNameError: If timm has no model of that name.
        ConfigError: If it hands out no feature maps.
    """
    return _family(name).stages


def create_classifier(
    name: str, in_chans: int, num_classes: int, *, image_px: int, drop_path: float, seed: int
) -> nn.Module:
    """Return the full timm model, randomly initialised, for square images of `image_px`.

    Convolutional networks, Swin and ViT take images of other sizes too; a window of Swin is never
    larger than a stage's map at `image_px`.

    Args:
        name: timm's name.
        in_chans: Channels of the first convolution.
        num_classes: Outputs; 0: the pooled features.
        image_px: Side of the images; models without positions take any.
        drop_path: Rate of stochastic depth.
        seed: Fixes the weights, together with the other arguments.

    Raises:
        UnknownNameError: If timm has no model of that name.
        ConfigError: If the model cannot be built so.
    """
    family = _family(name)
    arguments = {"in_chans": in_chans, "num_classes": num_classes} | family.size_arguments(image_px)
    if "drop_path_rate" in family.takes:
        arguments["drop_path_rate"] = drop_path
    elif drop_path > 0:
        raise InvalidValueError(
            "drop_path", drop_path, f"0 for backbone '{name}', which has no stochastic depth"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model: nn.Module = timm.create_model(name, pretrained=False, **arguments)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            asked = ", ".join(f"{key} = {value}" for key, value in arguments.items())
            raise ConfigError(f"backbone '{name}' cannot be built with {asked}: {error}") from error
    return model


@dataclass(frozen=True)
class _Family:
    """What a model says of itself before any weight exists."""

    name: str
    takes: frozenset[str]
    """Parameters of its constructor."""
    parameters: int
    weights: frozenset[str]
    """Names in the model without classifier: what crosses a phase border."""
    stages: FeatureStages

    def size_arguments(self, image_px: int) -> dict[str, Any]:
        if "img_size" not in self.takes:
            return {}
        if "strict_img_size" in self.takes:
            return {"img_size": image_px, "strict_img_size": False}
        if "dynamic_img_size" in self.takes:
            return {"img_size": image_px, "dynamic_img_size": True}
        return {"img_size": image_px}


@cache
def _family(name: str) -> _Family:
    if not timm.is_model(name):
        raise UnknownNameError("backbone", name, timm.list_models())
    with torch.device("meta"):
        model: Any = timm.create_model(name, pretrained=False, num_classes=0)
    return _Family(
        name=name,
        takes=_constructor_parameters(type(model)),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        weights=frozenset(model.state_dict()),
        stages=feature_stages(model),
    )


def _constructor_parameters(model: type[nn.Module]) -> frozenset[str]:
    """Return what the constructor takes, and the base's where it hands all on as `**kwargs`."""
    names: set[str] = set()
    for base in inspect.getmro(model):
        parameters = inspect.signature(base).parameters
        names |= parameters.keys()
        if all(one.kind is not inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
            break
    return frozenset(names)


def save_backbone(model: nn.Module, path: Path) -> None:
    """Write the weights but the classifier's as safetensors, under timm's full-model names.

    The file appears whole or not at all.

    Raises:
        StageError: If the model is not a whole timm model.
    """
    architecture = _architecture(model)
    tensors = {
        name: tensor.detach().cpu().contiguous().clone()  # tied weights become two copies
        for name, tensor in _weights(model).items()
    }
    if lacking := sorted(_family(architecture).weights - tensors.keys()):
        raise StageError(
            f"the network to be kept is not all of backbone '{architecture}': it lacks "
            f"{_some(lacking)}"
        )
    content = save(tensors, metadata={"architecture": architecture})  # two would swap at random
    write_whole(path, content)  # save_file would allow the owner alone to read


def load_backbone(
    model: nn.Module,
    path: Path,
    *,
    stem: Stem | None = None,
    bands: Sequence[str] | None = None,
    inflate: Inflate | None = None,
    seed: int = 0,
) -> None:
    """Fill a timm model, but for its classifier, from what `save_backbone` wrote.

    Position embeddings and relative position tables of another size are resampled.

    Args:
        model: The model to fill, under timm's names.
        path: The file.
        stem: `rgb`: the file's first convolution has kernels for red, green and blue, which are
            matched with `bands` by name.
        bands: The model's channels; None: as the file's.
        inflate: What bands other than red, green and blue take: see `inflate_stem`.
        seed: Fixes the kernels of `inflate = random`.

    Raises:
        StageError: If the file is not a checkpoint of this model.
        InvalidValueError: If `inflate` is needed and None.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise StageError(f"{path} cannot be read as backbone weights: {error}") from error
    own = _weights(model)
    if stem == "rgb" and bands is not None and needs_inflation(bands):
        _inflate_stems(model, tensors, bands, inflate, seed)
    for name in tensors.keys() & own.keys():
        tensors[name] = resampled(model, name, tensors[name], tuple(own[name].shape))
    _check_fit(model, own, tensors, path)
    model.load_state_dict(tensors, strict=False)  # what may be missing is the classifier alone


def _inflate_stems(
    model: nn.Module,
    tensors: dict[str, Tensor],
    bands: Sequence[str],
    inflate: Inflate | None,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    initial = dict(model.named_parameters())
    for name in find_stems(model):
        if name in tensors:
            std = float(initial[name].detach().std())
            tensors[name] = inflate_stem(tensors[name], bands, inflate, generator, std=std)


def _check_fit(
    model: nn.Module, own: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path
) -> None:
    problems = [
        f"{what} {_some(names)}"
        for what, names in (
            ("lacks", sorted(own.keys() - tensors.keys())),
            ("has the unknown", sorted(tensors.keys() - own.keys())),
        )
        if names
    ]
    problems += [
        f"has {name} of shape {tuple(tensors[name].shape)} where {tuple(own[name].shape)} is needed"
        for name in sorted(own.keys() & tensors.keys())
        if tensors[name].shape != own[name].shape
    ][:3]
    if problems:
        raise StageError(
            f"{path} does not fit backbone '{_architecture(model)}': it {'; it '.join(problems)}. "
            "Was it written for another backbone, channel count or image size?"
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _architecture(model: Any) -> str:
    return str(model.default_cfg.get("architecture", type(model).__name__))


def _weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's weights by name, without those of its classifier."""
    names = _family(_architecture(model)).weights
    return {name: tensor for name, tensor in model.state_dict().items() if name in names}
