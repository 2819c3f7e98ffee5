"""Comparisons to report on, made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.images import CountsByScene
from gpbench.compare.study import Study, StudyDataset
from tests.compare.made import pretrained, study_of, untrained

NEW = "new[inflate=mean]"


def made_study() -> Study:
    """Return two candidates and a baseline on two datasets, three replicates each."""
    runs = [
        *pretrained("imagenet", "town", [50, 51, 53]),
        *pretrained("imagenet", "field", [30, 31, 33]),
        *pretrained(NEW, "town", [58, 59, 60], stem=4),
        *pretrained(NEW, "field", [30, 33, 32], stem=5),
        *untrained("scratch", "town", [40, 41, 43]),
        *untrained("scratch", "field", [20, 21, 24]),
    ]
    runs = [replace(r, headline=(r.value or 0) + 10) for r in runs]
    datasets = (StudyDataset("town", "p/1", "mIoU"), StudyDataset("field", "q/2", "mF1", True))  # noqa: FBT003  synthetic
    return study_of(runs, datasets=datasets, assumed={NEW: ("shuffle",)})


def made(request: Request | None = None) -> Comparison:
    """Return the comparison of the study above."""
    return compare(made_study(), request or Request())


def undecided() -> Comparison:
    """Return a comparison of one pre-training, fine-tuned once, a side."""
    runs = pretrained("imagenet", "town", [50]) + pretrained("new", "town", [55])
    return compare(study_of(runs), Request())


def with_images(runs_per_arm: int = 1) -> Comparison:
    """Return a comparison of two arms whose counts on eight scenes are known."""
    rng = np.random.default_rng(1)
    right = {"imagenet": 0.5, "new": 0.7}
    runs, counts = [], {}
    for arm, hit in right.items():
        for at, run in enumerate(pretrained(arm, "town", [100 * hit] * runs_per_arm)):
            key = f"{arm} {at}"
            runs.append(replace(run, key=key))
            hits = rng.binomial(100, hit, (8, 2))
            tables = np.stack([[hits[:, 0], 100 - hits[:, 0]], [100 - hits[:, 1], hits[:, 1]]])
            scenes = tuple(f"scene {scene}" for scene in range(8))
            counts[key] = CountsByScene(scenes, 24, ("road", "roof"), np.moveaxis(tables, 2, 0))
    return compare(study_of(runs), Request(), lambda keys: {key: counts[key] for key in keys})
