"""A picture in the making: bands and labels that shapes are painted on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.api import Image, Label
from gpbench_datasets._shapes import Field, Sprite

Mask = NDArray[np.bool_]
Values = Sequence[float] | NDArray[np.floating[Any]]


class Canvas:
    """Values (H, W, C) in 0..255 and labels (H, W), painted from back to front.

    `toned` is how many of the first bands show light and shade; the others (heat, height) do not.
    """

    def __init__(self, side_px: int, bands: int = 3, toned: int = 3) -> None:
        self.values = np.zeros((side_px, side_px, bands), dtype=np.float32)
        self.label = np.zeros((side_px, side_px), dtype=np.uint8)
        self.side_px, self.toned = side_px, toned
        self.taken: list[tuple[float, float, float]] = []
        self.rows, self.columns = _coordinates(side_px)

    def fill(self, cover: Field | Mask, values: Values, label: int | None = None) -> None:
        """Paint where `cover` (H, W) says so, with values (C,), or (H, W, C) for a texture."""
        share = cover.astype(np.float32)[:, :, None]
        self.values += share * (np.asarray(values, dtype=np.float32) - self.values)
        if label is not None:
            self.label[cover >= 0.5] = label

    def ripple(self, cover: Field | Mask, texture: Field, strength: float) -> None:
        """Lighten and darken the toned bands by a texture (H, W) of about [-1, 1]."""
        factor = 1 + strength * cover.astype(np.float32) * texture
        self.values[:, :, : self.toned] *= factor[:, :, None]

    def paint(
        self, drawn: Sprite, row: float, column: float, values: Values, label: int | None = None
    ) -> None:
        """Paint a shape with its centre at (row, column); what reaches beyond the edge is cut.

        `values` are (C,), or (n, n, C) with one entry per pixel of the sprite.
        """
        here, there = self._overlap(drawn, row, column)
        share, colours = drawn.cover[there][:, :, None], np.asarray(values, dtype=np.float32)
        patch = self.values[here]
        colours = np.broadcast_to(colours[there] if colours.ndim == 3 else colours, patch.shape)
        lit = colours.copy()
        lit[:, :, : self.toned] *= drawn.tone[there][:, :, None]
        patch += share * (lit - patch)
        if label is not None:
            self.label[here][drawn.cover[there] >= 0.5] = label

    def shade(self, drawn: Sprite, row: float, column: float, light: float = 0.6) -> None:
        """Darken the toned bands where a shape casts its shadow."""
        here, there = self._overlap(drawn, row, column)
        self.values[here][:, :, : self.toned] *= 1 - (1 - light) * drawn.cover[there][:, :, None]

    def place(
        self, rng: np.random.Generator, radius_px: float, allowed: Mask | None = None
    ) -> tuple[float, float] | None:
        """Return a free (row, column) for something of a radius, and take it; None: no room.

        `allowed` (H, W) is where the centre may lie.
        """
        for _ in range(25):
            row, column = rng.uniform(2, self.side_px - 2, 2)
            free = allowed is None or allowed[int(row), int(column)]
            if free and self.take(row, column, radius_px):
                return float(row), float(column)
        return None

    def take(self, row: float, column: float, radius_px: float) -> bool:
        """Return whether a disc is free, and if so keep later ones out of it."""
        if any(
            (row - r) ** 2 + (column - c) ** 2 < (radius_px + other) ** 2
            for r, c, other in self.taken
        ):
            return False
        self.taken.append((row, column, radius_px))
        return True

    def finished(
        self, rng: np.random.Generator, noise: float, dtype: Any = np.uint8
    ) -> tuple[Image, Label]:
        """Return the image with sensor noise, in uint8, or in uint16 at full range; and labels."""
        values = rng.standard_normal(self.values.shape, dtype=np.float32)
        values *= np.float32(noise)
        values += self.values
        np.clip(values, 0, 255, out=values)
        values *= np.float32(np.iinfo(dtype).max / 255)
        return np.round(values, out=values).astype(dtype), self.label

    def across(self, point: Values, turn: int) -> tuple[Field, Field]:
        """Return each pixel's distance along and across (H, W) a line through (row, column).

        `turn` is the line's direction in sixteenths of a full turn, as for sprites.
        """
        angle = 2 * np.pi * turn / 16
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        dx, dy = self.columns - np.float32(point[1]), self.rows - np.float32(point[0])
        return dx * cos + dy * sin, dy * cos - dx * sin

    def _overlap(
        self, drawn: Sprite, row: float, column: float
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        reach = drawn.cover.shape[0] // 2
        here, there = [], []
        for centre in (round(row), round(column)):
            first, last = max(0, centre - reach), min(self.side_px, centre + reach + 1)
            last = max(first, last)
            here.append(slice(first, last))
            there.append(slice(first - centre + reach, last - centre + reach))
        return (here[0], here[1]), (there[0], there[1])


def noise_field(rng: np.random.Generator, side_px: int, cells: int) -> Field:
    """Return smooth noise (side, side) in about [-1, 1] with `cells` hills along each side."""
    cell, share = _cells(side_px, cells)
    heights = rng.uniform(-1, 1, (cells + 1, cells + 1)).astype(np.float32)
    rows = heights[cell] + (heights[cell + 1] - heights[cell]) * share[:, None]
    return np.asarray(rows[:, cell] + (rows[:, cell + 1] - rows[:, cell]) * share)


def ground(rng: np.random.Generator, side_px: int, cells: int = 4) -> Field:
    """Return rough ground (side, side) in about [-1, 1]: hills, tufts and grain."""
    return np.asarray(
        0.5 * noise_field(rng, side_px, cells)
        + 0.3 * noise_field(rng, side_px, 4 * cells)
        + 0.2 * rng.standard_normal((side_px, side_px), dtype=np.float32)
    )


def stroke(across: Field, width_px: float) -> Field:
    """Return the cover (H, W) of a straight band of a width, its edges softened."""
    return np.asarray(np.clip(width_px / 2 - np.abs(across) + 0.5, 0, 1), dtype=np.float32)


@lru_cache(maxsize=8)
def _coordinates(side_px: int) -> tuple[Field, Field]:
    rows, columns = np.mgrid[0:side_px, 0:side_px].astype(np.float32)
    return rows, columns


@lru_cache(maxsize=32)
def _cells(side_px: int, cells: int) -> tuple[NDArray[np.int64], Field]:
    position = np.linspace(0, cells, side_px, endpoint=False)
    cell = position.astype(np.int64)
    share = (position - cell).astype(np.float32)
    return cell, share * share * (3 - 2 * share)
