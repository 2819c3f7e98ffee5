"""Published and peer-computed answers: one JSON file a case, with origin and tolerance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "oracles"


def oracle(name: str) -> dict[str, Any]:
    """Return one case: `inputs`, `published`, `computed`, `tolerance` and `notes`."""
    case: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return case
