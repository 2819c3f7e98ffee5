"""Published and peer-computed answers, where they lie beside the samples."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def oracle(name: str) -> dict[str, Any]:
    """Return one case; skip where the folder of samples is unknown or has no oracles beside it."""
    samples = os.environ.get("GPBENCH_SAMPLES")
    if not samples:
        pytest.skip("GPBENCH_SAMPLES is not set: oracles lie beside the samples")
    path = Path(samples).parent / "oracles" / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"no oracle {path.name} beside the samples")
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return case
