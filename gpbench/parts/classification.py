"""The task that most strategies share: the class of one view of every labelled image."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812  torch's own idiom
from torch import Tensor, nn

from gpbench.api import Batch, Draws, PhaseContext, RoleBatch
from gpbench.parts.views import standard_views


class Classification(nn.Module):
    """Cross-entropy of the class of a view; meets `gpbench.api.PretrainTask`.

    By itself it takes ordinary views. A strategy overrides `view`, and where its view of an image
    depends on the others of the batch sets `splittable = False`.
    """

    splittable = True

    def __init__(self, context: PhaseContext) -> None:
        super().__init__()
        self.recipe, self.net = context.recipe, context.classifier()

    def view(self, role: RoleBatch, draws: Draws) -> Tensor:
        """Return one view of every image, (B, in_chans, crop_px, crop_px) float32."""
        return standard_views(role, draws, self.recipe)

    def views(self, batch: Batch, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the views and their labels, (B,) int64."""
        return self.view(batch.only, draws), batch.labels

    def loss(self, views: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        images, labels = views
        return {"loss": self.cross_entropy(self.net(images), labels)}

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over (B, classes) logits, labels smoothed as the recipe says."""
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
