from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from gpbench.compare.cell import Cell, Replicate
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.compare.evidence import Evidence, Side, weigh
from gpbench.compare.images import (
    MOST_RUNS,
    NO_SCENES,
    ONE_SEED,
    UNKNOWN,
    Asked,
    CountsByScene,
    ImageScope,
    SceneCounts,
    image_scopes,
)
from gpbench.compare.judged import FEW_RUNS
from gpbench.compare.words import Level
from gpbench.metrics import score
from gpbench.stats.bootstrap import ClusterBootstrap, cluster_sums, paired_bootstrap, resample
from gpbench.stats.swap import swap_p
from tests.compare.made import pretrained, study_of

CLASSES = ("road", "tree", "roof")
Units = Sequence[Sequence[float]]
"""Per pre-training, how often each of its fine-tunings is right."""


def table(scenes: int, hit: float, seed: int) -> NDArray[np.int64]:
    """Return counts (G, C, C) of a model on scenes whose labels depend on their number only."""
    true = np.random.default_rng(0).integers(100, 300, (scenes, len(CLASSES)))
    rng = np.random.default_rng(seed)
    counts = np.zeros((scenes, 3, 3), np.int64)
    for g, c in np.ndindex(scenes, 3):
        right = rng.binomial(true[g, c], np.clip(hit + rng.normal(0, 0.05), 0.01, 0.99))
        counts[g, c, (c + 1) % 3] = true[g, c] - right
        counts[g, c, c] = right
    return counts


class Made:
    """Arms of one dataset, their scores those of their counts."""

    def __init__(self, scenes: int = 8, images: int | None = None) -> None:
        self.scenes = scenes
        self.images = 3 * scenes if images is None else images
        self.found: dict[str, CountsByScene] = {}

    def counts(self, keys: Collection[str]) -> Mapping[str, CountsByScene]:
        return {key: self.found[key] for key in keys if key in self.found}

    def arm(self, name: str, units: Units) -> Cell:
        return Cell(
            "town",
            tuple(
                self._replicate(name, p, f, hit)
                for p, fine_tunings in enumerate(units)
                for f, hit in enumerate(fine_tunings)
            ),
        )

    def asked(self, a: Units, b: Units, level: Level | None = None) -> Asked:
        new, old = self.arm("new", a), self.arm("old", b)
        evidence = weigh(Side("new", (new,)), Side("old", (old,)), level, 0.05)
        return Asked("town", new, old, evidence)

    def _replicate(self, name: str, p: int, f: int, hit: float) -> Replicate:
        key = f"{name} {p} {f}"
        seed = (name == "new") * 1000 + 10 * p + f
        counts = table(self.scenes, hit, seed)
        scenes = tuple(f"scene {g}" for g in range(self.scenes))
        self.found[key] = CountsByScene(scenes, self.images, CLASSES, counts)
        value = 100 * score(counts.sum(axis=0), CLASSES).miou
        return Replicate(p, f, frozenset({f"{name} {p}"}), value, None, (key,))


THREE: tuple[Units, Units] = (((0.8,), (0.82,), (0.84,)), ((0.7,), (0.71,), (0.75,)))


def scope(
    asked: Asked, counts: SceneCounts | None, metric: str = "mIoU", seed: int = 1
) -> ImageScope:
    (found,) = image_scopes([asked], counts, metric, seed, 0.05)
    assert isinstance(found, ImageScope), found
    return found


def refusal(asked: Asked, counts: SceneCounts | None, metric: str = "mIoU") -> str:
    (found,) = image_scopes([asked], counts, metric, 1, 0.05)
    assert isinstance(found, str)
    return found


def by_hand(made: Made, asked: Asked, draws: int = 10_000) -> ClusterBootstrap:
    """Return the bootstrap of arms whose runs all weigh the same."""
    sums = []
    for cell in (asked.candidate, asked.baseline):
        keys = [key for replicate in cell.replicates for key in replicate.stages]
        counts = [made.found[key].counts for key in keys]
        sums.append(cluster_sums(counts, [1 / len(keys)] * len(keys)))
    a, b = resample(sums, np.random.default_rng(5), draws)
    return paired_bootstrap(a, b, 0.05)


def test_the_difference_is_that_of_the_seeds() -> None:
    made = Made()
    asked = made.asked(*THREE)
    assert scope(asked, made.counts).difference == pytest.approx(asked.evidence.difference)


