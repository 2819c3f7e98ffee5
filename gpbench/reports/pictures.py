"""Images of any bands and their labels as pictures for a person: (h, w, 3) uint8. No files."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpbench.core.dataset import IGNORE_INDEX, DatasetInfo

Pixels = NDArray[np.uint8]
LONGEST_PX = 640
"""Of a picture's longer side; larger images are averaged, smaller ones repeated in whole steps."""
STRETCH = (2, 98)
"""Percentiles that become black and white where a band is not 8-bit."""
SAMPLED_PX = 1 << 20
"""Pixels that percentiles are taken of, at most."""
RGB = ("red", "green", "blue")
TINT = 0.5
EDGE = 0.75
"""Shares of class colour and of the white line between classes in an overlay."""
HATCH_PX = 5
HATCH = (70, 205)
"""Width and the two greys of the stripes on ignored pixels."""


@dataclass(frozen=True)
class Picture:
    """One picture with what it shows; `note` says how values were brought to 8 bits, or nothing."""

    title: str
    note: str
    pixels: Pixels
    """(h, w, 3)"""


@dataclass(frozen=True)
class Stretched:
    """A band brought to 8 bits, and how."""

    pixels: Pixels
    """(H, W)"""
    note: str


def pictures_of(image: NDArray[Any], bands: Sequence[str]) -> list[Picture]:
    """Return an image in colours, then each band that is not red, green or blue by itself.

    Args:
        image: (H, W, C) in raw dtype; 8-bit values are shown as they are, others stretched.
        bands: C names. Without red, green and blue the first three stand for them, and one or two
            bands are shown in grey.
    """
    shown = RGB if set(RGB) <= set(bands) else tuple(bands[:3] if len(bands) > 2 else bands[:1])
    alone = [name for name in bands if name not in shown or (name not in RGB and len(shown) > 1)]
    return [
        _coloured(image, bands, shown),
        *(_grey(image[:, :, bands.index(name)], name) for name in alone),
    ]


def overlay(picture: Pixels, label: Pixels, colours: Pixels) -> Pixels:
    """Return a picture (h, w, 3) under its label: class colours, white borders, ignored hatched.

    Args:
        picture: What `pictures_of` made of the label's image.
        label: (H, W), class indices and 255.
        colours: (C, 3).
    """
    size = picture.shape[:2]
    label = _enlarged(label, size)
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(colours)] = colours
    tint = np.stack([_sized(table[:, c][label], size) for c in range(3)], axis=2)
    found = picture * (1 - TINT) + tint * TINT
    # A line of one pixel fades when it is averaged: this brings it back.
    lines = np.minimum(_share(_is_edge(label), size) * label.shape[1] / size[1], 1)
    found = _mixed(found, 255, EDGE * lines)
    hatched = np.where(_stripes(size), *HATCH)[:, :, None]
    return _mixed(found, hatched, _share(label == IGNORE_INDEX, size)).round().astype(np.uint8)


def class_colours(info: DatasetInfo) -> Pixels:
    """Return the colour of each class (C, 3): the dataset's, or well separated hues."""
    if info.colours:
        return np.array(info.colours, dtype=np.uint8)
    golden = 0.61803  # of the circle: neighbours differ however many classes there are
    hues = [
        colorsys.hsv_to_rgb(i * golden % 1, 0.65 + 0.2 * (i % 2), 0.95 - 0.2 * (i % 3))
        for i in range(len(info.classes))
    ]
    return (np.array(hues) * 255).round().astype(np.uint8)


def hatching(height: int, width: int) -> Pixels:
    """Return the pattern of ignored pixels (h, w, 3), for a legend."""
    grey = np.where(_stripes((height, width)), *HATCH).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def stretched(band: NDArray[Any]) -> Stretched:
    """Return a band (H, W) in 8 bits: as it is, or its 2nd to 98th percentile from 0 to 255.

    What is NaN is black.
    """
    if band.dtype == np.uint8:
        return Stretched(band, "")
    step = int(np.ceil(np.sqrt(band.size / SAMPLED_PX)))
    sampled = band[::step, ::step]
    numbers = sampled[np.isfinite(sampled)]
    if not numbers.size:
        return Stretched(np.zeros(band.shape, dtype=np.uint8), "no number")
    low, high = np.percentile(numbers, STRETCH)
    cut = band.astype(np.float32).clip(np.float32(low), np.float32(high))
    scaled = (cut - np.float32(low)) * np.float32(255 / max(high - low, 1e-9))
    shown = np.nan_to_num(scaled).clip(0, 255).round().astype(np.uint8)
    return Stretched(shown, f"{_number(low)} to {_number(high)}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _coloured(image: NDArray[Any], bands: Sequence[str], shown: Sequence[str]) -> Picture:
    parts = [stretched(image[:, :, bands.index(name)]) for name in shown]
    size = _picture_size(image.shape)
    channels = [_sized(part.pixels, size) for part in parts]
    title = "colours" if shown == RGB else f"{', '.join(shown)} shown as red, green, blue"
    if len(shown) == 1:
        channels, title = channels * 3, shown[0]
    note = ", ".join(part.note for part in parts if part.note)
    return Picture(title, note, np.stack(channels, axis=2))


def _grey(band: NDArray[Any], name: str) -> Picture:
    shown = stretched(band)
    pixels = _sized(shown.pixels, _picture_size(band.shape))
    return Picture(name, shown.note, np.repeat(pixels[:, :, None], 3, axis=2))


def _picture_size(shape: Sequence[int]) -> tuple[int, int]:
    """Return (h, w) of the picture of an image (H, W, ...)."""
    height, width, *_ = shape
    longest = max(height, width)
    if longest <= LONGEST_PX:
        times = LONGEST_PX // longest
        return height * times, width * times
    scale = LONGEST_PX / longest
    return max(1, round(height * scale)), max(1, round(width * scale))


def _sized(values: Pixels, size: tuple[int, int]) -> Pixels:
    """Return values (H, W) averaged or repeated to (h, w)."""
    if values.shape == size:
        return values
    # BOX repeats pixels where it enlarges in whole steps
    picture = Image.fromarray(np.ascontiguousarray(values))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BOX))


def _share(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the share of each picture's pixel that a mask (H, W) covers, (h, w)."""
    return _sized(mask.astype(np.uint8) * 255, size) / 255


def _enlarged(label: Pixels, size: tuple[int, int]) -> Pixels:
    """Return a label that is smaller than its picture in the picture's size."""
    times = max(1, size[0] // label.shape[0])
    return label.repeat(times, axis=0).repeat(times, axis=1)


def _is_edge(label: Pixels) -> NDArray[np.bool_]:
    """Return which pixels (H, W) differ from the one to the right or below."""
    edge = np.zeros(label.shape, dtype=np.bool_)
    edge[:, :-1] |= label[:, 1:] != label[:, :-1]
    edge[:-1] |= label[1:] != label[:-1]
    return edge


def _stripes(size: tuple[int, int]) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: size[0], : size[1]]
    return np.asarray((rows + columns) // HATCH_PX % 2 == 0)


def _mixed(
    under: NDArray[np.float64], over: Any, share: NDArray[np.float64]
) -> NDArray[np.float64]:
    part = share[:, :, None]
    return np.asarray(under * (1 - part) + over * part)
