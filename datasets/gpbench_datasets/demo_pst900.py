"""Synthetic tunnels with rare things and a thermal band; the source's colours are exchanged."""

from __future__ import annotations

import numpy as np

from gpbench.api import Band, DatasetInfo, EvaluationProtocol, Image, Label
from gpbench_datasets._canvas import Canvas, Mask, ground
from gpbench_datasets._colours import SOURCE_COLOURS, shade_of
from gpbench_datasets._procedural import SIDE_PX, TILE_PX, Procedural, View
from gpbench_datasets._shapes import Field, sprite

SHAPE_OF = {
    "fire_extinguisher": "bottle",
    "backpack": "pack",
    "hand_drill": "drill",
    "survivor": "person",
}
CLASSES = ("background", *SHAPE_OF)
COLOUR_OF = {
    "fire_extinguisher": "pack",
    "backpack": "drill",
    "hand_drill": "person",
    "survivor": "bottle",
}
"""Class -> whose source colour it has here: each has another's."""
HEAT = {"fire_extinguisher": 62, "backpack": 98, "hand_drill": 118, "survivor": 190}
CLUTTER = ("tree", "tree", "ring", "court", "disc")
"""Rocks, tyres, crates, lids: source shapes in dull colours, all background."""
DULL = ((96, 88, 78), (58, 56, 56), (120, 104, 80), (84, 84, 92))
LIKELY = 0.8
"""Of each class to be in an image, once."""


def _tunnel(canvas: Canvas, view: View) -> Mask:
    """Paint floor, walls and roof around the tunnel's far end; return where things may lie."""
    rng, rows, columns = view.place, canvas.rows, canvas.columns
    row, column, half = rng.uniform(38, 52), rng.uniform(50, 78), rng.uniform(11, 18)
    dy, dx = (rows - row) / half, (columns - column) / (1.25 * half)
    floor = (dy > 1) & (dy >= np.abs(dx))
    roof = (dy < -1) & (-dy >= np.abs(dx))
    far = np.maximum(np.abs(dx), np.abs(dy)) <= 1
    depth = np.maximum(np.maximum(np.abs(dx), np.abs(dy)), 1)
    everywhere = np.ones_like(floor)
    canvas.fill(everywhere, (*(118 + rng.normal(0, 8, 3)), 84))
    canvas.fill(floor, (*(112 + rng.normal((10, 0, -14), 7, 3)), 78))
    canvas.fill(roof, (*(86 + rng.normal(0, 6, 3)), 92))
    canvas.fill(far, (30, 32, 38, 70))
    ribs = ~far & ~floor & (np.log(depth) % 0.34 < 0.06)
    canvas.fill(ribs, (70, 66, 62, 82))
    canvas.ripple(everywhere, ground(rng, SIDE_PX, 7), 0.3)
    _pipe(canvas, (dx * 0.8 - dy, dx + dy), ~far & ~floor, hot=bool(rng.random() < 0.5))
    near = (rows > row + 1.6 * half) & (rows < SIDE_PX - 12) & (np.abs(columns - 63.5) < 50)
    return np.asarray(near)


def _pipe(canvas: Canvas, edges: tuple[Field, Field], walls: Mask, *, hot: bool) -> None:
    """Paint a pipe along the upper right edge of the tunnel, and a cable along the left one."""
    pipe, cable = edges
    lit = 1 - 1.5 * np.abs(pipe - 0.3)[:, :, None]
    values = lit * np.array([132, 134, 138], dtype=np.float32)
    heat = np.full((*pipe.shape, 1), 172 if hot else 74, dtype=np.float32)
    right = walls & (np.abs(pipe - 0.3) < 0.16) & (cable > 0)
    canvas.fill(right, np.concatenate([values, heat], axis=2))


def _clutter(canvas: Canvas, floor: Mask, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(5, 10)):
        spot = canvas.place(rng, 5, floor)
        if spot:
            shape = CLUTTER[rng.integers(len(CLUTTER))]
            radius = round(4 + 0.08 * spot[0])
            drawn = sprite(shape, radius, int(rng.integers(16)), int(rng.integers(8)))
            colour = shade_of(DULL[rng.integers(len(DULL))], rng)
            canvas.shade(drawn, spot[0] + 2, spot[1] + 1, 0.5)
            canvas.paint(drawn, *spot, (*colour, 80 + rng.normal(0, 6)))


def _find(canvas: Canvas, name: str, floor: Mask, rng: np.random.Generator) -> None:
    """Paint one of the things looked for; survivors lie, the others stand more or less."""
    radius = int(rng.integers(14, 21)) + 4 * (name == "survivor")
    spot = canvas.place(rng, 0.7 * radius, floor)
    if spot:
        turn = 4 * int(rng.choice([-1, 1])) if name == "survivor" else int(rng.integers(-1, 2))
        drawn = sprite(SHAPE_OF[name], radius, turn % 16, int(rng.integers(2)))
        colour = shade_of(SOURCE_COLOURS[COLOUR_OF[name]], rng)
        canvas.shade(drawn, spot[0] + 2, spot[1] + 1, 0.5)
        heat = HEAT[name] + rng.normal(0, 6)
        canvas.paint(drawn, *spot, (*colour, heat), CLASSES.index(name))


def _lamp(canvas: Canvas, rng: np.random.Generator) -> None:
    """Light the picture by a lamp on the helmet: bright in the middle, dim at the corners."""
    row, column = rng.uniform(64, 92), rng.uniform(48, 80)
    distance = np.hypot(canvas.rows - row, canvas.columns - column)
    light = 0.4 + 0.85 * np.exp(-((distance / 62) ** 2))
    canvas.values[:, :, :3] *= light[:, :, None]


def draw(view: View) -> tuple[Image, Label]:
    """Return a tunnel (128, 128, 4): red, green, blue, thermal."""
    canvas, rng = Canvas(SIDE_PX, bands=4), view.moment
    floor = _tunnel(canvas, view)
    for name in SHAPE_OF:
        if rng.random() < LIKELY:
            _find(canvas, name, floor, rng)
    _clutter(canvas, floor, rng)
    _lamp(canvas, rng)
    return canvas.finished(rng, noise=4, dtype=np.uint16)


PLUGIN = Procedural(
    name="demo-pst900",
    info=DatasetInfo(
        title="Synthetic tunnels with rare objects, after PST900",
        version=1,
        bands=(Band("red"), Band("green"), Band("blue"), Band("thermal")),
        classes=CLASSES,
        licence="CC0-1.0",
        reference="docs/demo-world.md",
        colours=((70, 66, 62), *(SOURCE_COLOURS[shape] for shape in COLOUR_OF.values())),
        synthetic=True,
        images_may_be_shown=True,
    ),
    protocol=EvaluationProtocol(
        name="demo", version=1, metric="mIoU", tile_px=TILE_PX, stride_px=TILE_PX
    ),
    draw=draw,
    places={"train": 20, "test": 14},
)
