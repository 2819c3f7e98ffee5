"""Facts about a downstream dataset and the protocol by which it is tiled and scored. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpbench.core.errors import InvalidValueError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Metric = Literal["mIoU", "mF1"]
METRICS: tuple[Metric, ...] = ("mIoU", "mF1")
IGNORE_INDEX = 255
"""The label of pixels that are neither trained on nor scored, in every dataset handed on."""


@dataclass(frozen=True)
class Band:
    """One channel of an image.

    red, green and blue are matched by these names when a stem is inflated.
    """

    name: str


@dataclass(frozen=True)
class DatasetInfo:
    """What a dataset is. Class i is label value i.

    Raises:
        InvalidValueError: If there is no band, fewer than two classes, or a name occurs twice.
    """

    title: str
    version: int
    bands: tuple[Band, ...]
    classes: tuple[str, ...]
    gsd_m: float | None = None
    licence: str = "unknown"
    reference: str = ""
    colours: tuple[tuple[int, int, int], ...] = ()
    """One RGB triple per class for pictures; empty: a default palette."""
    synthetic: bool = False
    """Made by a program, and called so wherever it is shown."""
    images_may_be_shown: bool = False

    def __post_init__(self) -> None:
        for field, names, least in (
            ("bands", [band.name for band in self.bands], 1),
            ("classes", list(self.classes), 2),
        ):
            if len(names) < least or len(set(names)) != len(names):
                raise InvalidValueError(field, names, f"at least {least}, each name once")
        if len(self.classes) > IGNORE_INDEX:
            raise InvalidValueError("classes", len(self.classes), f"at most {IGNORE_INDEX}")
        if self.colours and len(self.colours) != len(self.classes):
            raise InvalidValueError(
                "colours", len(self.colours), f"one per class ({len(self.classes)}), or none"
            )


@dataclass(frozen=True)
class Protocol:
    """How a dataset is cut into tiles, evaluated and scored.

    Training samples are tiles of `tile_px` every `stride_px`; a test image is predicted window by
    window on the same grid, class probabilities of overlapping windows averaged, and counted once
    per source image. `excluded` classes are neither learnt, nor predicted, nor scored (their pixels
    are ignored).
    """

    name: str
    version: int
    metric: Metric
    tile_px: int
    stride_px: int
    excluded: tuple[str, ...] = ()
    absent: Literal["drop", "zero"] = "drop"
    """A scored class without a pixel in the test labels is left out of the mean, or counts as 0."""

    def __post_init__(self) -> None:
        if self.tile_px < 1 or not 1 <= self.stride_px <= self.tile_px:
            raise InvalidValueError(
                "protocol tile_px, stride_px",
                (self.tile_px, self.stride_px),
                "1 <= stride_px <= tile_px",
            )


@dataclass(frozen=True)
class ImageRef:
    """One image of a dataset.

    `files` are the paths below the root that reading it opens (empty: procedural); `scene` groups
    images of one place (flight, parent tile); `tags` are for slices such as day and night.
    """

    name: str
    scene: str
    files: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
