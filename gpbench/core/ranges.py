"""Ranges beside the fields of a dataclass: `lr: float = field(metadata=POSITIVE)`. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gpbench.core.errors import InvalidValueError

_KEY = "range"


@dataclass(frozen=True)
class Range:
    """The values that a field may have; `allowed` says them in words. None is left to the type."""

    allowed: str
    holds: Callable[[Any], bool]

    def problem(self, name: str, value: Any) -> InvalidValueError | None:
        """Return what is wrong with a value, None if nothing is."""
        numbers = value if isinstance(value, tuple) else (value,)
        fits = value is None or (all(map(math.isfinite, numbers)) and self.holds(value))
        return None if fits else InvalidValueError(name, value, self.allowed)


def ranged(allowed: str, holds: Callable[[Any], bool]) -> Mapping[str, Range]:
    """Return the metadata that declares a field's range."""
    return {_KEY: Range(allowed, holds)}


def range_of(field: dataclasses.Field[Any]) -> Range | None:
    """Return a field's declared range, None if it has none."""
    return field.metadata.get(_KEY)


def check_ranges(value: Any) -> None:
    """Check every field of a dataclass instance that declares a range.

    Raises:
        InvalidValueError: If a value lies outside it; the first in the order of the fields.
    """
    for field in dataclasses.fields(value):
        declared = range_of(field)
        problem = declared.problem(field.name, getattr(value, field.name)) if declared else None
        if problem is not None:
            raise problem


POSITIVE = ranged("more than 0", lambda value: value > 0)
NOT_NEGATIVE = ranged("0 or more", lambda value: value >= 0)
PROBABILITY = ranged("0 to 1", lambda value: 0 <= value <= 1)
BELOW_ONE = ranged("0 or more, less than 1", lambda value: 0 <= value < 1)
FRACTION = ranged("more than 0, at most 1", lambda value: 0 < value <= 1)
INSIDE = ranged("between 0 and 1", lambda value: 0 < value < 1)


def interval(most: float) -> Mapping[str, Range]:
    """Return the metadata of a pair [low, high] with 0 < low <= high <= most."""
    return ranged(f"[low, high] with 0 < low <= high <= {most:g}", _Interval(most))


@dataclass(frozen=True)
class _Interval:
    most: float

    def __call__(self, value: tuple[float, float]) -> bool:
        return 0 < value[0] <= value[1] <= self.most
