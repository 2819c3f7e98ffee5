"""Test sets cut from scenes, and two equally good arms: how often claims about new images err.

Pure. Tiles of a scene are alike, to each arm in its own way: that is what makes them no independent
images.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.made_experiments import ALPHA, claimed
from gpbench.compare.cell import Cell, Replicate
from gpbench.compare.evidence import Side, weigh
from gpbench.compare.images import Asked, CountsByScene, ImageScope, image_scopes
from gpbench.core.seeds import derive_seed
from gpbench.metrics import score
from gpbench.stats.proportion import Rate

CLASSES = ("ground", "roof")
PIXELS = 200
"""Of each class on a tile."""
SD_SCENE, SD_TILE = 0.05, 0.02
"""Of the share of right pixels: how easy a scene is for both arms, and how tiles of it differ."""
TOGETHER = 250
"""Experiments whose scenes are resampled by the same draws."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class SceneSet:
    """Two arms, each pre-trained and fine-tuned `runs` times, and the test set that scores them.

    Standard deviations are of the share of right pixels, about 1.3 points of mIoU per 0.01.
    """

    scenes: int
    tiles: int
    """Of each scene."""
    runs: int
    sd_run: float
    sd_arm: float
    """Of how much easier a scene is for one arm than for the other."""

    def drawn(self, rng: np.random.Generator) -> tuple[Counts, Counts]:
        """Return the counts (R, G, T, C, C) of candidate and baseline."""
        easy = rng.normal(0.75, SD_SCENE, self.scenes)
        tiles = rng.normal(0, SD_TILE, (self.scenes, self.tiles))
        a, b = (self._arm(easy[:, None] + tiles, rng) for _ in range(2))
        return a, b

    def _arm(self, easy: NDArray[np.float64], rng: np.random.Generator) -> Counts:
        own = rng.normal(0, self.sd_arm, (self.scenes, 1))
        run = rng.normal(0, self.sd_run, (self.runs, 1, 1))
        hit = np.clip(easy + own + run, 0.05, 0.95)
        right = rng.binomial(PIXELS, hit[..., None], (*hit.shape, len(CLASSES)))
        counts = np.empty((*hit.shape, len(CLASSES), len(CLASSES)), np.int64)
        for c in range(len(CLASSES)):
            counts[..., c, c] = right[..., c]
            counts[..., c, 1 - c] = PIXELS - right[..., c]
        return counts


def new_images(test_set: SceneSet, draws: int, seed: int) -> tuple[Rate, Rate, Rate]:
    """Return how often three readings err: scenes resampled, tiles resampled, runs alone.

    With one run an arm there is no variance of runs, and the last is never a claim.
    """
    rng = np.random.default_rng(derive_seed("images", seed))
    errors = np.zeros(3, np.int64)
    for start in range(0, draws, TOGETHER):
        experiments = [test_set.drawn(rng) for _ in range(min(TOGETHER, draws - start))]
        asked = [_asked(at, *sides) for at, sides in enumerate(experiments)]
        resampled = int(rng.integers(2**32))
        errors += [
            _claims(asked, _stored(experiments, by_scene=True), resampled),
            _claims(asked, _stored(experiments, by_scene=False), resampled),
            sum(claimed(each.evidence) for each in asked),
        ]
    by_scene, by_tile, runs = (Rate(int(count), draws) for count in errors)
    return by_scene, by_tile, runs


def _claims(asked: Sequence[Asked], stored: Mapping[str, CountsByScene], seed: int) -> int:
    """Return how many experiments end in a claim; that they share draws of scenes saves time."""

    def counts(keys: Collection[str]) -> Mapping[str, CountsByScene]:
        return {key: stored[key] for key in keys}

    found = image_scopes(asked, counts, "mIoU", seed, ALPHA)
    return sum(isinstance(scope, ImageScope) and scope.p < ALPHA for scope in found)


def _asked(experiment: int, a: Counts, b: Counts) -> Asked:
    new, old = (_cell(f"{experiment} {arm}", c) for arm, c in (("new", a), ("old", b)))
    evidence = weigh(Side("new", (new,)), Side("old", (old,)), None, ALPHA)
    return Asked("town", new, old, evidence)


def _cell(arm: str, counts: Counts) -> Cell:
    summed = counts.sum(axis=(1, 2))
    return Cell(
        "town",
        tuple(
            Replicate(
                p,
                0,
                frozenset({f"{arm} {p}"}),
                100 * score(summed[p], CLASSES).miou,
                None,
                (f"{arm} {p}",),
            )
            for p in range(len(counts))
        ),
    )


def _stored(
    experiments: Sequence[tuple[Counts, Counts]], *, by_scene: bool
) -> dict[str, CountsByScene]:
    """Return the runs' counts by scene; else every tile passes for a scene."""
    found = {}
    for at, sides in enumerate(experiments):
        for arm, counts in zip(("new", "old"), sides, strict=True):
            for p, run in enumerate(counts):
                tiles = run.shape[0] * run.shape[1]
                clusters = run.sum(axis=1) if by_scene else run.reshape(tiles, *run.shape[2:])
                names = tuple(map(str, range(len(clusters))))
                found[f"{at} {arm} {p}"] = CountsByScene(names, tiles, CLASSES, clusters)
    return found