def test_unequal_numbers_of_fine_tunings_count_as_their_pretraining() -> None:
    made = Made()
    asked = made.asked(((0.9, 0.8, 0.7), (0.6,)), ((0.5,), (0.7, 0.72)))
    assert scope(asked, made.counts).difference == pytest.approx(asked.evidence.difference)


def test_the_variance_of_scenes_joins_that_of_runs() -> None:
    made = Made()
    asked = made.asked(*THREE)
    found, expected = scope(asked, made.counts), by_hand(made, asked)
    runs = asked.evidence.test
    assert runs is not None
    assert found.se_cluster == pytest.approx(expected.se, rel=0.03)
    assert found.jackknife_se == pytest.approx(expected.jackknife_se)
    variance = runs.se**2 + found.se_cluster**2
    assert found.se**2 == pytest.approx(variance)
    assert found.clusters == 8
    assert found.ci[0] < found.difference < found.ci[1]
    assert found.warnings == ()


@pytest.mark.parametrize("scenes", [5, 200])
def test_degrees_of_freedom_are_satterthwaites(scenes: int) -> None:
    made = Made(scenes=scenes)
    many = [[0.7 + 0.01 * (p % 3)] for p in range(12 if scenes == 5 else 3)]
    asked = made.asked(many, [[hit - 0.1] for (hit,) in many])
    found, runs = scope(asked, made.counts), asked.evidence.test
    assert runs is not None
    df = found.se**4 / (runs.se**4 / runs.df + found.se_cluster**4 / (scenes - 1))
    assert found.df == pytest.approx(df)
    assert (found.df > runs.df) == (scenes == 200)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.difference) / found.se, df))


def test_one_run_per_arm_gives_an_interval_of_two_checkpoints_that_says_so() -> None:
    made = Made()
    asked = made.asked(((0.8,),), ((0.7,),))
    assert asked.evidence.test is None
    found = scope(asked, made.counts)
    assert found.warnings == (ONE_SEED,)
    assert (found.se, found.df) == (found.se_cluster, 7)


def test_two_checkpoints_are_tested_by_swapping_their_scenes() -> None:
    made = Made(scenes=8)
    asked = made.asked(((0.8,),), ((0.75,),))
    a, b = (made.found[key].counts for key in ("new 0 0", "old 0 0"))
    expected = swap_p(cluster_sums([a], [1]), cluster_sums([b], [1]), np.random.default_rng(0))
    assert scope(asked, made.counts).swap_p == expected
    assert expected is not None
    assert 2 / 2**8 < expected < 1


@pytest.mark.parametrize(("scenes", "tested"), [(5, False), (6, True)])
def test_a_swap_needs_six_scenes(scenes: int, *, tested: bool) -> None:
    made = Made(scenes)
    found = scope(made.asked(((0.8,),), ((0.7,),)), made.counts)
    assert (found.swap_p is not None) == tested


def test_arms_of_several_runs_are_not_swapped() -> None:
    made = Made()
    assert scope(made.asked(THREE[0], ((0.7,),)), made.counts).swap_p is None
    assert scope(made.asked(((0.8,),), THREE[1]), made.counts).swap_p is None


def test_swaps_are_drawn_from_the_seed_whatever_else_is_asked() -> None:
    made = Made(scenes=30)
    asked = made.asked(((0.8,),), ((0.79,),))
    other = replace(asked, candidate=asked.baseline, baseline=asked.candidate)
    first = scope(asked, made.counts)
    found = image_scopes([other, asked], made.counts, "mIoU", 1, 0.05)
    assert [s.swap_p for s in found if isinstance(s, ImageScope)] == [first.swap_p] * 2
    assert scope(asked, made.counts, seed=2).swap_p != first.swap_p


def test_one_run_of_one_arm_is_said_by_its_name() -> None:
    made = Made()
    found = scope(made.asked(((0.8,),), THREE[1]), made.counts)
    (told,) = found.warnings
    assert told.startswith("new has 1 pre-training, fine-tuned once: seed variance is unknown. ")
    assert told.endswith("The image interval compares two checkpoints, not two strategies.")


def test_fewer_than_five_scenes_give_no_interval() -> None:
    made = Made(scenes=4)
    told = refusal(made.asked(*THREE), made.counts)
    assert told == "only 4 scenes: cluster interval not computed (<5)"


