"""ISPRS Vaihingen: a small town at 9 cm in near infrared, red and green; six classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from gpbench.api import Label
from gpbench.readers.label import colour_text, mapped, read_colours
from gpbench_datasets._isprs import Choice, Kind, OfficialFiles, Splits, selector
from gpbench_datasets._isprs_patches import IsprsPatches
from gpbench_datasets._published import Published, published_card

CARD = published_card("vaihingen")
Labels = Literal["full", "eroded"]
TRAIN = (1, 3, 5, 7, 11, 13, 15, 17, 21, 23, 26, 28, 30, 32, 34, 37)
TEST = (2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 24, 27, 29, 31, 33, 35, 38)
AREA = r"top_mosaic_09cm_(area\d+)"
KINDS = {
    # Images and full labels have the same names: the folder tells them apart.
    "image": Kind(
        re.compile(rf"(?:.*/)?top/(?:.*/)?{AREA}\.tif"),
        "top/top_mosaic_09cm_areaN.tif",
        CARD.bands,
    ),
    "full": Kind(
        re.compile(rf"(?!(?:.*/)?top/)(?:.*/)?{AREA}\.tif"),
        "ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE/top_mosaic_09cm_areaN.tif",
    ),
    "eroded": Kind(
        re.compile(rf"(?:.*/)?{AREA}_noBoundary\.tif"),
        "ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE/"
        "top_mosaic_09cm_areaN_noBoundary.tif",
    ),
}
STRAYS = (("eroded", "area9"),)


@dataclass(frozen=True)
class Params:
    """The parameters of the selector `vaihingen[...]`."""

    labels: Labels = "full"
    """`eroded`: pixels near a border between classes are ignored, in training and test."""

    @property
    def selector(self) -> str:
        return selector("vaihingen", asdict(self), asdict(Params()))

    @property
    def choice(self) -> Choice:
        return Choice(self.selector, CARD.bands, (("image",),), self.labels)


class Vaihingen:
    """Makes a dataset of the chosen labels."""

    params: ClassVar[type] = Params

    def configured(self, params: Params) -> tuple[str, Published, Mapping[str, Any]]:
        """Return the canonical selector, the dataset, and the parameters, which enter a key."""
        splits: Splits = {
            "train": [f"area{number}" for number in TRAIN],
            "test": [f"area{number}" for number in TEST],
        }
        official = OfficialFiles(
            kinds=KINDS,
            patterns=("**/top_mosaic_09cm_area*.tif",),
            splits=splits,
            choice=params.choice,
            choices=[Params(labels).choice for labels in get_args(Labels)],
            read_label=_label,
            strays=STRAYS,
        )
        patches = IsprsPatches(r"area\d+", splits, params.selector, Params("eroded").selector)
        return params.selector, Published(CARD, [official, patches]), asdict(params)


def _label(path: Path, _area: str) -> Label:
    return mapped(read_colours(path), CARD.palette, str(path), colour_text)


PLUGIN = Vaihingen()
