"""Runs and studies made by hand: scores by arm, dataset and pre-training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gpbench.compare.study import Run, Study, StudyDataset

Scores = Sequence[float | Sequence[float]]
"""One entry per pre-training: its score, or the scores of its fine-tunings."""


def pretrained(
    arm: str,
    dataset: str,
    scores: Scores,
    *,
    stem: int = 3,
    backbone: str = "tiny",
    fraction: float = 1.0,
) -> list[Run]:
    """Return runs whose pre-trainings are shared by all datasets of one `stem`."""
    return [
        Run(arm, backbone, dataset, fraction, p, f"{arm} {backbone} {stem} {p}", f, float(value))
        for p, entry in enumerate(scores)
        for f, value in enumerate([entry] if isinstance(entry, int | float) else entry)
    ]


def untrained(
    arm: str, dataset: str, scores: Sequence[float], *, backbone: str = "tiny"
) -> list[Run]:
    """Return runs without a pre-training."""
    return [
        Run(arm, backbone, dataset, 1.0, None, None, f, float(value))
        for f, value in enumerate(scores)
    ]


def study_of(
    runs: Iterable[Run],
    *,
    datasets: Sequence[StudyDataset] = (),
    trial: bool = False,
    partial: Sequence[str] = (),
    assumed: Mapping[str, tuple[str, ...]] | None = None,
) -> Study:
    """Return a study of runs, arms and datasets in order of appearance."""
    runs = tuple(runs)
    names = dict.fromkeys(run.dataset for run in runs)
    return Study(
        "made",
        "mIoU",
        tuple(dict.fromkeys(run.arm for run in runs)),
        tuple(datasets) or tuple(StudyDataset(name) for name in names),
        runs,
        trial=trial,
        partial=tuple(partial),
        assumed=assumed or {},
    )


def two_arms(candidate: Scores, baseline: Scores) -> Study:
    """Return a study of `new` against `imagenet` on one dataset."""
    return study_of(pretrained("imagenet", "town", baseline) + pretrained("new", "town", candidate))
