"""Claims about new images of a dataset: a difference with the chance of seeds and of scenes. Pure.

Both arms' runs are scored again on draws of the test set's scenes; what that adds to the variance
joins what varies between runs. The same draws serve all arms on a dataset.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpbench.compare.cell import Cell
from gpbench.compare.evidence import Evidence
from gpbench.compare.words import Span
from gpbench.core.errors import ComparisonError
from gpbench.core.seeds import derive_seed
from gpbench.stats.bootstrap import (
    DRAWS,
    Absent,
    ClassDifference,
    ClusterBootstrap,
    ClusterSums,
    Metric,
    cluster_sums,
    paired_bootstrap,
    resample,
)
from gpbench.stats.satterthwaite import Term, t_test
from gpbench.stats.swap import swap_p

FEWEST_DRAWS = 1_000
AFFORDABLE = 5 * 10**8
"""Clusters times columns times draws of one dataset: about 0.05 s."""
MOST_RUNS = 5_000
"""Runs whose counts are read for one comparison."""
MOST_LOST = 0.05

ONE_SEED = (
    "1 seed per arm: seed variance is unknown. The image interval compares two checkpoints, "
    "not two strategies."
)
NO_SCENES = (
    "scenes missing: images treated as independent; if they are tiles of scenes the interval is "
    "too narrow (up to 70 % false positives in our check)"
)
UNKNOWN = "no pixel counts by image are known"


@dataclass(frozen=True)
class CountsByScene:
    """Pixel counts (G, C, C) int64 of one run by scene, of the scored classes; rows are true."""

    scenes: tuple[str, ...]
    images: int
    """How many the scenes have together."""
    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    absent: Absent = "drop"


SceneCounts = Callable[[Collection[str]], Mapping[str, CountsByScene]]
"""Fine-tuning keys -> their counts, each with the same scenes where it has the same test set."""


@dataclass(frozen=True)
class Asked:
    """Two arms on one dataset, and what their runs show, without the choice of images."""

    dataset: str
    candidate: Cell
    baseline: Cell
    evidence: Evidence


@dataclass(frozen=True)
class ImageScope:
    """A difference that is to hold on new images of the dataset, in percent points.

    `se`, `df`, `p` and `ci` combine what varies between runs (where known: else a warning says that
    it is not in them) with the choice of scenes. `se_cluster` and `jackknife_se` are the latter
    alone, and so is the `percentile` interval, which needs 20 scenes.
    """

    difference: float
    ci: Span
    se: float
    df: float
    p: float
    clusters: int
    """Scenes."""
    draws: int
    se_cluster: float
    jackknife_se: float
    percentile: Span | None
    swap_p: float | None
    """Of two checkpoints, that it is chance which made which prediction: from swaps of scenes.

    None where an arm is several runs, and with fewer than 6 scenes. Unlike `p` it is about these
    scenes only, and assumes nothing of how differences are distributed.
    """
    classes: tuple[tuple[str, ClassDifference], ...]
    """Those that the test set has; their bands hold together, for the choice of scenes alone."""
    warnings: tuple[str, ...]


def image_scopes(
    asked: Sequence[Asked],
    counts: SceneCounts | None,
    metric: str,
    rng_seed: int,
    alpha: float,
) -> list[ImageScope | str]:
    """Return the scope `images` for each pair of arms, or the sentence why there is none.

    Args:
        asked: In any order; pairs of one dataset share their draws.
        counts: Where the counts are; None: nowhere, as for tables.
        metric: The study's, mIoU or mF1.
        rng_seed: All draws follow from it and from the dataset's name.
        alpha: Intervals cover 1 - alpha.
    """
    if counts is None or metric not in ("mIoU", "mF1"):
        return [UNKNOWN] * len(asked)
    runs = len({key for one in asked for key in _runs(one)})
    if runs > MOST_RUNS:
        told = f"{runs} runs: images are resampled for up to {MOST_RUNS}; name fewer arms"
        return [told] * len(asked)
    chosen: Metric = "mF1" if metric == "mF1" else "mIoU"
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(asked):
        places[one.dataset].append(place)
    found: list[ImageScope | str] = [UNKNOWN] * len(asked)
    for dataset, here in places.items():
        seed = derive_seed("images", rng_seed, dataset)
        scopes = _of_dataset([asked[place] for place in here], counts, chosen, seed, alpha)
        for place, scope in zip(here, scopes, strict=True):
            found[place] = scope
    return found


@dataclass(frozen=True)
class _TestSet:
    """What the counts of all runs on a dataset share."""

    scenes: tuple[str, ...]
    images: int
    classes: tuple[str, ...]
    absent: Absent


_Weighted = tuple[tuple[str, float], ...]
"""An arm: its runs' keys and weights, which add up to 1."""


