"""Confusion counting of one image against the peers', on one thread each, in the same run.

mmseg's function counts less (hits and areas per class, no matrix) and checks nothing; torchmetrics
is shown with and without its checks. Ours always checks labels and predictions.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from mmseg.evaluation.metrics.iou_metric import IoUMetric
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from torchmetrics.classification import MulticlassConfusionMatrix

from gpbench.metrics import confusion_counts

C = 16
SIDES_PX = (256, 1024)
Map = NDArray[np.uint8]
Counter = Callable[[Map, Map], NDArray[np.int64]]


def segmentation(side_px: int) -> tuple[Map, Map]:
    """Return labels in squares of 16 pixels, a strip ignored, and predictions 80 % right."""
    rng = np.random.default_rng(0)
    squares = rng.integers(0, C, (side_px // 16, side_px // 16), dtype=np.uint8)
    labels = squares.repeat(16, axis=0).repeat(16, axis=1)
    other = rng.integers(0, C, labels.shape, dtype=np.uint8)
    predictions = np.where(rng.random(labels.shape) < 0.8, labels, other)
    labels[: side_px // 20] = 255
    return labels, predictions


def ours(labels: Map, predictions: Map) -> NDArray[np.int64]:
    """Return the matrix (C, C)."""
    return confusion_counts(labels, predictions, C)


def mmseg_areas(labels: Map, predictions: Map) -> NDArray[np.int64]:
    """Return the hits per class (C,)."""
    areas = IoUMetric.intersect_and_union(
        torch.from_numpy(predictions), torch.from_numpy(labels), C, 255
    )
    return np.asarray(areas[0], dtype=np.int64)


def torchmetrics_matrix(*, validate_args: bool) -> Counter:
    """Return what counts the matrix (C, C) with one metric object, emptied for every image."""
    metric = MulticlassConfusionMatrix(C, ignore_index=255, validate_args=validate_args)

    def count(labels: Map, predictions: Map) -> NDArray[np.int64]:
        metric.reset()
        metric.update(torch.from_numpy(predictions), torch.from_numpy(labels))
        return np.asarray(metric.confmat)

    return count


COUNTERS: dict[str, Counter] = {
    "gpbench": ours,
    "torchmetrics": torchmetrics_matrix(validate_args=True),
    "torchmetrics, unchecked": torchmetrics_matrix(validate_args=False),
    "mmseg": mmseg_areas,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Give torch one thread, as numpy has: waiting for a second on a busy machine costs more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("side_px", SIDES_PX)
def bench_confusion(benchmark: BenchmarkFixture, side_px: int, name: str) -> None:
    benchmark.group = f"confusion counts, {side_px} x {side_px} px, {C} classes, one thread"
    labels, predictions = segmentation(side_px)
    counted = benchmark(COUNTERS[name], labels, predictions)
    expected = ours(labels, predictions)
    np.testing.assert_array_equal(counted, expected if counted.ndim == 2 else expected.diagonal())
