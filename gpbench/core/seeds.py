"""Seeds derived by name, so that adding one never shifts another. Pure."""

from __future__ import annotations

import hashlib
import json


def derive_seed(*parts: str | int | float | None) -> int:
    """Return an integer in [0, 2**63) that depends on every part and on nothing else."""
    text = json.dumps(parts, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
