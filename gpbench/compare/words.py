"""The fixed words of a comparison."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["better", "worse", "equivalent", "inconclusive", "undecidable"]
Level = Literal["strategy", "checkpoint"]
Scope = Literal["fixed-suite", "seeds", "datasets", "images"]
Correction = Literal["holm", "max-t", "bh", "none"]
Span = tuple[float, float]
