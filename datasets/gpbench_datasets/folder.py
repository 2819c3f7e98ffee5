"""Any images and labels in a folder, described by a card: folder[card=FILE.yaml]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gpbench.api import (
    IGNORE_INDEX,
    Band,
    DataError,
    DatasetInfo,
    EvaluationProtocol,
    Image,
    ImageRef,
    Label,
    Problem,
    Split,
)
from gpbench.readers.card import Card, ImageFiles, read_card
from gpbench.readers.image import read_image
from gpbench.readers.label import (
    colour_code,
    colour_text,
    identified,
    mapped,
    read_colours,
    read_label,
    thresholded,
)
from gpbench_datasets._folder_files import listing

KEY_FIELDS = {"name", "bands", "classes", "images", "labels", "splits", "scene", "scenes"}
"""What of a card decides pixels, labels, splits and scenes; the protocol enters a key by itself."""


@dataclass(frozen=True)
class Params:
    """The parameters of the selector `folder[...]`."""

    card: Path
    """The YAML file, relative to the folder that gpbench is called in."""


class FolderDataset:
    """The dataset that a card describes. It opens no file before it is asked for images."""

    def __init__(self, card: Card, default_root: Path) -> None:
        self.card = card
        self.name = f"folder:{card.name}"
        self.default_root = default_root
        """Where the files lie unless --data-root says otherwise."""
        colours = [colour_code(card.colours[name]) for name in card.classes if card.colours]
        self.info = DatasetInfo(
            title=card.title or card.name,
            version=card.version,
            bands=tuple(Band(name) for name in card.bands),
            classes=card.classes,
            gsd_m=card.gsd_m,
            licence=card.licence,
            reference=card.reference,
            colours=tuple((code >> 16, code >> 8 & 255, code & 255) for code in colours),
            synthetic=card.synthetic,
            images_may_be_shown=card.images_may_be_shown,
        )
        self.protocol = EvaluationProtocol(**card.protocol.model_dump())

    @property
    def label_colours(self) -> Mapping[int, int]:
        """Return 0xRRGGBB -> label; where labels hold values, of the colours for pictures."""
        labels, index = self.card.labels, self._index
        if labels.colours is None:
            return {colour_code(text): index[name] for name, text in self.card.colours.items()}
        classes = {colour_code(text): index[name] for text, name in labels.colours.items()}
        return classes | {colour_code(str(text)): IGNORE_INDEX for text in labels.ignore}

    @property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.card.classes)}

    def layout(self, root: Path) -> str:
        """Return that the files lie as the card says.

        Raises:
            DatasetNotFoundError: If they do not at all.
        """
        listing(self.card, self.name, root)
        return "as the card says"

    def problems(self, root: Path) -> Sequence[Problem]:
        """Return what is wrong with lists, names, numbers and scenes, and which files are absent.

        Where a `glob` or `regex` finds the images, one that is absent cannot be missed.
        """
        return listing(self.card, self.name, root).problems

    def images(self, root: Path, split: Split) -> Sequence[ImageRef]:
        """Return the images of a split whose files are there, by list file or sorted by name."""
        return listing(self.card, self.name, root, [split]).images[split]

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label | None]:
        """Return the bands of all files of an image, one after another, and its label.

        Raises:
            DataError: If sizes, channels or label values are not as declared; names the file.
        """
        *image_files, label_file = (root / path for path in ref.files)
        parts = [
            _channels(path, files)
            for path, files in zip(image_files, self.card.images, strict=True)
        ]
        label = self._label(label_file)
        for path, pixels in zip([*image_files[1:], label_file], [*parts[1:], label], strict=True):
            if pixels.shape[:2] != parts[0].shape[:2]:
                raise DataError(
                    f"{path} is {_size(pixels)} pixels (height x width), and {image_files[0]} "
                    f"{_size(parts[0])}: the files of an image must have one size",
                    "size",
                )
        image = np.concatenate(parts, axis=2)  # uint8 and uint16 meet in uint16, floats in float32
        self._check_bands(image, " + ".join(map(str, image_files)))
        return image, label

    def _check_bands(self, image: Image, where: str) -> None:
        bands = self.card.bands
        if image.shape[2] != len(bands):
            raise DataError(
                f"{where} has {image.shape[2]} channel(s); the card names {len(bands)} band(s): "
                f"{', '.join(bands)}",
                "pixels",
            )
        if image.dtype == np.float32 and not np.isfinite(image).all():
            raise DataError(f"{where} holds pixels that are NaN or infinite: fill them", "pixels")

    def _label(self, path: Path) -> Label:
        labels, where, index = self.card.labels, str(path), self._index
        if labels.colours is not None:
            return mapped(read_colours(path), self.label_colours, where, colour_text)
        values = read_label(path)
        ignored = {int(value) for value in labels.ignore}
        if labels.values is not None:
            table = {value: index[name] for value, name in labels.values.items()}
            return mapped(values, table | dict.fromkeys(ignored, IGNORE_INDEX), where)
        if labels.above is not None:
            halves = thresholded(values, labels.above)
            return np.where(np.isin(values, list(ignored)), np.uint8(IGNORE_INDEX), halves)
        return identified(values, len(index), {*ignored, IGNORE_INDEX}, where)


class Folder:
    """Makes a dataset from a card."""

    params: ClassVar[type] = Params

    def configured(self, params: Params) -> tuple[str, FolderDataset, Mapping[str, Any]]:
        """Return `folder:NAME`, the dataset, and what of the card enters a key.

        Where the files lie, title, licence and the like do not: they change no number.

        Raises:
            ConfigError: If the card is wrong.
        """
        card = read_card(params.card)
        dataset = FolderDataset(card, params.card.parent / card.root)
        return dataset.name, dataset, card.model_dump(mode="json", include=KEY_FIELDS)


def _channels(path: Path, files: ImageFiles) -> Image:
    pixels = read_image(path)
    if files.channels is None:
        return pixels
    if max(files.channels) >= pixels.shape[2]:
        raise DataError(
            f"{path} has {pixels.shape[2]} channel(s); the card takes "
            f"{list(files.channels)}, counted from 0",
            "pixels",
        )
    return pixels[:, :, list(files.channels)]


def _size(pixels: Image | Label) -> str:
    return f"{pixels.shape[0]} x {pixels.shape[1]}"


PLUGIN = Folder()
