"""Writes docs/benchmarks.md where pytest-benchmark is asked for its document (`make bench`)."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.report import page

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
COMPARED = (
    "numpy", "torch", "torchvision", "pillow", "simplejpeg", "imagecodecs", "torchmetrics",
    "onedl-mmsegmentation", "ray", "typer",
)  # fmt: skip


def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    """Write the page from the document that pytest-benchmark is about to save."""
    versions = {name: metadata.version(name) for name in COMPARED}
    PAGE.write_text(page(output_json, versions))
