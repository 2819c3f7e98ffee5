"""The things of the embedded world, as small drawings: what is where, and how light it is there.

Every shape is a function of unit coordinates, x to the right and y down, that fills about
[-1, 1] x [-1, 1]: it returns a distance to its outline (negative inside) and a tone (1: the
colour it is painted in, less: darker). Seen from above, a shape points along x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
TURNS = 16
"""Sprites are turned in steps of a full turn / 16, so that equal ones are drawn once."""
MARGIN_PX = 1.5


@dataclass(frozen=True)
class Sprite:
    """A drawn shape (n, n): `cover` in [0, 1] is how much of a pixel it fills, `tone` is light."""

    cover: Field
    tone: Field


@lru_cache(maxsize=512)
def sprite(shape: str, radius_px: int, turn: int = 0, variant: int = 0) -> Sprite:
    """Return a shape of a half-width in pixels, turned by `turn` sixteenths of a full turn.

    Odd variants are mirrored; shapes that grow (trees) differ from variant to variant.
    """
    reach = int(np.ceil(radius_px + MARGIN_PX))
    across = np.arange(-reach, reach + 1, dtype=np.float32) / np.float32(radius_px)
    angle = 2 * np.pi * turn / TURNS
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x = across[None, :] * cos + across[:, None] * sin
    y = across[:, None] * cos - across[None, :] * sin
    distance, tone = SHAPES[shape](-x if variant % 2 else x, y, variant)
    cover = np.clip(0.5 - distance * radius_px, 0, 1, dtype=np.float32)
    return Sprite(cover, np.asarray(tone, dtype=np.float32) + np.zeros_like(cover))


def _box(x: Field, y: Field, left: float, right: float, top: float, bottom: float) -> Field:
    dx = np.abs(x - (left + right) / 2) - (right - left) / 2
    dy = np.abs(y - (top + bottom) / 2) - (bottom - top) / 2
    return np.asarray(np.maximum(dx, dy))


def _circle(x: Field, y: Field, column: float, row: float, radius: float) -> Field:
    return np.asarray(np.hypot(x - column, y - row) - radius)


def _union(*parts: Field) -> Field:
    return np.asarray(np.minimum.reduce(parts))


def _lit(*patches: tuple[Field, float]) -> Field:
    """Return tone 1 except inside the patches (by their distance), where it is as given."""
    tone = np.ones_like(patches[0][0])
    for distance, light in patches:
        tone[distance < 0] = light
    return tone


def _disc(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    radius = np.hypot(x, y)
    tone = 1 - 0.22 * (x + y)
    tone[np.abs(radius - 0.55) < 0.07] *= 0.8
    return radius - 0.9, tone


def _ring(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    radius = np.hypot(x, y)
    return np.abs(radius - 0.66) - 0.27, 1.1 - 0.4 * np.abs(radius - 0.66)


def _boat(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    half = 0.36 * np.clip((0.98 - x) / 0.8, 0, 1) ** 0.6
    hull = np.maximum(np.abs(y) - half, np.abs(x) - 0.9)
    cabin, deck = _box(x, y, -0.6, -0.1, -0.2, 0.2), np.abs(y) - 0.07
    return hull, _lit((deck, 0.75), (cabin, 1.35))


def _plane(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    spread = np.abs(y)
    body = np.maximum(spread - 0.13, np.abs(x) - 0.95)
    wings = np.maximum(np.abs(x - 0.1 + 0.45 * spread) - 0.19, spread - 0.93)
    tail = np.maximum(np.abs(x + 0.72 + 0.35 * spread) - 0.11, spread - 0.42)
    return _union(body, wings, tail), _lit((spread - 0.06, 1.15), (0.2 - spread, 0.88))


def _car(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    windscreen, rear = _box(x, y, 0.12, 0.4, -0.36, 0.36), _box(x, y, -0.66, -0.5, -0.34, 0.34)
    body = np.hypot(np.maximum(np.abs(x) - 0.72, 0), np.maximum(np.abs(y) - 0.3, 0)) - 0.2
    return body, _lit((windscreen, 0.4), (rear, 0.5))


def _court(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    edge = np.abs(_box(x, y, -0.78, 0.78, -0.44, 0.44)) - 0.06
    middle = _box(x, y, -0.05, 0.05, -0.44, 0.44)
    return _box(x, y, -0.95, 0.95, -0.6, 0.6), _lit((_union(edge, middle), 1.6))


def _house(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    long_wing, short_wing = _box(x, y, -0.9, 0.9, 0, 0.8), _box(x, y, -0.9, -0.1, -0.85, 0.8)
    tone = np.where(y < 0.4, np.float32(1.15), np.float32(0.72))
    upper = (short_wing < 0) & (y < 0.4 - np.abs(x + 0.5))
    tone[upper] = np.where(x[upper] < -0.5, np.float32(1.05), np.float32(0.8))
    return _union(long_wing, short_wing), tone


def _tree(x: Field, y: Field, variant: int) -> tuple[Field, Field]:
    angle = np.arctan2(y, x)
    rim = 0.8 + 0.09 * np.sin(5 * angle + variant) + 0.06 * np.sin(8 * angle + 2.3 * variant)
    leaves = np.sin(9 * x + variant) * np.sin(8 * y + 2 * variant)
    return np.hypot(x, y) - rim, 1 - 0.3 * (x + y) + 0.22 * leaves


def _van(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    body = _box(x, y, -0.95, 0.95, -0.05, 0.42)
    cabin = np.maximum(np.abs(x + 0.1) - 0.62 - 0.5 * (y + 0.05), np.abs(y + 0.28) - 0.28)
    windows = np.maximum(cabin + 0.1, 0.05 - np.abs(x + 0.1))
    wheels = _union(_circle(x, y, -0.55, 0.42, 0.22), _circle(x, y, 0.55, 0.42, 0.22))
    return _union(body, cabin, wheels), _lit((windows, 0.4), (wheels, 0.2))


def _person(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    head = _circle(x, y, 0, -0.74, 0.21)
    trunk = np.maximum(np.abs(x) - 0.3 + 0.12 * np.abs(y + 0.2), np.abs(y + 0.15) - 0.42)
    legs = np.maximum(np.abs(np.abs(x) - 0.16) - 0.12, np.abs(y - 0.55) - 0.4)
    return _union(head, trunk, legs), _lit((head, 1.3), (legs, 0.6))


def _bike(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    wheels = np.abs(np.hypot(np.abs(x) - 0.54, y - 0.36) - 0.34) - 0.09
    frame = np.maximum(np.abs(np.abs(x) - 0.4 + 0.45 * y) - 0.1, np.abs(y + 0.02) - 0.4)
    bar = _union(_box(x, y, -0.4, 0.5, -0.3, -0.14), _box(x, y, 0.3, 0.62, -0.5, -0.36))
    return _union(wheels, frame, bar), _lit((wheels, 0.7))


def _bottle(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    body = np.hypot(x, np.maximum(np.abs(y - 0.2) - 0.42, 0)) - 0.34
    neck = _box(x, y, -0.12, 0.12, -0.92, -0.4)
    hose = _box(x, y, 0, 0.5, -0.92, -0.76)
    tone = 1.2 - 4 * x * x
    tone[_box(x, y, -0.34, 0.34, 0.05, 0.4) < 0] *= 1.35
    tone[_union(neck, hose) < 0] = 0.45
    return _union(body, neck, hose), tone


def _pack(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    bag = np.hypot(np.maximum(np.abs(x) - 0.42, 0), np.maximum(np.abs(y - 0.12) - 0.56, 0)) - 0.22
    loop = np.abs(_circle(x, y, 0, -0.72, 0.2)) - 0.07
    pocket = np.abs(_box(x, y, -0.4, 0.4, 0.15, 0.68)) - 0.05
    flap = _box(x, y, -0.64, 0.64, -0.32, -0.22)
    return _union(bag, loop), _lit((_union(pocket, flap), 0.55))


def _drill(x: Field, y: Field, _: int) -> tuple[Field, Field]:
    barrel = _box(x, y, -0.75, 0.55, -0.66, -0.16)
    bit = _box(x, y, 0.55, 1, -0.48, -0.32)
    handle = np.maximum(np.abs(x + 0.4 + 0.15 * y) - 0.2, np.abs(y - 0.25) - 0.45)
    battery = _box(x, y, -0.85, 0.05, 0.6, 0.95)
    return _union(barrel, bit, handle, battery), _lit((bit, 0.5), (battery, 0.45), (handle, 0.85))


SHAPES: dict[str, Callable[[Field, Field, int], tuple[Field, Field]]] = {
    "disc": _disc,
    "ring": _ring,
    "boat": _boat,
    "plane": _plane,
    "car": _car,
    "court": _court,
    "house": _house,
    "tree": _tree,
    "van": _van,
    "person": _person,
    "bike": _bike,
    "bottle": _bottle,
    "pack": _pack,
    "drill": _drill,
}
UPRIGHT = frozenset({"van", "person", "bike", "bottle", "pack", "drill"})
"""Seen from the side: they stand more or less upright wherever they occur."""
