"""Scores from counts under a protocol. Pure, numpy only; fractions, not percent points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import Metric, Protocol
from gpbench.core.errors import DataError, UnknownNameError

Absent = Literal["drop", "zero"]


@dataclass(frozen=True)
class Scores:
    """Fractions in [0, 1]; arrays are (C,), NaN for excluded classes and where a divisor is 0.

    A class without a pixel in the labels is absent: NaN everywhere under `drop`, 0 everywhere under
    `zero`, whatever was predicted, so that a test set has the same classes for every model. Unlike
    here, mmseg counts an absent class as 0 for models that predict it. A class that is never
    predicted has IoU 0 and no precision.
    """

    classes: tuple[str, ...]
    iou: NDArray[np.float64]
    f1: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    accuracy: float
    """Scored pixels that are predicted rightly."""
    miou: float
    """Mean of the IoUs that are not NaN."""
    mf1: float
    """Mean of the F1s that are not NaN."""

    def headline(self, metric: Metric) -> float:
        """Return the mean that a protocol's `metric` names."""
        return self.miou if metric == "mIoU" else self.mf1


def score(
    counts: NDArray[np.int64],
    classes: Sequence[str],
    excluded: Sequence[str] = (),
    absent: Absent = "drop",
) -> Scores:
    """Return the scores of counts (C, C) summed over all images of a test set.

    Pixels of excluded classes are not scored, whatever was predicted on them.

    Raises:
        DataError: If no pixel is scored, or a scored one was predicted as an excluded class.
        UnknownNameError: If an excluded class is none of the classes.
    """
    kept = _kept(counts, classes, excluded)
    counts = np.where(kept[:, None], counts, 0)
    _check(counts, classes, kept)
    hit, true, predicted = _areas(counts)
    iou, f1 = _overlaps(counts, kept, absent)
    precision, recall = _ratio(hit, predicted), _ratio(hit, true)
    for values in (precision, recall):
        values[kept & (true == 0)] = _of_absent(absent)
    return Scores(
        classes=tuple(classes),
        iou=iou,
        f1=f1,
        precision=precision,
        recall=recall,
        accuracy=float(hit.sum() / true.sum()),
        miou=float(np.nanmean(iou)),
        mf1=float(np.nanmean(f1)),
    )


@dataclass(frozen=True)
class MeanScores:
    """The means of `Scores` of many tables of counts, (N,) fractions in [0, 1]."""

    miou: NDArray[np.float64]
    mf1: NDArray[np.float64]

    def headline(self, metric: Metric) -> NDArray[np.float64]:
        """Return the means that a protocol's `metric` names."""
        return self.miou if metric == "mIoU" else self.mf1


def mean_scores(
    counts: NDArray[np.int64],
    classes: Sequence[str],
    excluded: Sequence[str] = (),
    absent: Absent = "drop",
) -> MeanScores:
    """Return the means that `score` gives each of the counts (N, C, C), N at least 1, at once.

    Raises:
        DataError: As `score`.
        UnknownNameError: As `score`.
    """
    kept = _kept(counts[0], classes, excluded)
    counts = np.where(kept[:, None], counts, 0)
    wrong = counts[:, :, ~kept].any(axis=(1, 2)) | ~counts.any(axis=(1, 2))
    for index in np.flatnonzero(wrong)[:1]:
        _check(counts[index], classes, kept)
    iou, f1 = _overlaps(counts, kept, absent)
    return MeanScores(np.nanmean(iou, axis=1), np.nanmean(f1, axis=1))


def majority_score(counts: NDArray[np.int64], classes: Sequence[str], protocol: Protocol) -> float:
    """Return the headline score in [0, 1] of always predicting the commonest class of the labels.

    Excluded classes are not counted; ties go to the first class.
    """
    kept = _kept(counts, classes, protocol.excluded)
    true = np.where(kept, counts.sum(axis=1), 0)
    constant = np.zeros_like(counts)
    constant[:, true.argmax()] = true
    scores = score(constant, classes, protocol.excluded, protocol.absent)
    return scores.headline(protocol.metric)


def _kept(
    counts: NDArray[np.int64], classes: Sequence[str], excluded: Sequence[str]
) -> NDArray[np.bool_]:
    """Return which classes are scored (C,)."""
    if counts.shape != (len(classes), len(classes)):
        raise DataError(
            f"counts of shape {counts.shape} do not belong to {len(classes)} classes: "
            "were they made for another version of the dataset?"
        )
    for name in excluded:
        if name not in classes:
            raise UnknownNameError("excluded class", name, classes)
    return np.array([name not in excluded for name in classes])


def _check(counts: NDArray[np.int64], classes: Sequence[str], kept: NDArray[np.bool_]) -> None:
    if not counts.any():
        raise DataError(
            "no pixel can be scored: every label is ignored or of an excluded class; "
            "check the labels of the test split"
        )
    for index in np.flatnonzero(~kept & counts.any(axis=0)).tolist():
        raise DataError(
            f"{counts[:, index].sum()} scored pixel(s) are predicted as '{classes[index]}', "
            "which the protocol excludes: leave excluded classes out before the best is taken"
        )


def _areas(
    counts: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels (..., C) that are right, labelled and predicted as each class."""
    return counts.diagonal(axis1=-2, axis2=-1), counts.sum(axis=-1), counts.sum(axis=-2)


def _overlaps(
    counts: NDArray[np.int64], kept: NDArray[np.bool_], absent: Absent
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return IoU and F1 (..., C) of checked counts."""
    hit, true, predicted = _areas(counts)
    iou = _ratio(hit, true + predicted - hit)
    f1 = _ratio(2 * hit, true + predicted)
    for values in (iou, f1):
        values[kept & (true == 0)] = _of_absent(absent)
    return iou, f1


def _of_absent(absent: Absent) -> float:
    return math.nan if absent == "drop" else 0.0


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
