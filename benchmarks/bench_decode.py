"""Pre-training images from disk to squares, against torchvision's ImageFolder, one thread each.

The files are JPEGs of ImageNet's usual size, about 100 kB each; what they show is made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

from gpbench import registry
from gpbench.data.source_images import SourceImages

N_IMAGES, WIDTH, HEIGHT, QUALITY = 24, 500, 375, 90
SIDES_PX = (64, 224)
Decoder = Callable[[Path, int], NDArray[np.uint8]]


def smooth(rng: np.random.Generator, step_px: int) -> NDArray[np.float32]:
    """Return noise (H, W) of unit deviation that changes over about `step_px` pixels."""
    shape = (HEIGHT // step_px + 2, WIDTH // step_px + 2)
    coarse = Image.fromarray(rng.normal(0, 1, shape).astype(np.float32))
    return np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def photograph(seed: int) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3): things with edges, colours and texture at several scales."""
    rng = np.random.default_rng(seed)
    things = sum((smooth(rng, 100) > level).astype(int) for level in (-1, 0, 1))
    colours = rng.uniform(40, 215, (4, 3))
    rough = np.array([3, 11, 19, 28])[things]
    light = rough * sum(smooth(rng, step_px) for step_px in (1, 2, 4, 8, 16, 32))
    tint = np.stack([6 * smooth(rng, 24) for _ in range(3)], axis=2)
    shown = colours[things] + light[:, :, None] + tint
    return np.asarray(shown.clip(0, 255), dtype=np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for seed in range(N_IMAGES):
        path = folder / f"class_{seed % 2}" / f"{seed}.JPEG"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(photograph(seed)).save(path, quality=QUALITY)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Give torch one thread: what a core does is compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ours(root: Path, size_px: int) -> NDArray[np.uint8]:
    """Return all images of the built-in source `folder` (N, 3, size_px, size_px)."""
    images = SourceImages(registry.load("sources", "folder"), root, "labelled", cache_bytes=0)
    return images.batch(np.arange(N_IMAGES), size_px)


def image_folder(root: Path, size_px: int) -> NDArray[np.uint8]:
    """Return the same by torchvision and Pillow, resized before the square is taken."""
    steps = Compose([Resize(size_px), CenterCrop(size_px), PILToTensor()])
    images = ImageFolder(str(root), steps)
    return np.stack([np.asarray(images[index][0]) for index in range(N_IMAGES)])


DECODERS: dict[str, Decoder] = {"gpbench": ours, "ImageFolder": image_folder}


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("size_px", SIDES_PX)
def bench_decode(benchmark: BenchmarkFixture, root: Path, size_px: int, name: str) -> None:
    benchmark.group = (
        f"{N_IMAGES} JPEGs of {WIDTH} x {HEIGHT} to {size_px} x {size_px} px, one thread"
    )
    squares = benchmark(DECODERS[name], root, size_px)
    expected = image_folder(root, size_px)
    assert np.corrcoef(squares.ravel(), expected.ravel())[0, 1] > 0.9, "not the same pictures"
