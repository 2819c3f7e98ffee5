"""Synthetic street scenes by day and night with a thermal band; colours say nothing."""

from __future__ import annotations

import numpy as np

from gpbench.api import Band, DatasetInfo, EvaluationProtocol, Image, Label
from gpbench_datasets._canvas import Canvas, ground, stroke
from gpbench_datasets._colours import by_chance
from gpbench_datasets._procedural import SIDE_PX, TILE_PX, Procedural, View
from gpbench_datasets._shapes import sprite

CLASSES = ("unlabelled", "car", "person", "bike")
SHAPE_OF = {"car": "van", "person": "person", "bike": "bike"}
SIZES = {"car": (10, 20), "person": (9, 19), "bike": (7, 15)}
"""Half-widths in pixels: far away, and how much more at the lower edge."""
LIKELY = {"car": 0.4, "person": 0.3, "bike": 0.18, "statue": 0.12}
HEAT = {"car": 150, "person": 215, "bike": 70, "statue": 85}
"""Of the engine, the skin and the rest. A statue looks like a person, is cold, and unlabelled."""
HORIZON = 46
NIGHT_LIGHT = 0.2


def _street(canvas: Canvas, view: View) -> None:
    """Paint sky, houses, pavement and road: the same in all views of a place."""
    warm, sky = (45, (150, 185, 225, 15)) if view.name == "day" else (0, (60, 66, 95, 15))
    rng, rows, columns = view.place, canvas.rows, canvas.columns
    everywhere = np.ones((SIDE_PX, SIDE_PX), dtype=bool)
    canvas.fill(everywhere, sky)
    left = -5.0
    while left < SIDE_PX:
        width, top = rng.uniform(14, 34), rng.uniform(4, 34)
        wall = (columns >= left) & (columns < left + width) & (rows >= top)
        grey = rng.uniform(90, 175) + rng.normal(0, 14, 3)
        canvas.fill(wall, (*grey, 80 + warm * rng.uniform(0.3, 1)))
        window = wall & ((columns - left) % 7 > 3.5) & ((rows - top) % 9 > 4)
        canvas.fill(window, (*(0.55 * grey), 95 + 0.5 * warm))
        left += width
    middle, spread = rng.uniform(52, 76), rng.uniform(0.75, 0.95)
    below = rows > HORIZON
    depth = np.maximum(rows - HORIZON, 0) / (SIDE_PX - HORIZON)
    canvas.fill(below, (150, 146, 140, 88 + 0.8 * warm))
    canvas.ripple(below, ground(rng, SIDE_PX, 10), 0.1)
    road = below & (np.abs(columns - middle) < 8 + 62 * spread * depth)
    canvas.fill(road, (84, 85, 90, 80 + warm))
    canvas.ripple(road, ground(rng, SIDE_PX, 8), 0.1)
    dashes = stroke(columns - middle, 3) * (below & ((40 * depth**0.5) % 8 < 4))
    canvas.fill(dashes, (220, 220, 210, 84 + warm))
    for side in (-1, 1):
        row, column = HORIZON + rng.uniform(-4, 4), middle + side * rng.uniform(30, 55)
        canvas.paint(sprite("tree", 14, 0, int(rng.integers(8))), row, column, (62, 110, 50, 55))


def _thing(canvas: Canvas, name: str, rng: np.random.Generator, row: float) -> tuple[float, float]:
    """Paint one thing that stands at a row: the lower, the larger. Return where its middle is."""
    near = (row - HORIZON) / (SIDE_PX - HORIZON)
    kind = "person" if name == "statue" else name
    radius = round(SIZES[kind][0] + SIZES[kind][1] * near)
    drawn = sprite(SHAPE_OF[kind], radius, 0, int(rng.integers(2)))
    heat = np.full(drawn.cover.shape, HEAT[name] + rng.normal(0, 8), dtype=np.float32)
    if name == "car":
        heat[: len(heat) // 2] -= 60  # cool windows above a warm engine
    colour = np.broadcast_to(by_chance(rng), (*heat.shape, 3))
    middle, column = row - 0.6 * radius, rng.uniform(4, SIDE_PX - 4)
    values = np.concatenate([colour, heat[:, :, None]], axis=2)
    canvas.paint(drawn, middle, column, values, CLASSES.index(name) if name in CLASSES else 0)
    return middle, column


def _night(canvas: Canvas, lamps: list[tuple[float, float]], rng: np.random.Generator) -> None:
    """Darken the colours, except around street lamps and the lights of cars."""
    light = np.full((SIDE_PX, SIDE_PX), NIGHT_LIGHT, dtype=np.float32)
    street = [(HORIZON - 18, column, 20) for column in rng.uniform(8, SIDE_PX - 8, 2)]
    for row, column, reach in (*street, *((row, column, 6) for row, column in lamps)):
        distance = (canvas.rows - row) ** 2 + (canvas.columns - column) ** 2
        light += 0.55 * np.exp(-distance / (2 * reach**2))
    tint = np.array([1.05, 0.97, 0.8], dtype=np.float32)
    canvas.values[:, :, :3] *= light[:, :, None] * tint


def draw(view: View) -> tuple[Image, Label]:
    """Return a street (128, 128, 4): red, green, blue, thermal."""
    canvas, rng = Canvas(SIDE_PX, bands=4), view.moment
    _street(canvas, view)
    names = rng.choice(list(LIKELY), size=rng.integers(5, 9), p=list(LIKELY.values()))
    rows = np.sort(HORIZON + (SIDE_PX - HORIZON) * rng.uniform(0.08, 1, len(names)))
    spots = [
        (str(name), _thing(canvas, str(name), rng, row))
        for name, row in zip(names, rows, strict=True)
    ]
    if view.name == "night":
        _night(canvas, [spot for name, spot in spots if name == "car"], rng)
    return canvas.finished(rng, noise=5)


PLUGIN = Procedural(
    name="demo-mfnet",
    info=DatasetInfo(
        title="Synthetic streets by day and night, after MFNet",
        version=1,
        bands=(Band("red"), Band("green"), Band("blue"), Band("thermal")),
        classes=CLASSES,
        licence="CC0-1.0",
        reference="docs/demo-world.md",
        colours=((90, 90, 96), (64, 96, 200), (230, 110, 50), (60, 170, 90)),
        synthetic=True,
        images_may_be_shown=True,
    ),
    protocol=EvaluationProtocol(
        name="demo", version=1, metric="mIoU", tile_px=TILE_PX, stride_px=TILE_PX
    ),
    draw=draw,
    places={"train": 20, "test": 14},
    views=("day", "night"),
    tags={"day": ("day",), "night": ("night",)},
)