def test_a_claim_that_the_runs_alone_leave_open_says_so() -> None:
    made = Made(scenes=100)
    runs = []
    for arm, hits in (("imagenet", (0.70, 0.72, 0.74)), ("new", (0.75, 0.77, 0.80))):
        replicates = made.arm(arm, [[hit] for hit in hits]).replicates
        of_arm = pretrained(arm, "town", [r.value for r in replicates])
        runs += [replace(run, key=r.stages[0]) for run, r in zip(of_arm, replicates, strict=True)]
    (contrast,) = compare(study_of(runs), Request(alpha=0.06), made.counts).contrasts
    (claim,) = contrast.scopes
    assert (claim.scope, claim.finding.verdict) == ("images", "better")
    assert contrast.finding.verdict == "inconclusive"
    assert claim.finding.reason.endswith(FEW_RUNS)


def test_percentiles_need_twenty_scenes() -> None:
    few, enough = Made(scenes=19), Made(scenes=20)
    assert scope(few.asked(*THREE), few.counts).percentile is None
    assert scope(enough.asked(*THREE), enough.counts).percentile is not None


def test_images_that_are_their_own_scenes_are_doubted() -> None:
    made = Made(scenes=8, images=8)
    assert scope(made.asked(*THREE), made.counts).warnings == (NO_SCENES,)


def test_classes_come_by_name() -> None:
    made = Made()
    found = scope(made.asked(*THREE), made.counts)
    assert [name for name, _ in found.classes] == list(CLASSES)
    mean = np.mean([difference.difference for _, difference in found.classes])
    assert mean == pytest.approx(found.difference)


def test_draws_that_lack_a_class_are_told() -> None:
    made = Made()
    asked = made.asked(*THREE)
    for key, known in made.found.items():
        counts = known.counts.copy()
        counts[1:, 2] = 0  # roofs in the first scene only
        made.found[key] = replace(known, counts=counts)
    found = scope(asked, made.counts)
    # no draw of the first scene in 8: (7/8)^8
    assert any(told.startswith("34% of the draws had no pixel") for told in found.warnings)


def test_a_bootstrap_that_its_jackknife_contradicts_is_told() -> None:
    made = Made()
    asked = made.asked(((0.8,),), ((0.7,),))
    for key, hits in (("new 0 0", 300), ("old 0 0", 0)):
        counts = made.found[key].counts.copy()
        counts[1:, 2] = 0
        counts[0, 2] = (0, 300 - hits, hits)
        made.found[key] = replace(made.found[key], counts=counts)
    told = scope(asked, made.counts).warnings
    assert any(one.startswith("bootstrap and jackknife disagree") for one in told)


def test_pairs_of_a_dataset_share_their_draws_whatever_else_is_asked() -> None:
    made = Made()
    asked = made.asked(*THREE)
    other = Asked("town", asked.baseline, asked.candidate, Evidence(None, "checkpoint", ""))
    alone = scope(asked, made.counts)
    both = image_scopes([other, asked], made.counts, "mIoU", 1, 0.05)
    assert both[1] == alone
    assert isinstance(both[0], ImageScope)
    assert both[0].se_cluster == pytest.approx(alone.se_cluster)
    assert both[0].difference == pytest.approx(-alone.difference)


def test_the_seed_and_the_dataset_decide_the_draws() -> None:
    made = Made()
    asked = made.asked(*THREE)
    first = scope(asked, made.counts)
    assert scope(asked, made.counts) == first
    assert scope(asked, made.counts, seed=2).se_cluster != first.se_cluster
    assert scope(replace(asked, dataset="city"), made.counts).se_cluster != first.se_cluster


def test_another_metric_is_another_difference() -> None:
    made = Made()
    asked = made.asked(*THREE)
    iou, f1 = (scope(asked, made.counts, metric) for metric in ("mIoU", "mF1"))
    assert abs(f1.difference) < abs(iou.difference)


def test_tables_have_no_images() -> None:
    made = Made()
    asked = made.asked(*THREE)
    assert refusal(asked, None) == UNKNOWN
    assert refusal(asked, made.counts, "accuracy") == UNKNOWN
    assert refusal(asked, lambda _: {}) == UNKNOWN


@pytest.mark.parametrize(
    "change",
    [lambda c: replace(c, images=99), lambda c: replace(c, scenes=tuple("abcdefgh"))],
)
def test_runs_on_other_test_images_are_refused(
    change: Callable[[CountsByScene], CountsByScene],
) -> None:
    made = Made()
    asked = made.asked(*THREE)
    made.found["old 0 0"] = change(made.found["old 0 0"])
    assert refusal(asked, made.counts).startswith("test lists differ: ")