def _of_dataset(
    asked: Sequence[Asked],
    counts: SceneCounts,
    metric: Metric,
    seed: int,
    alpha: float,
) -> list[ImageScope | str]:
    pairs = [(_weighted(one.candidate), _weighted(one.baseline)) for one in asked]
    arms = list(dict.fromkeys(arm for pair in pairs for arm in pair))
    try:
        sums, test_set = _read(arms, counts, metric)
        draws = _draws(sums)
        scores = dict(zip(arms, resample(sums, np.random.default_rng(seed), draws), strict=True))
    except ComparisonError as error:
        return [str(error)] * len(asked)
    summed = dict(zip(arms, sums, strict=True))
    found: list[ImageScope | str] = []
    for one, (a, b) in zip(asked, pairs, strict=True):
        swapped = _swapped(summed[a], summed[b], seed, draws)
        difference = paired_bootstrap(scores[a], scores[b], alpha, test_set.absent)
        found.append(_scope(one, difference, swapped, test_set, alpha))
    return found


def _swapped(a: ClusterSums, b: ClusterSums, seed: int, draws: int) -> float | None:
    """Return the p of two checkpoints, by the same swaps for all pairs; None for several runs."""
    if any(len(arm.weights) > 1 for arm in (a, b)):
        return None
    return swap_p(a, b, np.random.default_rng(derive_seed("swap", seed)), draws)


def _read(
    arms: Sequence[_Weighted], counts: SceneCounts, metric: Metric
) -> tuple[list[ClusterSums], _TestSet]:
    """Return each arm's sums, one arm's counts at a time.

    Raises:
        ComparisonError: If counts are unknown, or not all of one test set.
    """
    sums: list[ClusterSums] = []
    seen: set[_TestSet] = set()
    for arm in arms:
        found = counts([key for key, _ in arm])
        if not arm or any(key not in found for key, _ in arm):
            raise ComparisonError(UNKNOWN)
        of_runs = [found[key] for key, _ in arm]
        seen |= {_TestSet(c.scenes, c.images, c.classes, c.absent) for c in of_runs}
        if len(seen) > 1:
            raise ComparisonError("test lists differ: the runs were not scored on the same images")
        sums.append(cluster_sums([c.counts for c in of_runs], [w for _, w in arm], metric))
    return sums, seen.pop()


def _draws(sums: Sequence[ClusterSums]) -> int:
    """Return how many draws all arms together can afford."""
    cost = sum(arm.part.size + arm.whole.size for arm in sums)
    return min(DRAWS, max(FEWEST_DRAWS, AFFORDABLE // cost))


def _scope(
    asked: Asked, found: ClusterBootstrap, swapped: float | None, test_set: _TestSet, alpha: float
) -> ImageScope | str:
    cluster = Term(found.se**2, found.clusters - 1)
    try:
        test = t_test(found.difference, [*(s.term for s in asked.evidence.samples), cluster], alpha)
    except ComparisonError as error:
        return str(error)
    return ImageScope(
        difference=found.difference,
        ci=test.ci,
        se=test.se,
        df=test.df,
        p=test.p,
        clusters=found.clusters,
        draws=found.draws,
        se_cluster=found.se,
        jackknife_se=found.jackknife_se,
        percentile=found.percentile,
        swap_p=swapped,
        classes=tuple(
            (name, difference)
            for name, difference in zip(test_set.classes, found.classes, strict=True)
            if difference is not None
        ),
        warnings=tuple(_warnings(asked, found, test_set)),
    )


def _warnings(asked: Asked, found: ClusterBootstrap, test_set: _TestSet) -> Iterable[str]:
    if not asked.evidence.samples:
        yield _without_seeds(asked)
    if len(test_set.scenes) == test_set.images:
        yield NO_SCENES
    if found.disagree:
        yield (
            f"bootstrap and jackknife disagree on the standard error ({found.se:.2g} and "
            f"{found.jackknife_se:.2g} points): few scenes, or a class in few of them"
        )
    if found.lost > MOST_LOST:
        yield (
            f"{found.lost:.0%} of the draws had no pixel of some class, which both arms were then "
            "scored without"
        )


def _without_seeds(asked: Asked) -> str:
    sides = (asked.candidate, asked.baseline)
    if all(len(side.replicates) == 1 for side in sides):
        return ONE_SEED
    return f"{asked.evidence.reason.rstrip('.')}. {ONE_SEED.partition('. ')[2]}"


def _weighted(cell: Cell) -> _Weighted:
    """Return the runs of a cell with the weights that its mean over units gives them."""
    units = cell.units
    return tuple(
        (key, 1 / (len(units) * len(units[r.unit]) * len(r.stages)))
        for r in cell.replicates
        for key in r.stages
    )


def _runs(asked: Asked) -> Iterable[str]:
    for side in (asked.candidate, asked.baseline):
        for replicate in side.replicates:
            yield from replicate.stages
