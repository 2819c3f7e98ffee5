"""mmsegmentation's patches, put together to the images that they were cut from.

Its converters cut an image into overlapping patches and note in each name where the patch lay. Put
together again, a dataset has the same images in every layout, and no pixel counts twice. Labels are
those that the converter wrote: where it read a label picture differently (Potsdam's tiles 4_12 and
6_7), they and the scores differ from the official files'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpbench.api import DataError, Image, ImageRef, Label, Problem, Split
from gpbench_datasets._published import Listing, files_below

IMAGES, LABELS = "img_dir", "ann_dir"
SPLITS: Mapping[str, Split] = {"train": "train", "val": "test"}
"""Folder -> split: where test labels are withheld, the official val is what papers report."""
AGAIN = "convert the dataset again, or use the official files"


class Box(NamedTuple):
    """Where a patch lay: rows y0 up to y1, columns x0 up to x1 (without the last)."""

    y0: int
    y1: int
    x0: int
    x1: int


class PatchLayout:
    """`img_dir/{train,val}` and `ann_dir/{train,val}` with patches: a Layout.

    Args:
        image_name, label_name: Match the whole name of a patch file, with the groups `name` (of the
            source image), `y0`, `y1`, `x0`, `x1`.
        read_image: File -> (H, W, C).
        read_label: File -> (H, W) uint8, values as gpbench hands them on.
        counts: Split -> image patches that the whole dataset has, where that is known.
    """

    name = "mmsegmentation's patches"

    def __init__(
        self,
        image_name: re.Pattern[str],
        label_name: re.Pattern[str],
        read_image: Callable[[Path], Image],
        read_label: Callable[[Path], Label],
        counts: Mapping[Split, int] | None = None,
    ) -> None:
        self.image_name, self.label_name = image_name, label_name
        self.read_image, self.read_label = read_image, read_label
        self.counts = counts or {}

    def is_at(self, root: Path) -> bool:
        return any((root / IMAGES / folder).is_dir() for folder in SPLITS)

    def listing(self, root: Path) -> Listing:
        """Return the images of which every patch and its label are there, sorted by name."""
        listing = Listing()
        for folder, split in SPLITS.items():
            images = _found(root, f"{IMAGES}/{folder}", self.image_name, listing.problems)
            labels = _found(root, f"{LABELS}/{folder}", self.label_name, listing.problems)
            patches = sum(map(len, images.values()))
            if patches != self.counts.get(split, patches):
                text = f"the {split} split has {patches:,} patches"
                text += f"; the card says {self.counts[split]:,}"
                listing.problems.append(Problem("count", text))
            refs = listing.images.setdefault(split, [])
            for name in sorted({*images, *labels}):
                parts, masks = images.get(name, {}), labels.get(name, {})
                wrong = list(_incomplete(root, name, parts, masks))
                listing.problems += wrong
                if not wrong:
                    boxes = sorted(parts)
                    files = [each[box] for each in (parts, masks) for box in boxes]
                    refs.append(ImageRef(name, scene=name, files=tuple(files)))
        return listing

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label]:
        half = len(ref.files) // 2
        image = put_together(root, ref.files[:half], self.image_name, self.read_image)
        label = put_together(root, ref.files[half:], self.label_name, self.read_label)
        return image, label

    def label_at(self, ref: ImageRef, at: tuple[int, int]) -> str:
        """Return the label file of a patch that holds the pixel (row, column) of the image."""
        labels = ref.files[len(ref.files) // 2 :]
        boxes = {file: _named_box(file, self.label_name) for file in labels}
        return next(
            file
            for file, box in boxes.items()
            if box.y0 <= at[0] < box.y1 and box.x0 <= at[1] < box.x1
        )


def put_together(
    root: Path,
    files: Sequence[str],
    name: re.Pattern[str],
    read: Callable[[Path], NDArray[Any]],
) -> NDArray[Any]:
    """Return the whole picture, (H, W, C) or (H, W) as `read` returns patches.

    Raises:
        DataError: If a patch has another size or type than declared, two differ where they overlap
            (names both), or no patch covers a pixel (names the first).
    """
    boxes = {file: _named_box(file, name) for file in files}
    gap = first_gap(boxes.values())
    if gap:
        raise DataError(f"no patch covers {place(gap)}: {root / files[0]} ...; {AGAIN}", "missing")
    height = max((box.y1 for box in boxes.values()), default=0)
    width = max((box.x1 for box in boxes.values()), default=0)
    whole: NDArray[Any] | None = None
    for number, (file, box) in enumerate(boxes.items()):
        patch = read(root / file)
        if whole is None:
            whole = np.empty((height, width, *patch.shape[2:]), dtype=patch.dtype)
        _check_patch(patch, box, whole, root / file)
        for earlier, there in islice(boxes.items(), number):
            at = _first_difference(whole, patch, box, there)
            if at:
                raise DataError(
                    f"{root / earlier} and {root / file} overlap and differ at {place(at)} of "
                    f"their image: they were not cut from one picture; {AGAIN}",
                    "pixels",
                )
        whole[box.y0 : box.y1, box.x0 : box.x1] = patch
    if whole is None:
        raise ValueError("there is nothing to put together")
    return whole


def first_gap(boxes: Collection[Box]) -> tuple[int, int] | None:
    """Return (row, column) of the topmost pixel that no box covers, from 0 to the farthest edge."""
    ys = sorted({0, *(edge for box in boxes for edge in box[:2])})
    xs = sorted({0, *(edge for box in boxes for edge in box[2:])})
    row, column = {y: i for i, y in enumerate(ys)}, {x: i for i, x in enumerate(xs)}
    covered = np.zeros((len(ys) - 1, len(xs) - 1), dtype=bool)
    for y0, y1, x0, x1 in boxes:
        covered[row[y0] : row[y1], column[x0] : column[x1]] = True
    gaps = np.argwhere(~covered)
    return (ys[gaps[0, 0]], xs[gaps[0, 1]]) if len(gaps) else None


def without_padding(image: Image, label: Label, value: int) -> tuple[Image, Label]:
    """Return both without the last rows and columns in which every label is `value`."""
    real = label != value
    height = int(np.flatnonzero(real.any(axis=1)).max(initial=-1)) + 1
    width = int(np.flatnonzero(real.any(axis=0)).max(initial=-1)) + 1
    return image[:height, :width], label[:height, :width]


def false_padding(image: Image, label: Label, value: int) -> tuple[int, int] | None:
    """Return the first pixel whose label is `value` though it is no padding, if there is one.

    Padding is what `without_padding` cuts off, and the image is 0 there.
    """
    _, kept = without_padding(image, label, value)
    false = label == value
    height, width = kept.shape
    false[height:] &= image[height:].any(axis=2)
    false[:height, width:] &= image[:height, width:].any(axis=2)
    if not false.any():
        return None
    row, column = np.unravel_index(false.argmax(), false.shape)
    return int(row), int(column)


def place(at: tuple[int, int]) -> str:
    """Return where a pixel (row, column) is, for a person."""
    return f"row {at[0]}, column {at[1]}"


def _found(
    root: Path, folder: str, pattern: re.Pattern[str], problems: list[Problem]
) -> dict[str, dict[Box, str]]:
    """Return source image -> box -> file below the root."""
    found: dict[str, dict[Box, str]] = {}
    for file in files_below(root, f"{folder}/*.png"):
        match = pattern.fullmatch(Path(file).name)
        if match is None:
            text = f"{root / file} is not named like a patch; names match {pattern.pattern}"
            problems.append(Problem("names", text))
            continue
        found.setdefault(match["name"], {})[_box(match)] = file
    return found


def _incomplete(
    root: Path, name: str, images: Mapping[Box, str], labels: Mapping[Box, str]
) -> Iterator[Problem]:
    unlabelled = sorted(file for box, file in images.items() if box not in labels)
    if unlabelled:
        text = f"{len(unlabelled)} of the {len(images)} patches of '{name}' have no label, first"
        yield Problem("unlabelled", f"{text} {root / unlabelled[0]}")
    missing = sorted(file for box, file in labels.items() if box not in images)
    if missing:
        text = f"{len(missing)} of the {len(labels)} label patches of '{name}' have no image, first"
        yield Problem("missing", f"{text} {root / missing[0]}")
    gap = first_gap(images)
    if gap:
        text = f"no patch of '{name}' covers {place(gap)}"
        yield Problem("missing", f"{text}: {root / min(images.values())} ...; {AGAIN}")


def _named_box(file: str, pattern: re.Pattern[str]) -> Box:
    match = pattern.fullmatch(Path(file).name)
    if match is None:
        raise ValueError(f"{file} is not named like a patch")
    return _box(match)


def _box(match: re.Match[str]) -> Box:
    y0, y1, x0, x1 = (int(match[edge]) for edge in ("y0", "y1", "x0", "x1"))
    # Of an image smaller than a patch and not padded, the converters slice from a negative start,
    # which counts from the far edge: they lose what lies before it.
    return Box(max(0, y1 + y0) if y0 < 0 else y0, y1, max(0, x1 + x0) if x0 < 0 else x0, x1)


def _check_patch(patch: NDArray[Any], box: Box, whole: NDArray[Any], path: Path) -> None:
    height, width = box.y1 - box.y0, box.x1 - box.x0
    if patch.shape[:2] != (height, width):
        raise DataError(
            f"{path} is {patch.shape[0]} x {patch.shape[1]} pixels (height x width); its name "
            f"says {height} x {width}",
            "size",
        )
    if patch.shape[2:] != whole.shape[2:] or patch.dtype != whole.dtype:
        raise DataError(
            f"{path} has pixels of {_kind(patch)}, the patches of its image before it "
            f"{_kind(whole)}",
            "pixels",
        )


def _first_difference(
    whole: NDArray[Any], patch: NDArray[Any], box: Box, there: Box
) -> tuple[int, int] | None:
    """Return where in the whole a patch is unlike what an earlier one, `there`, left."""
    y0, y1 = max(box.y0, there.y0), min(box.y1, there.y1)
    x0, x1 = max(box.x0, there.x0), min(box.x1, there.x1)
    if y0 >= y1 or x0 >= x1:
        return None
    kept = whole[y0:y1, x0:x1]
    new = patch[y0 - box.y0 : y1 - box.y0, x0 - box.x0 : x1 - box.x0]
    if np.array_equal(kept, new):
        return None
    first = np.argwhere(kept != new)[0]
    return y0 + int(first[0]), x0 + int(first[1])


def _kind(pixels: NDArray[Any]) -> str:
    channels = pixels.shape[2] if pixels.ndim > 2 else 1
    return f"{channels} channel(s) of {pixels.dtype}"
