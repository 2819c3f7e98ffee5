"""Preparing a tile store against decoding the same files and throwing the pixels away.

Both start as many processes. What preparing does on top: checks, counts, sums, checksums, writing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from gpbench.api import ImageRef
from gpbench.data.tile_writer import write_store
from gpbench.planning import resolve_dataset

JOBS, PICTURES, IMAGES, SIDE_PX, CLASSES = 2, 12, 96, 1000, 16
MOST_BYTES_PER_RAW_BYTE = 1.05
CARD = """
name: bench
bands: [red, green, blue]
classes: [{classes}]
images: {{pattern: "images/{{name}}.png"}}
labels: {{pattern: "labels/{{name}}.png", colours: {{{colours}}}}}
splits:
  train: {{regex: "t.*"}}
  test: {{regex: "e.*"}}
protocol: {{tile_px: 512, stride_px: 512, metric: mIoU}}
"""


def aerial_picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return noise over gradients (H, W, 3), which compresses about as well as an aerial image."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX] / SIDE_PX
    phases = rng.uniform(0, 7, 3)
    gradient = 120 + 80 * np.sin(rows[..., None] * 9 + phases) * np.cos(columns[..., None] * 7)
    noisy = gradient + rng.normal(0, 6, (SIDE_PX, SIDE_PX, 3))
    return np.asarray(noisy.clip(0, 255), dtype=np.uint8)


def colour(label: int) -> tuple[int, int, int]:
    return label * 15, 255 - label * 9, label * 5 % 256


@pytest.fixture(scope="module")
def selector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the selector of a folder of pictures; each lies there under several names."""
    root, rng = tmp_path_factory.mktemp("bench"), np.random.default_rng(0)
    for folder in ("images", "labels"):
        (root / folder).mkdir()
    table = np.array([colour(label) for label in range(CLASSES)], dtype=np.uint8)
    for i in range(IMAGES):
        name = f"{'t' if i % 4 else 'e'}{i:03d}.png"
        original = root / f"{i % PICTURES}.png"
        if i < PICTURES:
            labels = rng.integers(0, CLASSES, (20, 20)).repeat(50, axis=0).repeat(50, axis=1)
            Image.fromarray(aerial_picture(rng)).save(original)
            Image.fromarray(table[labels]).save(root / f"label-{original.name}")
        os.link(original, root / "images" / name)
        os.link(root / f"label-{original.name}", root / "labels" / name)
    names = [f"c{label}" for label in range(CLASSES)]
    codes = [f"'#{r:02x}{g:02x}{b:02x}'" for r, g, b in map(colour, range(CLASSES))]
    colours = ", ".join(f"{code}: {name}" for code, name in zip(codes, names, strict=True))
    card = CARD.format(classes=", ".join(names), colours=colours)
    (root / "card.yaml").write_text(card)
    yield f"folder[card={root / 'card.yaml'}]"
    shutil.rmtree(root)


@cache
def reader(selector: str) -> Callable[[ImageRef], object]:
    """Return what reads an image; in each process the dataset is loaded once."""
    resolved = resolve_dataset(selector, {})
    return partial(resolved.dataset.read, resolved.root or Path())


def decode(selector: str, refs: Sequence[ImageRef]) -> int:
    for ref in refs:
        reader(selector)(ref)
    return len(refs)


@pytest.mark.benchmark(group=f"{IMAGES} PNG images of {SIDE_PX} x {SIDE_PX}, {JOBS} processes")
def bench_decode_and_throw_away(benchmark: BenchmarkFixture, selector: str) -> None:
    resolved = resolve_dataset(selector, {})
    refs = [
        ref
        for split in ("train", "test")
        for ref in resolved.dataset.images(resolved.root or Path(), split)
    ]

    def read_all() -> int:
        with ProcessPoolExecutor(JOBS, get_context("spawn")) as pool:
            return sum(pool.map(partial(decode, selector), ([ref] for ref in refs)))

    assert benchmark.pedantic(read_all, rounds=5) == IMAGES  # type: ignore[no-untyped-call]  # the library has no types


@pytest.mark.benchmark(group=f"{IMAGES} PNG images of {SIDE_PX} x {SIDE_PX}, {JOBS} processes")
def bench_prepare(benchmark: BenchmarkFixture, selector: str, tmp_path: Path) -> None:
    resolved, folder = resolve_dataset(selector, {}), tmp_path / "store"

    def prepare() -> None:
        root = resolved.root or Path()
        write_store(folder, resolved.dataset, root, selector=selector, jobs=JOBS)

    clear = partial(shutil.rmtree, folder, ignore_errors=True)
    benchmark.pedantic(prepare, setup=clear, rounds=5)  # type: ignore[no-untyped-call]  # the library has no types
    n_bytes = sum(file.stat().st_size for file in folder.iterdir())
    per_raw_byte = n_bytes / (IMAGES * SIDE_PX**2 * 4)
    benchmark.extra_info["store bytes per byte of raw pixels"] = per_raw_byte
    assert per_raw_byte <= MOST_BYTES_PER_RAW_BYTE
