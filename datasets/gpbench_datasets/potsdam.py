"""ISPRS Potsdam: a city at 5 cm in red, green, blue, near infrared and height; six classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gpbench.api import Label
from gpbench.readers.label import colour_text, mapped, read_colours
from gpbench.readers.protocol_card import ProtocolCard
from gpbench_datasets._isprs import Choice, Kind, OfficialFiles, Splits, selector
from gpbench_datasets._isprs_patches import IsprsPatches
from gpbench_datasets._published import Published, published_card

CARD = published_card("potsdam")
Bands = Literal["rgb-nir-ndsm", "rgb-nir", "rgb", "irrg"]
Labels = Literal["full", "eroded"]
TRAIN = (
    "2_10 2_11 2_12 3_10 3_11 3_12 4_10 4_11 4_12 5_10 5_11 5_12 "
    "6_7 6_8 6_9 6_10 6_11 6_12 7_7 7_8 7_9 7_10 7_11 7_12"
)
TEST = "2_13 2_14 3_13 3_14 4_13 4_14 4_15 5_13 5_14 5_15 6_13 6_14 6_15 7_13"
BLENDED = ("4_12", "6_7")
"""Tiles whose label pictures are not in pure class colours; the card says how that is known."""
CLOSE = 64
"""Grey levels that a channel of these may be away from 0 or 255. The image of 4_12 was mixed into
its label by 17 %, which is 44 levels."""
BANDS: Mapping[Bands, tuple[str, ...]] = {
    "rgb-nir-ndsm": ("red", "green", "blue", "nir", "ndsm"),
    "rgb-nir": ("red", "green", "blue", "nir"),
    "rgb": ("red", "green", "blue"),
    "irrg": ("nir", "red", "green"),
}
FILES: Mapping[Bands, tuple[tuple[str, ...], ...]] = {
    "rgb-nir-ndsm": (("RGBIR", "ndsm"), ("RGB", "IRRG", "ndsm")),
    "rgb-nir": (("RGBIR",), ("RGB", "IRRG")),
    "rgb": (("RGB",), ("RGBIR",)),
    "irrg": (("IRRG",), ("RGBIR",)),
}


def _kind(folder: str, name: str, bands: tuple[str, ...] = (), short_px: int = 0) -> Kind:
    pattern = re.escape(name).replace("ROW_COL", r"0?(\d+)_0?(\d+)")
    return Kind(re.compile(rf"(?:.*/)?{pattern}"), f"{folder}/{name}", bands, short_px)


KINDS = {
    "RGB": _kind("2_Ortho_RGB", "top_potsdam_ROW_COL_RGB.tif", BANDS["rgb"]),
    "IRRG": _kind("3_Ortho_IRRG", "top_potsdam_ROW_COL_IRRG.tif", BANDS["irrg"]),
    "RGBIR": _kind("4_Ortho_RGBIR", "top_potsdam_ROW_COL_RGBIR.tif", BANDS["rgb-nir"]),
    "ndsm": _kind(
        "1_DSM_normalisation", "dsm_potsdam_ROW_COL_normalized_lastools.jpg", ("ndsm",), short_px=1
    ),
    "full": _kind("5_Labels_all", "top_potsdam_ROW_COL_label.tif"),
    "eroded": _kind("5_Labels_all_noBoundary", "top_potsdam_ROW_COL_label_noBoundary.tif"),
}


@dataclass(frozen=True)
class Params:
    """The parameters of the selector `potsdam[...]`."""

    bands: Bands = "rgb-nir-ndsm"
    """Which of them are read, in this order."""
    labels: Labels = "full"
    """`eroded`: pixels near a border between classes are ignored, in training and test."""

    @property
    def selector(self) -> str:
        return selector("potsdam", asdict(self), asdict(Params()))

    @property
    def choice(self) -> Choice:
        return Choice(self.selector, BANDS[self.bands], FILES[self.bands], self.labels)


class Potsdam:
    """Makes a dataset of the chosen bands and labels."""

    params: ClassVar[type] = Params

    def configured(self, params: Params) -> tuple[str, Published, Mapping[str, Any]]:
        """Return the canonical selector, the dataset, and the parameters, which enter a key."""
        return params.selector, dataset(CARD, params), asdict(params)


def dataset(card: ProtocolCard, params: Params) -> Published:
    """Return the dataset of a card."""
    splits: Splits = {"train": TRAIN.split(), "test": TEST.split()}
    official = OfficialFiles(
        kinds=KINDS,
        patterns=("**/top_potsdam_*.tif", "**/dsm_potsdam_*.jpg"),
        splits=splits,
        choice=params.choice,
        choices=[Params(*each).choice for each in product(get_args(Bands), get_args(Labels))],
        read_label=_label,
        image_px=card.image_px,
    )
    patches = IsprsPatches(
        r"\d+_\d+", splits, params.selector, Params("rgb", "eroded").selector, card.image_px[0]
    )
    # Each layout looks at sizes itself: tiles of which some patches are missing are smaller.
    sized = card.model_copy(update={"image_px": ()})
    return Published(sized, [official, patches], BANDS[params.bands])


def _label(path: Path, tile: str) -> Label:
    colours = read_colours(path)
    if tile in BLENDED:
        colours = _pure(colours)
    return mapped(colours, CARD.palette, str(path), colour_text)


def _pure(colours: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return 0xRRGGBB with each channel at 0 or 255; colours not close to such are left as is."""
    channels = np.ascontiguousarray(colours).view(np.uint8).reshape(*colours.shape, 4)
    pure = (channels >> 7) * np.uint8(255)
    far = ((channels > CLOSE) & (channels < 255 - CLOSE)).any(axis=2)
    pure[far] = channels[far]
    return pure.view(colours.dtype)[:, :, 0]


PLUGIN = Potsdam()
