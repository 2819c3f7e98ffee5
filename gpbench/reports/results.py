"""Stored fine-tunings as rows for people and JSON: percent points under their protocol."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpbench.core.plan import DatasetFacts
from gpbench.core.stage import DatasetSpec
from gpbench.metrics import Scores, majority_score, score
from gpbench.store import Result


def scores_under(total: NDArray[np.int64], dataset: DatasetSpec) -> Scores:
    """Return the scores of summed counts (C, C) under the dataset's protocol."""
    protocol = dataset.protocol
    return score(total, dataset.info.classes, protocol.excluded, protocol.absent)


def headline_value(total: NDArray[np.int64], dataset: DatasetSpec) -> float:
    """Return the protocol's own metric in percent points."""
    return 100 * scores_under(total, dataset).headline(dataset.protocol.metric)


def result_rows(
    results: Iterable[Result], datasets: Sequence[DatasetFacts]
) -> list[dict[str, Any]]:
    """Return the `results` of `gpbench.run/1`: one object per finished fine-tuning."""
    specs = {facts.name: facts.spec for facts in datasets}
    return [
        _row(result, result.total, specs[result.dataset])
        for result in results
        if result.total is not None
    ]


def _row(result: Result, total: NDArray[np.int64], dataset: DatasetSpec) -> dict[str, Any]:
    scores = scores_under(total, dataset)
    protocol = dataset.protocol
    per_class = scores.f1 if protocol.metric == "mF1" else scores.iou
    majority = majority_score(total, dataset.info.classes, protocol)
    return {
        "key": result.key,
        "strategy": result.arm,
        "backbone": result.backbone,
        "dataset": result.dataset,
        "label_fraction": result.label_fraction,
        "pretrain_seed": result.pretrain_seed,
        "finetune_seed": result.finetune_seed,
        "metric": protocol.metric,
        "protocol": f"{protocol.name}/{protocol.version}",
        "value": 100 * scores.headline(protocol.metric),
        "majority": 100 * majority,
        "per_class": {
            name: None if math.isnan(value) else 100 * float(value)
            for name, value in zip(dataset.info.classes, per_class, strict=True)
        },
    }
