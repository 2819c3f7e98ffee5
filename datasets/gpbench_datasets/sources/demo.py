"""A synthetic source: single things whose class is a shape and, by habit, a colour; and scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpbench.api import DataError, Role, SourceImage, SourceInfo, SourceRef, derive_seed
from gpbench_datasets._canvas import Canvas, Values, ground, stroke
from gpbench_datasets._colours import HABIT, habitual
from gpbench_datasets._shapes import SHAPES, TURNS, UPRIGHT, sprite

SIDE_PX = 64
PER_CLASS = 180
PER_SCENE = 100
UNLABELLED = 800


@dataclass(frozen=True)
class Scene:
    """A kind of place. The more often a thing is named, the more of it lies there."""

    ground: tuple[int, int, int]
    things: tuple[str, ...]
    road: bool = False


SCENES: Mapping[str, Scene] = {
    "airfield": Scene((120, 122, 118), ("plane", "plane", "plane", "car"), road=True),
    "forest": Scene((70, 90, 55), ("tree",)),
    "harbour": Scene((40, 75, 110), ("boat",)),
    "housing": Scene((105, 125, 80), ("house", "house", "tree", "car"), road=True),
    "parking": Scene((95, 95, 100), ("car", "car", "car", "tree")),
    "roundabouts": Scene((100, 115, 80), ("ring", "car", "tree"), road=True),
    "sports": Scene((95, 130, 75), ("court", "court", "tree")),
    "tanks": Scene((140, 132, 118), ("disc", "disc", "disc", "car")),
}


class Demo:
    """Images 64 x 64, each made from its name alone. `root` is not looked at."""

    info = SourceInfo(
        title="Synthetic shapes with habitual colours",
        version=1,
        roles=("labelled", "unlabelled", "scenes"),
        licence="CC0-1.0",
        reference="docs/demo-world.md",
        synthetic=True,
    )

    def images(self, root: Path, role: Role) -> Sequence[SourceRef]:  # noqa: ARG002  procedural
        """Return the images of a role; classes are the shapes, or the kinds of scene."""
        if role == "unlabelled":
            return [SourceRef(f"unlabelled/{i:04d}") for i in range(UNLABELLED)]
        classes, each = (SHAPES, PER_CLASS) if role == "labelled" else (SCENES, PER_SCENE)
        return [
            SourceRef(f"{role}/{name}/{i:04d}", label)
            for label, name in enumerate(classes)
            for i in range(each)
        ]

    def read(
        self,
        root: Path,  # noqa: ARG002  procedural
        ref: SourceRef,
        least_px: int | None = None,  # noqa: ARG002  small as it is
    ) -> SourceImage:
        """Return the image (64, 64, 3) that belongs to a name."""
        role, _, rest = ref.name.partition("/")
        kind = rest.partition("/")[0]
        rng = np.random.default_rng(derive_seed("demo source", ref.name))
        if role == "labelled" and kind in SHAPES:
            return _single(kind, rng)
        if role == "scenes" and kind in SCENES:
            return _place(SCENES[kind], rng)
        if role == "unlabelled":
            return _place(list(SCENES.values())[rng.integers(len(SCENES))], rng)
        raise DataError(f"the demo source has no image '{ref.name}'")


def _single(shape: str, rng: np.random.Generator) -> SourceImage:
    canvas = Canvas(SIDE_PX)
    _cover_ground(canvas, rng.uniform(50, 190) + rng.normal(0, 18, 3), rng)
    radius = int(rng.integers(13, 27))
    lean = int(rng.integers(-1, 2)) if shape in UPRIGHT else int(rng.integers(TURNS))
    drawn = sprite(shape, radius, lean % TURNS, int(rng.integers(8)))
    row, column = rng.uniform(radius, SIDE_PX - radius, 2)
    canvas.shade(drawn, row + 2, column + 2)
    canvas.paint(drawn, row, column, habitual(shape, rng, HABIT))
    return canvas.finished(rng, noise=5)[0]


def _place(scene: Scene, rng: np.random.Generator) -> SourceImage:
    canvas = Canvas(SIDE_PX)
    _cover_ground(canvas, scene.ground + rng.normal(0, 10, 3), rng)
    heading = int(rng.integers(TURNS))
    if scene.road:
        _, across = canvas.across(rng.uniform(10, 54, 2), heading)
        canvas.fill(stroke(across, 9), (88, 88, 92))
        canvas.fill(stroke(across, 1), (190, 190, 180))
    for _ in range(rng.integers(6, 11)):
        shape = scene.things[rng.integers(len(scene.things))]
        radius = int(rng.integers(5, 10))
        spot = canvas.place(rng, 0.8 * radius)
        if spot:
            turned = (heading + 4 * int(rng.integers(4))) % TURNS
            drawn = sprite(shape, radius, turned, int(rng.integers(4)))
            canvas.shade(drawn, spot[0] + 1, spot[1] + 1)
            canvas.paint(drawn, *spot, habitual(shape, rng, HABIT))
    return canvas.finished(rng, noise=5)[0]


def _cover_ground(canvas: Canvas, colour: Values, rng: np.random.Generator) -> None:
    everywhere = np.ones((SIDE_PX, SIDE_PX), dtype=bool)
    canvas.fill(everywhere, colour)
    canvas.ripple(everywhere, ground(rng, SIDE_PX, 3), 0.3)


PLUGIN = Demo()
