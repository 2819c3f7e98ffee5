"""Synthetic street scenes by day and night with a thermal band; colours say nothing."""

from __future__ import annotations

import numpy as np

from gpbench.api import Band, DatasetInfo, EvaluationProtocol, Image, Label
from gpbench_datasets._canvas import Canvas, ground, stroke
from gpbench_datasets._colours import by_chance
from gpbench_datasets._procedural import SIDE_PX, TILE_PX, Procedural, View
from gpbench_datasets._shapes import Sprite, sprite

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
    warm = 45 if view.name == "day" else 0
    rng, rows, columns = view.place, canvas.rows, canvas.columns
    everywhere = np.ones((SIDE_PX, SIDE_PX), dtype=bool)
    canvas.fill(everywhere, (150, 185, 225, 15))
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
    depth = (rows - HORIZON) / (SIDE_PX - HORIZON)
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


def _heat(name: str, drawn: Sprite, day: bool, rng: np.random.Generator) -> np.ndarray:  # noqa: FBT001
    ...
