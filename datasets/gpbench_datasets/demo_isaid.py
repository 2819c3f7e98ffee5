"""Synthetic aerial images with many small objects, in the colours of the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gpbench.api import Band, DatasetInfo, EvaluationProtocol, Image, Label
from gpbench_datasets._canvas import Canvas, Mask, ground, noise_field, stroke
from gpbench_datasets._colours import SOURCE_COLOURS, habitual
from gpbench_datasets._procedural import SIDE_PX, TILE_PX, Procedural, View
from gpbench_datasets._shapes import TURNS, Field, sprite

SHAPE_OF = {
    "ship": "boat",
    "storage_tank": "disc",
    "plane": "plane",
    "small_vehicle": "car",
    "roundabout": "ring",
    "tennis_court": "court",
}
"""Class -> shape of the source. Houses and trees are background here."""
CLASSES = ("background", *SHAPE_OF)
LABELS = {shape: CLASSES.index(name) for name, shape in SHAPE_OF.items()}
HABIT = 0.95
EVERYWHERE = np.ones((SIDE_PX, SIDE_PX), dtype=bool)


@dataclass(frozen=True)
class Site:
    """A place in the making; `turn` is the direction in which things lie there."""

    canvas: Canvas
    rng: np.random.Generator
    turn: int
    across: Field
    """Distance from the line through the middle of the place (H, W)."""

    def scatter(
        self, shape: str, count: int, radii: tuple[int, int], where: Mask = EVERYWHERE
    ) -> None:
        """Put up to `count` things of a shape where there is room."""
        for _ in range(count):
            radius = int(self.rng.integers(*radii, endpoint=True))
            spot = self.canvas.place(self.rng, 0.85 * radius, where)
            if spot:
                self.put(shape, radius, *spot, self.turn + 4 * int(self.rng.integers(4)))

    def put(self, shape: str, radius: int, row: float, column: float, turn: int) -> None:
        """Paint one thing and its shadow, mostly in the colour of its shape in the source."""
        drawn = sprite(shape, radius, turn % TURNS, int(self.rng.integers(8)))
        self.canvas.shade(drawn, row + 1.4, column + 1.4)
        colour = habitual(shape, self.rng, HABIT)
        self.canvas.paint(drawn, row, column, colour, LABELS.get(shape, 0))

    def surface(self, cover: Field | Mask, colour: tuple[int, int, int], rough: float) -> None:
        """Cover a part of the ground."""
        self.canvas.fill(cover, colour)
        self.canvas.ripple(cover, ground(self.rng, SIDE_PX, 6), rough)

    def road(self, across: Field, width_px: float) -> Mask:
        """Draw a road with a broken middle line; return where it is."""
        self.surface(stroke(across, width_px), (92, 92, 96), 0.06)
        broken = (self.canvas.rows + self.canvas.columns) % 14 < 7
        self.canvas.fill(stroke(across, 1) * broken, (200, 200, 190))
        return np.abs(across) < width_px / 2


def _harbour(site: Site) -> None:
    shore = site.across + 14 * noise_field(site.rng, SIDE_PX, 4)
    sea = shore < 0
    site.surface(shore < 6, (190, 175, 135), 0.08)
    site.surface(sea, (38, 78, 118), 0.12)
    _, along = site.canvas.across((64, 64), site.turn + 4)
    for offset in (-30, 25):
        pier = stroke(along - offset, 7) * (site.across > -34) * (shore < 8)
        site.surface(pier, (150, 148, 142), 0.05)
    site.scatter("boat", 12, (6, 12), sea & (shore < -9))
    land = shore > 12
    site.scatter("disc", 4, (7, 11), land)
    site.scatter("house", 4, (8, 12), land)
    site.scatter("car", 6, (5, 6), land)
    site.scatter("tree", 8, (4, 7), land)


def _airfield(site: Site) -> None:
    runway = site.across - 34
    site.surface(stroke(runway, 24), (98, 98, 100), 0.06)
    dashes = stroke(runway, 2) * ((site.canvas.rows - site.canvas.columns) % 16 < 8)
    site.canvas.fill(dashes, (225, 225, 220))
    apron = (site.across < 14) & (site.across > -46)
    site.surface(apron, (158, 156, 150), 0.07)
    site.scatter("plane", 8, (9, 14), apron & (site.across < 6))
    site.scatter("car", 7, (5, 6), apron)
    site.scatter("disc", 2, (6, 9), site.across < -46)
    site.scatter("tree", 8, (4, 7), (site.across < -48) | (site.across > 50))


def _town(site: Site) -> None:
    row, column = site.rng.uniform(40, 88, 2)
    _, first = site.canvas.across((row, column), site.turn)
    _, second = site.canvas.across((row, column), site.turn + 4)
    roads = site.road(first, 13) | site.road(second, 13)
    for distance, radius in ((0, 17), (site.rng.choice([-46, 46]), 13)):
        angle = 2 * np.pi * site.turn / TURNS
        centre = row + distance * np.sin(angle), column + distance * np.cos(angle)
        site.canvas.take(*centre, radius)
        site.put("ring", radius, *centre, 0)
    site.scatter("car", 12, (5, 6), roads)
    free = (np.abs(first) > 17) & (np.abs(second) > 17)
    site.scatter("court", 4, (10, 14), free)
    site.scatter("house", 7, (9, 13), free)
    site.scatter("tree", 12, (4, 8), free)


def _works(site: Site) -> None:
    road = site.road(site.across - 40, 13)
    yard = site.across < 28
    site.surface(yard, (150, 140, 124), 0.1)
    _, across = site.canvas.across((64, 64), site.turn + 4)
    for offset in (-36, -32):
        site.canvas.fill(stroke(across - offset, 1.4) * yard, (84, 74, 66))
    site.scatter("disc", 10, (6, 12), yard & (across > -22))
    site.scatter("car", 9, (5, 6), road | yard)
    site.scatter("court", 1, (11, 13), site.across > 50)
    site.scatter("house", 3, (9, 13))
    site.scatter("tree", 6, (4, 7), site.across > 48)


KINDS: tuple[Callable[[Site], None], ...] = (_harbour, _airfield, _town, _works)


def draw(view: View) -> tuple[Image, Label]:
    """Return a harbour, an airfield, a town or a works, seen from above."""
    canvas = Canvas(SIDE_PX)
    turn, soil = int(view.place.integers(TURNS)), view.place.normal((104, 118, 78), 9)
    _, across = canvas.across(view.moment.uniform(58, 70, 2), turn)
    site = Site(canvas, view.moment, turn, across)
    canvas.fill(EVERYWHERE, soil)
    canvas.ripple(EVERYWHERE, ground(view.moment, SIDE_PX, 5), 0.28)
    KINDS[view.number % len(KINDS)](site)
    return canvas.finished(view.moment, noise=4)


PLUGIN = Procedural(
    name="demo-isaid",
    info=DatasetInfo(
        title="Synthetic aerial objects, after iSAID",
        version=1,
        bands=(Band("red"), Band("green"), Band("blue")),
        classes=CLASSES,
        licence="CC0-1.0",
        reference="docs/demo-world.md",
        colours=((96, 104, 80), *(SOURCE_COLOURS[shape] for shape in SHAPE_OF.values())),
        synthetic=True,
        images_may_be_shown=True,
    ),
    protocol=EvaluationProtocol(
        name="demo", version=1, metric="mIoU", tile_px=TILE_PX, stride_px=TILE_PX
    ),
    draw=draw,
    places={"train": 20, "test": 14},
)
