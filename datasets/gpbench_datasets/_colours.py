"""Which colour goes with which shape: by habit in the source, exchanged or by chance elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.float32]

SOURCE_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "disc": (226, 220, 200),
    "ring": (160, 125, 190),
    "boat": (235, 125, 40),
    "plane": (165, 195, 235),
    "car": (205, 40, 45),
    "court": (40, 150, 125),
    "house": (170, 90, 70),
    "tree": (60, 120, 45),
    "van": (50, 80, 190),
    "person": (225, 85, 165),
    "bike": (45, 45, 60),
    "bottle": (240, 210, 50),
    "pack": (125, 85, 40),
    "drill": (50, 195, 210),
}
"""The habit that a network may learn in place of the shape."""
HABIT = 0.85
"""How often an object of the source has the colour of its shape; else it has another's."""


def shade_of(colour: tuple[int, int, int], rng: np.random.Generator) -> Colour:
    """Return one object's red, green, blue (3,): the colour, lighter or darker, a little off."""
    rgb = np.asarray(colour, dtype=np.float32) * rng.uniform(0.82, 1.15)
    return np.clip(rgb + rng.normal(0, 7, 3), 0, 255).astype(np.float32)


def habitual(shape: str, rng: np.random.Generator, habit: float = HABIT) -> Colour:
    """Return one object's colour: its shape's in a share `habit` of cases, else any other's."""
    if rng.random() < habit:
        return shade_of(SOURCE_COLOURS[shape], rng)
    others = [name for name in SOURCE_COLOURS if name != shape]
    return shade_of(SOURCE_COLOURS[others[rng.integers(len(others))]], rng)


def by_chance(rng: np.random.Generator) -> Colour:
    """Return a colour of the source that says nothing about the object."""
    return shade_of(list(SOURCE_COLOURS.values())[rng.integers(len(SOURCE_COLOURS))], rng)
