"""Pixel counts of scored label maps as the document `gpbench.score/1`. Pure; percent points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import DatasetInfo, Protocol
from gpbench.core.plan import JsonObject
from gpbench.metrics import majority_score, score

SCHEMA = "gpbench.score/1"
MEASURES = ("iou", "f1", "precision", "recall")


def score_document(
    name: str,
    dataset: DatasetInfo,
    protocol: Protocol,
    counts: NDArray[np.int64],
    *,
    images: int,
    n_px: int,
) -> JsonObject:
    """Return the document; null is what is not scored, or would divide by 0.

    Args:
        name: The dataset's.
        dataset: Its classes.
        protocol: By which it is scored.
        counts: (C, C), summed over all images.
        images: How many these are.
        n_px: Pixels of all labels, ignored ones too.

    Raises:
        DataError: If no pixel is scored.
    """
    classes = dataset.classes
    scores = score(counts, classes, protocol.excluded, protocol.absent)
    kept = [i for i, name in enumerate(classes) if name not in protocol.excluded]
    scored = counts[kept]
    return {
        "schema": SCHEMA,
        "dataset": name,
        "protocol": f"{protocol.name}/{protocol.version}",
        "images": images,
        "metric": protocol.metric,
        "value": _percent(scores.headline(protocol.metric)),
        "majority": _percent(majority_score(counts, classes, protocol)),
        "accuracy": _percent(scores.accuracy),
        "per_class": {
            class_: {measure: _percent(getattr(scores, measure)[i]) for measure in MEASURES}
            for i, class_ in enumerate(classes)
        },
        "pixels": {"scored": int(scored.sum()), "left_out": int(n_px - scored.sum())},
        "absent": [classes[i] for i in kept if not counts[i].any()],
        "never_predicted": [classes[i] for i in kept if not scored[:, i].any()],
    }


def _percent(value: Any) -> float | None:
    return None if math.isnan(value) else 100 * float(value)
