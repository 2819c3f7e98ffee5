"""What a figure is to those who place it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A figure of a comparison; it is drawn when it is asked for."""

    name: str
    """Stem of a file, of [a-z0-9-]; no two figures of a comparison share it."""
    title: str
    caption: str
    """What is shown, in which unit, of how many, and what the intervals are."""
    alt: str
    """The main numbers, for those who cannot see the figure."""
    draw: Callable[[], Any]
    """Returns a new `matplotlib.figure.Figure`."""
