"""Two folders of label maps, predictions by any tool and the labels, as pixel counts."""

from __future__ import annotations

import glob
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import IGNORE_INDEX
from gpbench.core.errors import DataError
from gpbench.core.problems import Problem
from gpbench.metrics import confusion_counts
from gpbench.readers.label import colour_text, mapped, read_colours, read_label

SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
"""Of files that keep every value; JPEG does not."""


@dataclass(frozen=True)
class Meaning:
    """What the values of label maps mean: class index or IGNORE_INDEX of each.

    `colours` are 0xRRGGBB, for pictures in class colours; empty: there are none.
    """

    values: Mapping[int, int]
    colours: Mapping[int, int]
    hints: Mapping[int, str] = field(default_factory=dict)
    """What else a value may mean that means nothing here."""

    def read(self, path: Path) -> NDArray[np.uint8]:
        """Return a label map (H, W): one channel holds values, three hold colours.

        Raises:
            DataError: If it cannot be read, or holds what means nothing: says how often and where
                first.
        """
        try:
            values = read_label(path)
        except DataError:  # colours, unless nothing can be read
            return mapped(self._coloured(path), self.colours, str(path), colour_text)
        try:
            return mapped(values, self.values, str(path))
        except DataError as error:
            hints = [hint for value, hint in self.hints.items() if (values == value).any()]
            raise DataError("; ".join([str(error), *hints]), error.kind) from None

    def _coloured(self, path: Path) -> NDArray[np.uint32]:
        try:
            colours = read_colours(path)
        except DataError as error:
            if error.kind != "label":
                raise
            raise DataError(
                f"{path} is neither one channel of whole numbers nor 8-bit red, green and blue in "
                "class colours: were probabilities saved?",
                "label",
            ) from error
        if not self.colours:
            raise DataError(f"{path} is in colours; the dataset's classes have none", "label")
        return colours


def meaning_of_labels(
    n_classes: int, colours: Mapping[int, int], *, reduce_zero: bool = False
) -> Meaning:
    """Return what labels mean: value i is class i, 255 is ignored.

    With `reduce_zero` value 0 is ignored too, and i + 1 is class i.
    """
    ignored = [0, IGNORE_INDEX] if reduce_zero else [IGNORE_INDEX]
    values = {i + reduce_zero: i for i in range(n_classes)}
    hints = {} if reduce_zero else {n_classes: "are labels counted from 1? --reduce-zero-label"}
    return Meaning(values | dict.fromkeys(ignored, IGNORE_INDEX), colours, hints)


def meaning_of_predictions(
    n_classes: int, colours: Mapping[int, int], *, one_based: bool = False
) -> Meaning:
    """Return what predictions mean: value i is class i, with `one_based` i + 1; none is ignored."""
    classes = {colour: i for colour, i in colours.items() if i != IGNORE_INDEX}
    hint = "are predictions counted from 1? --one-based-predictions"
    hints = {} if one_based else {n_classes: hint}
    return Meaning({i + one_based: i for i in range(n_classes)}, classes, hints)


@dataclass(frozen=True)
class Pair:
    """A prediction and the label that it is scored by."""

    prediction: Path
    label: Path


def paired(
    predictions: Path, labels: Path, label_suffix: str = ""
) -> tuple[list[Pair], list[Problem]]:
    """Return the pairs in the labels' folders, sorted, and what lacks its other half.

    Two files belong together if their paths below the folders are equal but for the suffix: `.png`
    and `.tif` may differ.

    Args:
        predictions: A folder of label maps, at any depth.
        labels: Likewise.
        label_suffix: Ends the names of labels, and is no part of those of predictions; files that
            do not end so are no labels.

    Raises:
        DataError: If one of them is no folder, or holds no label map.
    """
    problems: list[Problem] = []
    predicted = _by_name(predictions, "", problems)
    true = _by_name(labels, label_suffix, problems)
    problems += [
        Problem("missing", f"{predictions / name} is missing (png, tif or bmp), of {true[name]}")
        for name in true.keys() - predicted.keys()
    ]
    problems += [
        Problem("unlabelled", f"{predicted[name]} has no label {labels / name}{label_suffix}")
        for name in predicted.keys() - true.keys()
    ]
    pairs = [Pair(predicted[name], true[name]) for name in sorted(true.keys() & predicted.keys())]
    return pairs, sorted(problems, key=lambda problem: problem.text)


