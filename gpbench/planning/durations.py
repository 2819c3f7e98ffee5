"""How long stages will run, by what stages like them took. Pure."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from gpbench.core.stage import Kind, PretrainSpec, StageSpec
from gpbench.planning.estimate import images_shown

SECONDS_PER_IMAGE = 0.01
"""Where nothing of a kind was ever measured: only the order of the stages depends on it."""


class Pace:
    """What is known of how long stages take; learns as stages end."""

    def __init__(self, past: Iterable[tuple[StageSpec, float]] = ()) -> None:
        """Begin with stages that were done, and the seconds that they took."""
        self._alike: dict[Hashable, list[float]] = defaultdict(list)
        self._per_image: dict[Kind, list[float]] = defaultdict(list)
        for spec, seconds in past:
            self.add(spec, seconds)

    def add(self, spec: StageSpec, seconds: float) -> None:
        """Take note of a stage that was done."""
        insort(self._alike[shape(spec)], seconds)
        if images := images_shown(spec):
            insort(self._per_image[spec.kind], seconds / images)

    def seconds(self, spec: StageSpec) -> float | None:
        """Return about how long a stage runs; None: no stage of its kind was done yet.

        The median of the stages of its shape; where there is none, the images that it shows times
        the median seconds per image of its kind.
        """
        if alike := self._alike.get(shape(spec)):
            return _middle(alike)
        if per_image := self._per_image.get(spec.kind):
            return images_shown(spec) * _middle(per_image)
        return None


def expected_seconds(
    specs: Iterable[StageSpec], past: Sequence[tuple[StageSpec, float]]
) -> dict[str, float]:
    """Return key -> about how many seconds each stage will run.

    Args:
        specs: The stages that are to be run.
        past: Stages that were done, and the seconds that they took.
    """
    pace = Pace(past)
    expected = {}
    for spec in specs:
        known = pace.seconds(spec)
        expected[spec.key] = images_shown(spec) * SECONDS_PER_IMAGE if known is None else known
    return expected


def shape(spec: StageSpec) -> Hashable:
    """Return what decides how long a stage runs on one machine: all but seeds and numbers."""
    recipe = spec.recipe
    common = (
        *(spec.kind, spec.backbone, spec.in_chans, spec.numerics),
        *(recipe.steps, recipe.batch, recipe.crop_px),
    )
    if isinstance(spec, PretrainSpec):
        sources = tuple((source.role, source.source.name) for source in spec.sources)
        return (*common, spec.strategy.name, spec.phase, sources)
    dataset = spec.dataset
    return (*common, dataset.plugin.name, dataset.info.title, spec.recipe.head)


def _middle(ordered: Sequence[float]) -> float:
    """Return the median of numbers in order."""
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2
