"""Control: supervised classification of RGB images whose extra bands are mixtures of the three.

Our reading of the band generation in arXiv 2512.02643, a pre-training for pansharpening, known to
us from a summary. Its high-pass filtering is left out; jitter is the recipe's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor

from gpbench.api import Draws, Phase, PhaseContext, RoleBatch, Strategy
from gpbench.parts.bands import Rows, band_mixtures, bands
from gpbench.parts.classification import Classification
from gpbench.parts.views import standard_views


@dataclass(frozen=True)
class Params:
    rows: Rows = "sample"
    """Mixtures of their own for every image, or the same for all images of the step."""
    shuffle: bool = False
    """Whether every image's bands change places."""


class SimulatedBands:
    title = "Simulated-bands pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "target"
    assumed: tuple[str, ...] = ("rows", "shuffle")

    def phases(self, params: Params) -> list[Phase]:
        return [Phase("supervised", source="labelled", task=partial(Task, params))]


class Task(Classification):
    """Cross-entropy of the class of a view with simulated bands."""

    def __init__(self, params: Params, context: PhaseContext) -> None:
        super().__init__(context)
        self.params, self.in_chans = params, context.in_chans

    def view(self, role: RoleBatch, draws: Draws) -> Tensor:
        views = standard_views(role, draws, self.recipe)
        params = self.params
        mixtures = band_mixtures(
            len(views), self.in_chans, draws, rows=params.rows, shuffle=params.shuffle
        )
        return bands(views, mixtures)


PLUGIN: Strategy = SimulatedBands()
