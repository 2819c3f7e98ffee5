"""A segmentor: a timm backbone, a pyramid where it needs one, and mmseg's decode heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  torch's own custom
from torch import Tensor, nn

from gpbench.core.dataset import IGNORE_INDEX
from gpbench.core.errors import InvalidValueError
from gpbench.core.recipe import FinetuneRecipe, Inflate
from gpbench.core.seeds import derive_seed
from gpbench.core.stage import Stem
from gpbench.models.backbone import create_classifier, load_backbone, stages_of
from gpbench.models.features import feature_maps
from gpbench.models.heads import Maps, auxiliary_head, decode_head, pyramid


class Segmentor(nn.Module):
    """Images (B, in_chans, H, W) -> logits (B, n_classes, H, W), and the loss to train them by.

    `backbone` is the full timm model without classifier, under timm's names. Images whose sides do
    not divide by the coarsest map's pixels are padded with zeros at the right and the bottom.

    Args:
        backbone: timm's name.
        in_chans: Bands of the images.
        n_classes: Classes; label i is class i, 255 is ignored.
        recipe: Decode head, auxiliary head, dropout, stochastic depth.
        image_px: Side of the training crops.
        seed: Fixes all initial weights; those of the heads do not depend on the backbone's.
        excluded: Classes that are neither learnt nor predicted.
        class_weights: Weight of a pixel in the loss by its class; None: all the same.

    Raises:
        UnknownNameError: If there is no backbone or decode head of that name.
        ConfigError: If the backbone cannot be built so.
    """

    is_excluded: Tensor
    targets: Tensor
    class_weights: Tensor

    def __init__(  # noqa: PLR0913  the parts of a segmentor
        self,
        backbone: str,
        in_chans: int,
        n_classes: int,
        recipe: FinetuneRecipe,
        *,
        image_px: int,
        seed: int,
        excluded: Sequence[int] = (),
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.auxiliary_weight, self.excluded = recipe.auxiliary, tuple(excluded)
        self.stages = stages_of(backbone)
        self.backbone = create_classifier(
            backbone,
            in_chans,
            num_classes=0,
            image_px=_rounded_up(image_px, self.stages.multiple_px),
            drop_path=recipe.drop_path,
            seed=derive_seed(seed, "backbone"),
        )
        self.neck: nn.Module = nn.Identity()
        maps = Maps(self.stages.channels, self.stages.reductions)
        if self.stages.isotropic:
            self.neck, maps = pyramid(self.stages.channels[0], self.stages.reductions[0], seed)
        self.decode_head = decode_head(maps, n_classes, recipe, seed)
        self.auxiliary_head = (
            auxiliary_head(maps, n_classes, recipe, seed) if recipe.auxiliary > 0 else None
        )
        is_excluded = torch.zeros(1, n_classes, 1, 1, dtype=torch.bool)
        is_excluded[0, list(excluded)] = True
        targets = torch.arange(IGNORE_INDEX + 1)
        targets[list(excluded)] = IGNORE_INDEX
        weights = torch.tensor(class_weights or [1.0] * n_classes)
        self.register_buffer("class_weights", weights, persistent=False)
        self.register_buffer("is_excluded", is_excluded, persistent=False)
        self.register_buffer("targets", targets, persistent=False)

    def load_pretrained(
        self,
        path: Path,
        *,
        stem: Stem | None,
        bands: Sequence[str],
        inflate: Inflate | None,
        seed: int,
    ) -> None:
        """Fill the backbone from a pre-training's file; see `load_backbone`."""
        load_backbone(self.backbone, path, stem=stem, bands=bands, inflate=inflate, seed=seed)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, n_classes, H, W) float32; those of excluded classes are -inf."""
        return self._logits(self.decode_head, self._maps(images), images)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return `loss` and its parts: mean cross-entropy of the labelled pixels, 0 without any.

        Args:
            images: (B, in_chans, H, W), B at least 2.
            labels: (B, H, W) class indices, 255 ignored.

        Raises:
            InvalidValueError: If there is one image only.
        """
        if len(images) < 2:
            raise InvalidValueError(
                "batch", len(images), "2 or more: the decode heads normalise over the batch"
            )
        maps, targets = self._maps(images), self.targets[labels.long()]
        decode = self._loss(self.decode_head, maps, images, targets)
        if self.auxiliary_head is None:
            return {"loss": decode}
        auxiliary = self._loss(self.auxiliary_head, maps, images, targets)
        return {
            "loss": decode + self.auxiliary_weight * auxiliary,
            "decode": decode.detach(),
            "auxiliary": auxiliary.detach(),
        }

    def _loss(self, head: nn.Module, maps: list[Tensor], images: Tensor, targets: Tensor) -> Tensor:
        return _cross_entropy(self._logits(head, maps, images), targets, self.class_weights)

    def _maps(self, images: Tensor) -> list[Tensor]:
        height, width = self._padded(images)
        filled = F.pad(images, (0, width - images.shape[-1], 0, height - images.shape[-2]))
        return list(self.neck(feature_maps(self.backbone, filled, self.stages)))

    def _logits(self, head: nn.Module, maps: list[Tensor], images: Tensor) -> Tensor:
        logits: Tensor = head(maps)
        height, width = images.shape[-2:]
        full = F.interpolate(
            logits.float(), size=self._padded(images), mode="bilinear", align_corners=False
        )[..., :height, :width]
        return full.masked_fill(self.is_excluded, -math.inf) if self.excluded else full

    def _padded(self, images: Tensor) -> tuple[int, int]:
        height, width = (_rounded_up(side, self.stages.multiple_px) for side in images.shape[-2:])
        return height, width


def _rounded_up(side_px: int, multiple_px: int) -> int:
    return -(-side_px // multiple_px) * multiple_px


def _cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean over the pixels that are not ignored; 0 where all are."""
    total = F.cross_entropy(
        logits, targets, weight=weights, ignore_index=IGNORE_INDEX, reduction="sum"
    )
    scored = targets != IGNORE_INDEX
    whole = weights[targets[scored]].sum()
    return total / whole.clamp(min=torch.finfo(whole.dtype).tiny)
