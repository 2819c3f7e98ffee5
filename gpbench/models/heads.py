"""mmseg's decode heads, built by name for a backbone's maps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from gpbench.core.errors import UnknownNameError
from gpbench.core.recipe import FinetuneRecipe
from gpbench.core.seeds import derive_seed

BATCH_NORM = {"type": "BN", "requires_grad": True}  # SyncBN does not run on CPU
RELATED_CHANNELS = {"ISAHead": "isa_channels", "ANNHead": "project_channels"}


@dataclass(frozen=True)
class Maps:
    """What a decode head must know of the maps that it is handed, fine to coarse."""

    channels: tuple[int, ...]
    reductions: tuple[float, ...]


Reads = Literal["all", "last two", "last"]
HEADS: Mapping[str, Reads] = {
    "ANNHead": "last two",
    "APCHead": "last",
    "ASPPHead": "last",
    "DNLHead": "last",
    "DepthwiseSeparableASPPHead": "last",
    "DepthwiseSeparableFCNHead": "last",
    "FCNHead": "last",
    "FPNHead": "all",
    "GCHead": "last",
    "ISAHead": "last",
    "LightHamHead": "all",
    "NLHead": "last",
    "PSPHead": "last",
    "SegformerHead": "all",
    "UPerHead": "all",
}
"""mmseg's heads that make one map of logits from feature maps alone, without compiled operators."""


def decode_head(maps: Maps, n_classes: int, recipe: FinetuneRecipe, seed: int) -> nn.Module:
    """Return the recipe's head; its weights depend on `seed` and the maps' shapes alone.

    Raises:
        UnknownNameError: If there is no head of that name, or it needs more than feature maps.
    """
    if recipe.head not in HEADS:
        raise UnknownNameError("decode head", recipe.head, HEADS)
    reads = HEADS[recipe.head]
    options: dict[str, Any] = {
        "channels": recipe.head_channels,
        "dropout_ratio": recipe.head_dropout,
        **_inputs(maps, reads),
        **_particular(recipe.head, maps, recipe.head_channels),
    }
    return _built(recipe.head, n_classes, options, derive_seed(seed, "decode_head"))


def auxiliary_head(maps: Maps, n_classes: int, recipe: FinetuneRecipe, seed: int) -> nn.Module:
    """Return mmseg's FCNHead of one convolution on the last map but one, weights by `seed`."""
    position = max(len(maps.channels) - 2, 0)
    options = {
        "channels": recipe.auxiliary_channels,
        "dropout_ratio": recipe.head_dropout,
        "in_channels": maps.channels[position],
        "in_index": position,
        "num_convs": 1,
        "concat_input": False,
    }
    return _built("FCNHead", n_classes, options, derive_seed(seed, "auxiliary_head"))


def pyramid(channels: int, reduction: int, seed: int) -> tuple[nn.Module, Maps]:
    """Return mmseg's Feature2Pyramid, four resolutions from four equal maps, and its maps."""
    scales = (4.0, 2.0, 1.0, 0.5) if reduction > 8 else (2.0, 1.0, 0.5, 0.25)
    options = {"embed_dim": channels, "rescales": list(scales), "norm_cfg": BATCH_NORM}
    neck = _seeded("Feature2Pyramid", options, derive_seed(seed, "neck"))
    return neck, Maps((channels,) * 4, tuple(reduction / scale for scale in scales))


def _inputs(maps: Maps, reads: Reads) -> dict[str, Any]:
    if reads == "last":
        return {"in_channels": maps.channels[-1], "in_index": len(maps.channels) - 1}
    positions = list(range(len(maps.channels)))
    if reads == "last two":
        positions = positions[-2:]
    return {"in_channels": [maps.channels[i] for i in positions], "in_index": positions}


def _particular(head: str, maps: Maps, channels: int) -> dict[str, Any]:
    """Return what a head needs beside the common options, with the values of mmseg's configs."""
    if head == "FPNHead":
        return {"feature_strides": list(maps.reductions)}
    if head == "DepthwiseSeparableASPPHead":
        return {"c1_in_channels": maps.channels[0], "c1_channels": 48}
    if head == "LightHamHead":
        return {"ham_channels": channels}
    if head in RELATED_CHANNELS:
        return {RELATED_CHANNELS[head]: max(channels // 2, 1)}
    return {}


def _built(name: str, n_classes: int, options: Mapping[str, Any], seed: int) -> nn.Module:
    common = {
        "num_classes": n_classes,
        "out_channels": n_classes,  # two classes are two maps, not mmseg's one with a threshold
        "norm_cfg": BATCH_NORM,
        "align_corners": False,
        "loss_decode": {
            "type": "CrossEntropyLoss",
            "avg_non_ignore": True,
        },  # unused; silences mmseg
    }
    return _seeded(name, {**common, **options}, seed)


def _seeded(name: str, options: Mapping[str, Any], seed: int) -> nn.Module:
    models = _registry()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module: nn.Module = models.build({"type": name, **options})
        classifier = getattr(module, "conv_seg", None)
        if isinstance(classifier, nn.Conv2d):  # the heads' init_cfg; init_weights() would log pages
            nn.init.normal_(classifier.weight, std=0.01)
            classifier.bias = nn.Parameter(torch.zeros(classifier.out_channels))
    return module


def _registry() -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Fail to import ``MultiScaleDeformableAttention``"
        )
        import mmseg.models  # noqa: F401, PLC0415  3 s, and it registers the heads
        from mmseg.registry import MODELS  # noqa: PLC0415  as above
    return MODELS
