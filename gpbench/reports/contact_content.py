"""What a contact sheet shows of a dataset: pictures, classes and their shares. No files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.api import Label
from gpbench.core.dataset import IGNORE_INDEX, DatasetInfo, ImageRef, Protocol, Split
from gpbench.core.errors import DataError
from gpbench.reports.pictures import (
    STRETCH,
    Picture,
    Pixels,
    class_colours,
    overlay,
    pictures_of,
)

Sample = tuple[ImageRef, NDArray[Any], Label | None]
"""An image (H, W, C) in raw dtype and its label (H, W)."""


@dataclass(frozen=True)
class Subject:
    """The dataset that is shown, and the split that its images are of."""

    name: str
    info: DatasetInfo
    protocol: Protocol
    split: Split
    n_images: int
    """In the split."""


@dataclass(frozen=True)
class PixelCounts:
    """Pixels of several labels; `of` says in words whose."""

    of: str
    classes: NDArray[np.int64]
    """(C,)"""
    ignored: int


@dataclass(frozen=True)
class Example:
    """One image as it is shown: in colours, band by band, and under its label."""

    name: str
    facts: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class ClassShare:
    """One class of the legend; percent of the labelled pixels."""

    name: str
    colour: str
    percent: float
    excluded: bool
    """By the protocol."""

    @property
    def text(self) -> str:
        """Return the share as a person reads it."""
        return _share_text(self.percent) if self.percent else "absent"


@dataclass(frozen=True)
class ContactSheet:
    """All that a contact sheet shows."""

    title: str
    name: str
    facts: tuple[tuple[str, str], ...]
    examples: tuple[Example, ...]
    counted: str
    classes: tuple[ClassShare, ...]
    ignored: float
    """Percent of all pixels."""
    remarks: tuple[str, ...]
    terms: str

    @property
    def ignored_text(self) -> str:
        """Return the share of ignored pixels as a person reads it."""
        return f"{_share_text(self.ignored)} of all" if self.ignored else "none"


def contact_sheet(
    subject: Subject, samples: Iterable[Sample], split_counts: PixelCounts | None
) -> ContactSheet:
    """Return what the sheet of a dataset shows.

    Raises:
        DataError: If an image has not the declared bands.
    """
    info, protocol = subject.info, subject.protocol
    colours = class_colours(info)
    values = np.zeros(256, dtype=np.int64)
    examples = []
    for ref, image, label in samples:
        examples.append(_example(ref, image, label, info, colours))
        if label is not None:
            values += np.bincount(label.reshape(-1), minlength=256)
        del image, label  # before the next is read: they may be large
    shown = PixelCounts(
        f"the {images_text(len(examples))} shown",
        values[: len(info.classes)],
        int(values[IGNORE_INDEX]),
    )
    counts = split_counts or shown
    return ContactSheet(
        title=info.title,
        name=subject.name,
        facts=_facts(subject, len(examples)),
        examples=tuple(examples),
        counted=counts.of,
        classes=_classes(counts, info, protocol, colours),
        ignored=100 * counts.ignored / max(int(counts.classes.sum()) + counts.ignored, 1),
        remarks=_remarks(info, examples),
        terms=info.licence,
    )


def _example(
    ref: ImageRef, image: NDArray[Any], label: Label | None, info: DatasetInfo, colours: Pixels
) -> Example:
    bands = [band.name for band in info.bands]
    if image.ndim != 3 or image.shape[2] != len(bands):
        raise DataError(
            f"image '{ref.name}' is an array of shape {image.shape}; (height, width, {len(bands)}) "
            f"is declared: one channel for each of {', '.join(bands)}",
            "pixels",
        )
    pictures = pictures_of(image, bands)
    height, width = image.shape[:2]
    facts = [f"{height} x {width} px", image.dtype.name, *ref.tags]
    if ref.scene != ref.name:
        facts.append(f"scene {ref.scene}")
    if label is None:
        facts.append("no label")
    else:
        pictures.append(Picture("label", "", overlay(pictures[0].pixels, label, colours)))
    return Example(_text(ref.name), _text(", ".join(facts)), tuple(pictures))


def _text(name: str) -> str:
    """Return a name, which may come from a file's, without bytes that are no text."""
    return name.encode(errors="replace").decode()


def _facts(subject: Subject, n_shown: int) -> tuple[tuple[str, str], ...]:
    info, protocol = subject.info, subject.protocol
    tiles = f"tiles of {protocol.tile_px} px every {protocol.stride_px} px"
    facts = [
        ("dataset", f"{subject.name}, version {info.version}"),
        ("bands", ", ".join(band.name for band in info.bands)),
        ("images", f"{n_shown} of {subject.n_images:,} in the {subject.split} split"),
        ("protocol", f"{protocol.name}/{protocol.version}: {protocol.metric}, {tiles}"),
        ("metres per pixel", "" if info.gsd_m is None else f"{info.gsd_m:g}"),
        ("reference", info.reference),
    ]
    return tuple((about, says) for about, says in facts if says)


def _classes(
    counts: PixelCounts, info: DatasetInfo, protocol: Protocol, colours: Pixels
) -> tuple[ClassShare, ...]:
    percent = 100 * counts.classes / max(int(counts.classes.sum()), 1)
    return tuple(
        ClassShare(
            name,
            "#{:02x}{:02x}{:02x}".format(*colours[i].tolist()),
            float(percent[i]),
            name in protocol.excluded,
        )
        for i, name in enumerate(info.classes)
    )


def _remarks(info: DatasetInfo, examples: Sequence[Example]) -> tuple[str, ...]:
    stretched = any(picture.note for example in examples for picture in example.pictures)
    low, high = STRETCH
    remarks = {
        "Synthetic: made by a program.": info.synthetic,
        f"Bands that are not 8-bit are shown from their {low}nd to their {high}th percentile in "
        "each image, whose values are given.": stretched,
    }
    return tuple(remark for remark, holds in remarks.items() if holds)


def images_text(n: int) -> str:
    """Return "1 image", "4 images"."""
    return f"{n:,} image" if n == 1 else f"{n:,} images"


def _share_text(percent: float) -> str:
    return "< 0.001 %" if percent < 0.001 else f"{percent:.3g} %"
