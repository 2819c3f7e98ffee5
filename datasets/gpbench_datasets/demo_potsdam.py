"""Synthetic city blocks with infrared and height, which tell what colours do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpbench.api import Band, DatasetInfo, EvaluationProtocol, Image, Label
from gpbench_datasets._canvas import Canvas, Mask, Values, ground, noise_field, stroke
from gpbench_datasets._colours import by_chance, shade_of
from gpbench_datasets._procedural import SIDE_PX, TILE_PX, Procedural, View
from gpbench_datasets._shapes import Field, sprite

CLASSES = ("impervious_surface", "building", "low_vegetation", "tree", "car", "clutter")
GREEN = (92, 122, 66)
PAVED = (118, 116, 114)
ROOFS = (PAVED, (88, 88, 94), (168, 96, 74), (140, 124, 104))
"""Roofs may be as grey as the street: then only their height tells."""
PER_METRE = 20
"""Grey levels of the height band per metre."""
EVERYWHERE = np.ones((SIDE_PX, SIDE_PX), dtype=bool)


@dataclass(frozen=True)
class Block:
    """A city block in the making; `along` and `across` are distances from the main street."""

    canvas: Canvas
    rng: np.random.Generator
    turn: int
    along: Field
    across: Field

    def surface(self, cover: Field | Mask, values: Values, label: str, rough: float) -> None:
        """Cover a part of the ground with values of all five bands."""
        self.canvas.fill(cover, values, CLASSES.index(label))
        self.canvas.ripple(cover, ground(self.rng, SIDE_PX, 8), rough)

    def scatter(
        self, shape: str, label: str, count: int, radii: tuple[int, int], where: Mask, metres: float
    ) -> None:
        """Put up to `count` things of a height where there is room; tall ones cast long shadows."""
        for _ in range(count):
            radius = int(self.rng.integers(*radii, endpoint=True))
            spot = self.canvas.place(self.rng, 0.8 * radius, where)
            if spot is None:
                continue
            quarter = 0 if shape == "tree" else self.turn + 4 * int(self.rng.integers(4))
            drawn = sprite(shape, radius, quarter % 16, int(self.rng.integers(8)))
            height = PER_METRE * metres * self.rng.uniform(0.75, 1.25)
            for reach in (1, 2) if metres > 2 else (0.5,):
                self.canvas.shade(drawn, spot[0] + 2 * reach, spot[1] + 2 * reach, 0.75)
            self.canvas.paint(drawn, *spot, self.values(label, height), CLASSES.index(label))

    def values(self, label: str, height: float) -> Values:
        """Return one thing's red, green, blue, infrared, height."""
        if label in {"tree", "low_vegetation"}:
            return (*shade_of(GREEN, self.rng), self.rng.normal(182, 10), height)
        if label == "car":
            return (*by_chance(self.rng), self.rng.normal(70, 14), height)
        roof = ROOFS[self.rng.integers(len(ROOFS))]
        return (*shade_of(roof, self.rng), self.rng.normal(84, 10), height)


def _flat_roofs(block: Block, free: Mask) -> None:
    """Put flat-roofed halls beside the street, as grey as it is."""
    for _ in range(2):
        spot = block.canvas.place(block.rng, 13, free)
        if spot is None:
            continue
        along, across = block.canvas.across(spot, block.turn)
        half, wide = block.rng.uniform(9, 13), block.rng.uniform(14, 22)
        shadow = stroke(along - 3, 2 * half) * stroke(across - 3, wide)
        block.canvas.ripple(shadow, -np.ones_like(shadow), 0.35)
        roof = stroke(along, 2 * half) * stroke(across, wide)
        height = PER_METRE * block.rng.uniform(4, 9)
        block.surface(roof, (*shade_of(PAVED, block.rng), 84, height), "building", 0.05)


def _clutter(block: Block, free: Mask) -> None:
    """Put a building site somewhere: mixed rubble of any colour, in heaps."""
    if block.rng.random() > 0.6:
        return
    spot = block.canvas.place(block.rng, 12, free)
    if spot is None:
        return
    drawn = sprite("tree", 14, 0, int(block.rng.integers(8)))
    heaps = np.tile(by_chance(block.rng), (*drawn.cover.shape, 1))
    heaps += block.rng.normal(0, 40, heaps.shape).astype(np.float32)
    rest = block.rng.uniform((50, 5), (120, 40), (*drawn.cover.shape, 2)).astype(np.float32)
    values = np.clip(np.concatenate([heaps, rest], axis=2), 0, 255)
    block.canvas.paint(drawn, *spot, values, CLASSES.index("clutter"))


def draw(view: View) -> tuple[Image, Label]:
    """Return a city block (128, 128, 5): red, green, blue, infrared, height."""
    canvas, rng = Canvas(SIDE_PX, bands=5, toned=4), view.moment
    turn = int(view.place.integers(16))
    along, across = canvas.across(rng.uniform(44, 84, 2), turn)
    block = Block(canvas, rng, turn, along, across)
    lawn = shade_of(GREEN, view.place)
    block.surface(EVERYWHERE, (*lawn, 172, 3), "low_vegetation", 0.22)
    yard = noise_field(rng, SIDE_PX, 3) > 0.12
    block.surface(yard, (*shade_of(PAVED, rng), 88, 1), "impervious_surface", 0.06)
    court = stroke(along - 38, 26) * stroke(across + 34, 20)
    turf = (*shade_of(GREEN, rng), 74, 1)  # artificial: green, and dark in the infrared
    block.surface(court, turf, "impervious_surface", 0.03)
    streets = stroke(across, 18) + stroke(along, 15) * (across > 0)
    streets = np.clip(streets, 0, 1)
    block.surface(streets, (*shade_of(PAVED, rng), 86, 0), "impervious_surface", 0.06)
    canvas.fill(stroke(across, 1) * (along % 12 < 6), (205, 205, 198, 120, 0))
    free = streets < 0.5
    _flat_roofs(block, free)
    block.scatter("house", "building", 5, (12, 19), free, metres=7)
    _clutter(block, free)
    block.scatter("tree", "tree", 12, (6, 12), free, metres=8)
    block.scatter("tree", "low_vegetation", 8, (5, 9), free, metres=0.6)
    block.scatter("car", "car", 12, (6, 7), (streets > 0.5) | yard, metres=1.5)
    return canvas.finished(rng, noise=4)


PLUGIN = Procedural(
    name="demo-potsdam",
    info=DatasetInfo(
        title="Synthetic city blocks with infrared and height, after ISPRS Potsdam",
        version=1,
        bands=tuple(Band(name) for name in ("red", "green", "blue", "infrared", "height")),
        classes=CLASSES,
        licence="CC0-1.0",
        reference="docs/demo-world.md",
        colours=(
            (255, 255, 255),
            (0, 0, 255),
            (0, 255, 255),
            (0, 255, 0),
            (255, 255, 0),
            (255, 0, 0),
        ),
        synthetic=True,
        images_may_be_shown=True,
    ),
    protocol=EvaluationProtocol(
        name="demo",
        version=1,
        metric="mF1",
        tile_px=TILE_PX,
        stride_px=TILE_PX,
        excluded=("clutter",),
    ),
    draw=draw,
    places={"train": 20, "test": 14},
)
