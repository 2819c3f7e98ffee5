"""Feature maps of a timm model by its own `forward_intermediates`: its parameter names stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gpbench.core.errors import ConfigError

FINEST_REDUCTION = 4
"""Maps finer than this (the stems of ResNets) are not handed to a decode head."""
ISOTROPIC_MAPS = 4


@dataclass(frozen=True)
class FeatureStages:
    """Which of a model's intermediate maps a decode head gets, fine to coarse."""

    indices: tuple[int, ...]
    channels: tuple[int, ...]
    reductions: tuple[int, ...]
    """Pixels of the image per pixel of the map."""
    isotropic: bool
    """All maps have one resolution (ViT): a pyramid has to be made of them."""

    @property
    def multiple_px(self) -> int:
        """Return what an image's sides must be multiples of for maps without remainders."""
        return max(self.reductions)


def feature_stages(model: nn.Module) -> FeatureStages:
    """Return the last map of each resolution of 1/4 and coarser; of an isotropic model, four.

    Raises:
        ConfigError: If the model cannot hand out intermediate maps.
    """
    known: Any = getattr(model, "feature_info", None)
    if not known or not hasattr(model, "forward_intermediates"):
        raise ConfigError(
            f"backbone '{type(model).__name__}' hands out no feature maps, which a decode head "
            "needs: choose another"
        )
    facts = [
        (int(entry["reduction"]), int(entry["num_chs"])) for entry in getattr(known, "info", known)
    ]
    last = {reduction: index for index, (reduction, _) in enumerate(facts)}
    if len(last) == 1:
        depth = len(facts)
        indices = [
            (i + 1) * depth // ISOTROPIC_MAPS - 1 for i in range(ISOTROPIC_MAPS)
        ]  # 2, 5, 8, 11 of 12: mmseg's choice
    else:
        indices = sorted(i for reduction, i in last.items() if reduction >= FINEST_REDUCTION)
    reductions, channels = zip(*(facts[i] for i in indices), strict=True)
    return FeatureStages(tuple(indices), channels, reductions, isotropic=len(last) == 1)


def feature_maps(model: Any, images: Tensor, stages: FeatureStages) -> list[Tensor]:
    """Return the stages' maps, each (B, channels, H / reduction, W / reduction)."""
    maps: list[Tensor] = model.forward_intermediates(
        images,
        indices=list(stages.indices),
        output_fmt="NCHW",  # Swin and its like work on NHWC
        intermediates_only=True,
    )
    return maps