def test_backbones_are_averaged_in_their_replicate() -> None:
    made = Made()
    asked = made.asked(((0.9,), (0.7,)), ((0.5,), (0.6,)))
    first, second = asked.candidate.replicates
    both = replace(first, stages=(*first.stages, *second.stages))
    each = [
        scope(replace(asked, candidate=Cell("town", (r,))), made.counts).difference
        for r in (first, second)
    ]
    found = scope(replace(asked, candidate=Cell("town", (both,))), made.counts)
    assert found.difference == pytest.approx(np.mean(each))


def test_a_protocol_may_count_absent_classes_as_0() -> None:
    made = Made()
    asked = made.asked(*THREE)
    dropped = scope(asked, made.counts)
    for key, known in made.found.items():
        counts = np.pad(known.counts, ((0, 0), (0, 1), (0, 1)))
        made.found[key] = replace(known, counts=counts, classes=(*CLASSES, "sea"), absent="zero")
    found = scope(asked, made.counts)
    assert found.difference == pytest.approx(dropped.difference * 3 / 4)
    assert [name for name, _ in found.classes] == list(CLASSES)


def test_a_refused_dataset_leaves_the_others_alone() -> None:
    small, large = Made(scenes=4), Made()
    asked = [replace(small.asked(*THREE), dataset="small"), large.asked(*THREE)]
    for key in list(small.found):
        small.found[f"small {key}"] = small.found.pop(key)
    asked[0] = replace(
        asked[0], candidate=renamed(asked[0].candidate), baseline=renamed(asked[0].baseline)
    )
    found = image_scopes(
        asked, lambda keys: {**small.counts(keys), **large.counts(keys)}, "mIoU", 1, 0.05
    )
    assert isinstance(found[0], str)
    assert isinstance(found[1], ImageScope)


def renamed(cell: Cell) -> Cell:
    return Cell(
        "small", tuple(replace(r, stages=(f"small {r.stages[0]}",)) for r in cell.replicates)
    )


def test_equal_arms_on_equal_scenes_are_no_test() -> None:
    made = Made()
    asked = made.asked(((0.8,),), ((0.7,),))
    made.found["old 0 0"] = made.found["new 0 0"]
    assert refusal(asked, made.counts).startswith("all differences are identical (sd = 0)")


def test_more_runs_than_can_be_read_at_once_are_refused() -> None:
    many = tuple(
        Replicate(None, f, frozenset(), 50.0, None, (f"run {f}",)) for f in range(MOST_RUNS + 1)
    )
    asked = Asked("town", Cell("town", many), Cell("town", many[:1]), Evidence(0, "strategy", ""))
    told = refusal(asked, Made().counts)
    assert told == "5001 runs: images are resampled for up to 5000; name fewer arms"


def rejections(draws: int) -> tuple[float, float]:
    """Return how often equal arms differ by the images scope, and by runs alone."""
    count = [0, 0]
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        made = Made(scenes=12)
        shift = rng.normal(0, 0.1, (2, 12))  # scenes suit one arm or the other
        asked = made.asked([[0.7]] * 3, [[0.7]] * 3)
        for side, cell in enumerate((asked.candidate, asked.baseline)):
            for replicate in cell.replicates:
                (key,) = replicate.stages
                hits = np.clip(0.7 + shift[side] + rng.normal(0, 0.01), 0.05, 0.95)
                made.found[key] = replace(made.found[key], counts=binary(hits, rng))
        runs = [
            Cell("town", tuple(replace(r, value=value(made, r)) for r in cell.replicates))
            for cell in (asked.candidate, asked.baseline)
        ]
        evidence = weigh(Side("new", (runs[0],)), Side("old", (runs[1],)), None, 0.05)
        found = scope(Asked("town", runs[0], runs[1], evidence), made.counts)
        assert evidence.test is not None
        count[0] += found.p < 0.05
        count[1] += evidence.test.p < 0.05
    return count[0] / draws, count[1] / draws


def binary(hits: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return counts (G, C, C): 1,000 pixels of every class in every scene."""
    right = rng.binomial(1000, hits[:, None], (len(hits), 3))
    counts = np.zeros((len(hits), 3, 3), np.int64)
    for c in range(3):
        counts[:, c, c], counts[:, c, (c + 1) % 3] = right[:, c], 1000 - right[:, c]
    return counts


def value(made: Made, replicate: Replicate) -> float:
    (key,) = replicate.stages
    return 100 * score(made.found[key].counts.sum(axis=0), CLASSES).miou


@pytest.mark.slow
def test_equal_arms_rarely_differ_on_new_images_where_runs_alone_often_do() -> None:
    images, runs = rejections(300)
    assert images < 0.09
    assert runs > 0.3