@dataclass(frozen=True)
class Counted:
    """Pixels of all pairs that could be counted, and what is wrong with the others."""

    counts: NDArray[np.int64]
    """(C, C): rows are true classes, columns predicted ones."""
    n_px: int
    """Those whose label is ignored too."""
    problems: tuple[Problem, ...]


def count_pairs(
    pairs: Sequence[Pair],
    of_labels: Meaning,
    of_predictions: Meaning,
    classes: Sequence[str],
    excluded: Collection[str] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Counted:
    """Return the summed counts of all pairs; one pair is held at a time.

    Args:
        pairs: From `paired`.
        of_labels: What the labels' values mean.
        of_predictions: What the predictions' values mean.
        classes: C names.
        excluded: Classes that must not be predicted where another class is scored.
        progress: Called with the numbers of pairs done and of all.
    """
    left_out = [i for i, name in enumerate(classes) if name in excluded]
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    problems: list[Problem] = []
    n_px = 0
    for done, pair in enumerate(pairs, start=1):
        true, predicted = (
            _read(meaning, path, problems)
            for meaning, path in ((of_labels, pair.label), (of_predictions, pair.prediction))
        )
        if true is not None and predicted is not None:
            if true.shape == predicted.shape:
                found = confusion_counts(true, predicted, len(classes))
                counts += found
                n_px += true.size
                problems += _excluded(pair, true, predicted, found, classes, left_out)
            else:
                problems.append(_unlike_sizes(pair, true, predicted))
        progress(done, len(pairs))
    return Counted(counts, n_px, tuple(problems))


def _by_name(folder: Path, ending: str, problems: list[Problem]) -> dict[str, Path]:
    """Return relative path without suffix and ending -> file; notes names that occur twice."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder")
    found: dict[str, Path] = {}
    for text in sorted(glob.iglob("**/*", root_dir=folder, recursive=True)):  # noqa: PTH207  Path's follows no links
        file = PurePosixPath(text)
        if file.suffix.lower() not in SUFFIXES or not file.stem.endswith(ending):
            continue
        name = str(file.with_suffix("")).removesuffix(ending)
        if name in found:
            both = f"{found[name]} and {folder / file} have one name"
            problems.append(Problem("names", both))
        found.setdefault(name, folder / file)
    if not found:
        named = f" whose name ends with '{ending}'" if ending else ""
        raise DataError(f"{folder} holds no label map{named} (png, tif or bmp, at any depth)")
    return found


def _read(meaning: Meaning, path: Path, problems: list[Problem]) -> NDArray[np.uint8] | None:
    """Return a label map; where something is wrong, note that and return None."""
    try:
        return meaning.read(path)
    except DataError as error:
        problems.append(Problem(error.kind, str(error)))
        return None


def _excluded(
    pair: Pair,
    true: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    counts: NDArray[np.int64],
    classes: Sequence[str],
    left_out: Sequence[int],
) -> Iterator[Problem]:
    kept = np.delete(counts, left_out, axis=0)
    for index in left_out:
        n_px = kept[:, index].sum()
        if n_px:
            wrong = (predicted == index) & ~np.isin(true, [*left_out, IGNORE_INDEX])
            row, column = divmod(int(wrong.argmax()), wrong.shape[1])
            yield Problem(
                "label",
                f"{pair.prediction} predicts '{classes[index]}' on {n_px} scored pixel(s), first "
                f"at row {row}, column {column}; the protocol excludes that class: take the best "
                "of the others there",
            )


def _unlike_sizes(pair: Pair, true: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> Problem:
    sizes = ["{} x {}".format(*each.shape) for each in (predicted, true)]
    return Problem(
        "size",
        f"{pair.prediction} is {sizes[0]} pixels (height x width), its label {pair.label} "
        f"{sizes[1]}: resize predictions to the label's size before classes are chosen",
    )
