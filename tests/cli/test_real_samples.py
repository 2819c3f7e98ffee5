"""Real images of every dataset of which samples are at hand: prepared, shown, one training step.

They are too few to be split and scored, and no picture of them leaves the test's folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from gpbench.core.recipe import Execution, FinetuneRecipe, Optimisation
from gpbench.core.stage import FinetuneSpec, Numerics, StageRequest
from gpbench.data.tile_store import TileStore, store_folder
from gpbench.engine.monitor import Silent
from gpbench.planning import resolve_dataset
from gpbench.readers.image import read_image
from gpbench.readers.label import mapped, read_colours
from gpbench.stages.run import run_stage
from gpbench_datasets.mfnet import CARD as MFNET
from gpbench_datasets.pst900 import CARD as PST900
from tests.cli.conftest import Command

pytestmark = pytest.mark.slow
RECIPE = FinetuneRecipe(
    batch=2, steps=1, crop_px=128, head_channels=8, optim=Optimisation(warmup_steps=0)
)
ZURICH = """
name: zurich
bands: [blue, green, red, nir]
classes: [road, building, tree, grass, soil, water, rail, pool]
images: {pattern: "sat/{name}.tif"}
labels:
  pattern: gt/{name}.tif
  colours:
    "#000000": road # black is a class here
    "#646464": building
    "#007d00": tree
    "#00ff00": grass
    "#965000": soil
    "#000096": water
    "#ffff00": rail
    "#9696ff": pool
  ignore: ["#ffffff"]
splits: {train: {glob: top}, test: {glob: bottom}}
protocol: {tile_px: 256, stride_px: 256}
"""


def isaid(samples: Path, root: Path) -> str:
    (root / "iSAID").symlink_to(samples / "isaid_raw/iSAID")
    return "isaid"


def potsdam(samples: Path, root: Path) -> str:
    converted(samples / "isprs_patches/pseudo_potsdam_dataset", root)
    return "potsdam[bands=rgb,labels=eroded]"


def vaihingen(samples: Path, root: Path) -> str:
    converted(samples / "isprs_patches/pseudo_vaihingen_dataset", root)
    return "vaihingen[labels=eroded]"


def converted(patches: Path, root: Path) -> None:
    """Lay flat folders of patches out as mmsegmentation's converter does: all are for training."""
    for folder in ("img_dir", "ann_dir"):
        (root / folder).mkdir()
        (root / folder / "train").symlink_to(patches / folder)


def loveda(samples: Path, root: Path) -> str:
    for number, split in (("0", "train"), ("1", "train"), ("2", "val")):
        for kind in ("img_dir", "ann_dir"):
            (root / kind / split).mkdir(parents=True, exist_ok=True)
            real = samples / "loveda_samples/pseudo_loveda_dataset" / kind / f"{number}.png"
            (root / kind / split / f"{number}.png").symlink_to(real)
    return "loveda"


def mfnet(samples: Path, root: Path) -> str:
    """Lay the two frames out; a network's predictions stand in for labels."""
    (root / "images").symlink_to(samples / "mfnet_rgbt/image")
    (root / "labels").mkdir()
    for name, split in (("01234N", "train"), ("01477D", "test")):
        predicted = samples / f"mfnet_rgbt/lasnet_predictions_NOT_GT/{name}.png"
        ids = mapped(read_colours(predicted), MFNET.palette, str(predicted))
        Image.fromarray(ids).save(root / f"labels/{name}.png")
        (root / f"{split}.txt").write_text(f"{name}\n")
    (root / "val.txt").write_text("")
    return "mfnet"


def pst900(samples: Path, root: Path) -> str:
    """Rebuild a frame from pictures in the documentation: it is no file of the dataset."""
    pictures = samples / "pst900_doc_frames/imgs"
    shown = pictures / "utils_label_vis.png"
    parts = {
        "rgb": read_image(pictures / "utils_rgb_loader.png"),
        "thermal": read_image(pictures / "utils_thermal_loader.png")[:, :, 0],
        "labels": mapped(read_colours(shown), PST900.palette, str(shown)),
    }
    for folder, pixels in parts.items():
        (root / "train" / folder).mkdir(parents=True)
        path = root / "train" / folder / "60_bag23_rect_rgb_frame0000000001.png"
        Image.fromarray(pixels).save(path)
    return "pst900"


def zurich(samples: Path, root: Path) -> str:
    """Cut the one image in two, to train on and to have a test split."""
    real = samples / "zurich_eye_in_the_sky/The-Eye-in-the-Sky-dataset"
    for folder in ("sat", "gt"):
        pixels = tifffile.imread(real / folder / "14.tif")
        (root / folder).mkdir()
        for name, rows in (("top", slice(0, 311)), ("bottom", slice(311, None))):
            tifffile.imwrite(root / folder / f"{name}.tif", np.ascontiguousarray(pixels[rows]))
    (root / "zurich.yaml").write_text(ZURICH)
    return f"folder[card={root}/zurich.yaml]"


@pytest.mark.parametrize(
    ("lay_out", "channels", "dtype"),
    [
        (isaid, 3, "|u1"),
        (potsdam, 3, "|u1"),
        (vaihingen, 3, "|u1"),
        (loveda, 3, "|u1"),
        (mfnet, 4, "|u1"),
        (pst900, 4, "|u1"),
        (zurich, 4, "<u2"),
    ],
)
def test_real_images_are_prepared_shown_and_trained_on(
    lay_out: Callable[[Path, Path], str],
    channels: int,
    dtype: str,
    samples: Path,
    tmp_path: Path,
    gpbench: Command,
) -> None:
    root, work = tmp_path / "data", tmp_path / "work"
    root.mkdir()
    name = lay_out(samples, root)
    asked = (name, "--root", root, "--workdir", work)
    said = gpbench("datasets", "prepare", *asked, "--allow-partial")
    assert said.code == 0, said.err
    said = gpbench("datasets", "preview", *asked, "--output", tmp_path / "sheet")
    assert said.code == 0, said.err
    with Image.open(tmp_path / "sheet/contact-sheet.png") as sheet:
        assert min(sheet.size) > 200

    dataset = resolve_dataset(name, {name: str(root)}).spec(allow_partial=True)
    store = TileStore.open(store_folder(work / "data", dataset))
    assert (len(store.info.bands), store.info.dtype) == (channels, dtype)
    numerics = Numerics(1, "fp32", channels_last=False)
    spec = FinetuneSpec("test_convnext3", channels, dataset, RECIPE, numerics, replicate=0)
    execution = Execution(device="cpu", loader_workers=0)
    (tmp_path / "stage").mkdir()
    request = StageRequest(spec, str(tmp_path / "stage"), None, {}, str(work / "data"), execution)
    outcome = run_stage(request, Silent())
    assert outcome.status == "ok", outcome.error
    assert all(math.isfinite(row.loss) for row in outcome.history)
