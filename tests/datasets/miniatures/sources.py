"""Small copies of the pre-training sources in their authentic layouts, made of learnable pictures.

A class is the direction and colour of its stripes. All layouts of ImageNet hold the same images.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from gpbench.api import derive_seed

WNIDS = {"n01440764": 0, "n02119789": 278, "n03445777": 574}
"""Three classes of ImageNet and their indices among the thousand."""
SCENES = (
    "agriculture_land/arable_land/dry_field",
    "agriculture_land/woodland/forest",
    "commercial_land/commercial_area",
)
"""Three classes of Million-AID: two that lie three folders deep, one that lies two deep."""
COLOURS = ((200, 80, 60), (60, 160, 80), (70, 90, 200))
SHARD_IMAGES = 8


def picture(kind: int, name: str) -> bytes:
    """Return a JPEG, at least 64 pixels on each side, of class 0, 1 or 2."""
    rng = np.random.default_rng(derive_seed("miniature", name))
    height, width = rng.integers(64, 81, 2)
    rows, columns = np.mgrid[:height, :width]
    along = (rows, columns, rows + columns)[kind]
    stripes = 0.6 + 0.4 * np.sin(along / rng.uniform(2, 4) + rng.uniform(0, 6))
    pixels = stripes[..., None] * COLOURS[kind] + rng.normal(0, 6, (height, width, 3))
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def imagenet_images(n_images: int = 20) -> dict[str, bytes]:
    """Return JPEG files by ImageNet's names, `n01440764/n01440764_100.JPEG`."""
    wnids = list(WNIDS)
    names = [f"{wnids[i % 3]}/{wnids[i % 3]}_{100 + i}.JPEG" for i in range(n_images)]
    return {name: picture(i % 3, name) for i, name in enumerate(names)}


def imagenet_folders(root: Path, n_images: int = 20) -> Path:
    """Write `train/n01440764/*.JPEG`."""
    return write_files(root / "train", imagenet_images(n_images)).parent


def imagenet_tar_per_class(root: Path, n_images: int = 20) -> Path:
    """Write `train/n01440764.tar` and its like."""
    return write_files(root / "train", _class_tars(n_images)).parent


def imagenet_official_tar(root: Path, n_images: int = 20) -> Path:
    """Write `ILSVRC2012_img_train.tar`, which holds a tar per class."""
    return write_files(root, {"ILSVRC2012_img_train.tar": tar_bytes(_class_tars(n_images))})


def imagenet_split_tar(root: Path, n_images: int = 20) -> Path:
    """Write `train.tar`, which holds a folder per class."""
    return write_files(root, {"train.tar": tar_bytes(imagenet_images(n_images))})


def imagenet_shards(root: Path, n_images: int = 20, *, wnid_keys: bool = True) -> Path:
    """Write webdataset shards `imagenet1k-train-0000.tar` and on, images shuffled.

    With `wnid_keys` as timm's on Hugging Face: `n01440764_100.jpg`, .cls and .json; else with
    numbers for keys, and .cls or .json in turn.
    """
    images = list(imagenet_images(n_images).items())
    order = np.random.default_rng(0).permutation(n_images)
    for shard, begin in enumerate(range(0, n_images, SHARD_IMAGES)):
        files: dict[str, bytes] = {}
        for i in order[begin : begin + SHARD_IMAGES]:
            name, data = images[i]
            wnid, _, base = name.partition("/")
            index = str(WNIDS[wnid]).encode()
            told = json.dumps({"label": WNIDS[wnid], "filename": name}).encode()
            key = base.removesuffix(".JPEG") if wnid_keys else f"s{i:07d}"
            files[f"{key}.jpg"] = data
            if wnid_keys or i % 2:
                files[f"{key}.cls"] = index
            if wnid_keys or not i % 2:
                files[f"{key}.json"] = told
        write_files(root, {f"imagenet1k-train-{shard:04d}.tar": tar_bytes(files)})
    return root


def million_aid_images(n_scenes: int = 12, n_unlabelled: int = 12) -> dict[str, bytes]:
    """Return JPEG files by Million-AID's paths, below `train/` and `test/`."""
    scenes = [f"train/{SCENES[i % 3]}/P{i:07d}.jpg" for i in range(n_scenes)]
    unlabelled = [f"test/P{1000 + i:07d}.jpg" for i in range(n_unlabelled)]
    return {
        name: picture(i % 3, name) for names in (scenes, unlabelled) for i, name in enumerate(names)
    }


def million_aid(root: Path, n_scenes: int = 12, n_unlabelled: int = 12) -> Path:
    """Write `train/.../CLASS/*.jpg`, two and three folders deep, and `test/*.jpg`."""
    return write_files(root, million_aid_images(n_scenes, n_unlabelled))


def write_files(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files by their paths below `root`; return `root`."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def tar_bytes(files: Mapping[str, bytes], others: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """Return a tar of files; `others` are members without content, such as links."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in others:
            tar.addfile(member)
    return file.getvalue()


def _class_tars(n_images: int) -> dict[str, bytes]:
    images = imagenet_images(n_images)
    return {
        f"{wnid}.tar": tar_bytes(
            {name.partition("/")[2]: data for name, data in images.items() if name.startswith(wnid)}
        )
        for wnid in WNIDS
    }
