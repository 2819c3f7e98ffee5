from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from gpbench.core.errors import ComparisonError
from gpbench.stats.bootstrap import (
    ClassDifference,
    ClusterBootstrap,
    ClusterSums,
    cluster_sums,
    mean_difference,
    paired_bootstrap,
    resample,
    weighted_scores,
)
from tests.stats.oracles import oracle

Counts = NDArray[np.int64]
TOY, WEIGHTS = "23_miou_definitions", "24_paired_cluster_bootstrap_fixed_weights"
ARMS = ("confusion_A", "confusion_B")
SEEDS = st.integers(0, 2**32 - 1)


def labels(seed: int, clusters: int, classes: int = 3) -> Counts:
    """Return label pixels (G, C), a quarter of the classes missing in each cluster."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 400, (clusters, classes))
    counts[:, 1:][rng.random((clusters, classes - 1)) < 0.25] = 0
    return counts


def predicted(true: Counts, hit: float, seed: int) -> Counts:
    """Return counts (G, C, C) of a model that is right with a probability around `hit`."""
    rng = np.random.default_rng(seed)
    classes = true.shape[1]
    counts = np.zeros((*true.shape, classes), np.int64)
    for g, c in np.ndindex(*true.shape):
        right = rng.beta(20 * hit, 20 * (1 - hit))
        chances = np.full(classes, (1 - right) / (classes - 1))
        chances[c] = right
        counts[g, c] = rng.multinomial(true[g, c], chances)
    return counts


def arms(seed: int, clusters: int) -> list[ClusterSums]:
    true = labels(seed, clusters)
    return [cluster_sums([predicted(true, hit, seed + k)], [1]) for k, hit in ((1, 0.8), (2, 0.7))]


def bootstrapped(sums: list[ClusterSums], draws: int = 500, seed: int = 0) -> ClusterBootstrap:
    a, b = resample(sums, np.random.default_rng(seed), draws)
    return paired_bootstrap(a, b, 0.05)


def toy(name: str, scenes: list[int] | None = None) -> list[ClusterSums]:
    """Return both arms of a case, images summed by scene."""
    inputs = oracle(name)["inputs"]
    found = []
    for arm in ARMS:
        images = np.array(inputs[arm])
        by_scene = np.zeros((max(scenes) + 1, *images.shape[1:]), np.int64) if scenes else images
        if scenes:
            np.add.at(by_scene, scenes, images)
        found.append(cluster_sums([by_scene], [1]))
    return found


@pytest.mark.parametrize(("unit", "scenes"), [("image", False), ("scene", True)])
def test_given_weights_give_the_oracles_differences(unit: str, *, scenes: bool) -> None:
    case = oracle(WEIGHTS)
    sums = toy(WEIGHTS, case["inputs"]["scene_of_image"] if scenes else None)
    a, b = weighted_scores(sums, np.array(case["inputs"][f"W_{unit}"]))
    expected = case["computed"][f"diff_{unit}"]
    assert mean_difference(a, b) == pytest.approx(100 * np.array(expected), rel=1e-8)


@pytest.mark.parametrize(("metric", "field"), [("mIoU", "iou_A"), ("mF1", "f1_A")])
def test_class_scores_are_the_oracles(metric: str, field: str) -> None:
    case = oracle(TOY)
    counts = np.array(case["inputs"]["confusion_A"])
    sums = cluster_sums([counts], [1], "mIoU" if metric == "mIoU" else "mF1")
    (scores,) = weighted_scores([sums], np.ones((1, 8), np.int64))
    assert scores[0] == pytest.approx(100 * np.array(case["computed"][field]), rel=1e-8)


def test_a_class_without_labels_in_a_draw_is_left_out_or_counts_as_0() -> None:
    case = oracle(TOY)
    without = np.ones((1, 8), np.int64)
    without[0, [2, 5]] = 0
    (scores,) = weighted_scores(toy(TOY)[:1], without)
    nothing = np.where(np.isnan(scores), np.nan, 0.0)
    expected = case["computed"]["drop_images_2_and_5"]
    assert mean_difference(scores, nothing)[0] == pytest.approx(100 * expected["nanmean"])
    assert mean_difference(scores, nothing, 4)[0] == pytest.approx(100 * expected["absent_as_0"])


def test_draws_that_lack_a_class_are_counted() -> None:
    true = np.array([[100, 0]] * 9 + [[100, 100]])
    sums = [cluster_sums([predicted(true, hit, 1)], [1]) for hit in (0.8, 0.7)]
    # a draw of 10 lacks the last cluster with a chance of 0.9^10
    assert bootstrapped(sums, 4000).lost == pytest.approx(0.9**10, abs=0.03)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, clusters=st.integers(5, 30))
def test_swapping_the_arms_flips_the_sign_and_nothing_else(seed: int, clusters: int) -> None:
    a, b = arms(seed, clusters)
    there, back = bootstrapped([a, b]), bootstrapped([b, a])
    assert there.difference == pytest.approx(-back.difference)
    assert there.se == pytest.approx(back.se)
    assert there.jackknife_se == pytest.approx(back.jackknife_se)
    for one, other in zip(there.classes, back.classes, strict=True):
        if one is not None and one.band is not None:
            assert other is not None
            assert other.band is not None
            assert one.band == pytest.approx((-other.band[1], -other.band[0]))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, clusters=st.integers(5, 30))
def test_the_order_of_clusters_is_free(seed: int, clusters: int) -> None:
    order = np.random.default_rng(seed).permutation(clusters)
    true = labels(seed, clusters)
    counts = [predicted(true, hit, seed) for hit in (0.8, 0.7)]
    plain = bootstrapped([cluster_sums([one], [1]) for one in counts], 100)
    shuffled = bootstrapped([cluster_sums([one[order]], [1]) for one in counts], 100)
    assert shuffled.difference == pytest.approx(plain.difference)
    assert shuffled.jackknife_se == pytest.approx(plain.jackknife_se)


def test_the_bootstrap_agrees_with_the_jackknife_on_many_clusters() -> None:
    found = bootstrapped(arms(3, 60), 10_000)
    assert found.se == pytest.approx(found.jackknife_se, rel=0.05)
    assert not found.disagree


def test_a_class_of_one_cluster_makes_them_disagree() -> None:
    # dropped in a third of the draws, always there for the jackknife but once
    true = np.full((12, 2), 300)
    true[1:, 1] = 0
    counts = [np.zeros((12, 2, 2), np.int64) for _ in range(2)]
    for one, wrong in zip(counts, (0, 200), strict=True):
        one[:, 0, 0] = 300
        one[0, 1] = (wrong, 300 - wrong)
    assert bootstrapped([cluster_sums([one], [1]) for one in counts], 2000).disagree


def test_the_jackknife_is_that_of_a_mean_where_scores_are_means() -> None:
    # one class of ten label pixels per cluster, nothing else predicted as it: IoU = mean of hits
    hits = np.array([9, 4, 6, 8, 3, 7])
    counts = np.zeros((6, 2, 2), np.int64)
    counts[:, 0, 0], counts[:, 0, 1], counts[:, 1, 1] = hits, 10 - hits, 10**9
    nothing = counts.copy()
    nothing[:, 0, 0], nothing[:, 0, 1] = 0, 10
    found = bootstrapped([cluster_sums([one], [1]) for one in (counts, nothing)], 10_000)
    share = 100 * hits / 10
    assert found.difference == pytest.approx(share.mean() / 2, rel=1e-6)
    assert found.jackknife_se == pytest.approx(share.std(ddof=1) / math.sqrt(6) / 2, rel=1e-6)
    assert found.se == pytest.approx(found.jackknife_se, rel=0.03)


def test_equal_arms_differ_by_exactly_nothing() -> None:
    one = arms(1, 25)[0]
    found = bootstrapped([one, one])
    assert (found.difference, found.se, found.jackknife_se) == (0, 0, 0)
    assert found.percentile == (0, 0)
    assert all(c is not None and (c.band, c.q) == (None, None) for c in found.classes)


def test_runs_are_averaged_with_their_weights() -> None:
    true = labels(4, 10)
    runs = [predicted(true, hit, 4) for hit in (0.9, 0.8, 0.5)]
    everywhere = np.ones((1, 10), np.int64)
    each = [weighted_scores([cluster_sums([run], [1])], everywhere)[0] for run in runs]
    (mean,) = weighted_scores([cluster_sums(runs, [0.25, 0.25, 0.5])], everywhere)
    assert mean == pytest.approx(0.25 * each[0] + 0.25 * each[1] + 0.5 * each[2])


def test_clusters_without_a_scored_pixel_are_none() -> None:
    true = labels(5, 8)
    empty = np.zeros((3, 3, 3), np.int64)
    counts = [predicted(true, hit, 5) for hit in (0.8, 0.7)]
    plain = bootstrapped([cluster_sums([one], [1]) for one in counts])
    padded = bootstrapped([cluster_sums([np.concatenate([one, empty])], [1]) for one in counts])
    assert padded == plain


def test_a_class_that_occurs_nowhere_is_no_class() -> None:
    true = labels(6, 8)
    wide = [np.pad(predicted(true, hit, 6), ((0, 0), (0, 1), (0, 1))) for hit in (0.8, 0.7)]
    found = bootstrapped([cluster_sums([one], [1]) for one in wide])
    narrow = bootstrapped([cluster_sums([one[:, :3, :3]], [1]) for one in wide])
    assert found.classes == (*narrow.classes, None)
    assert (found.difference, found.se) == (narrow.difference, narrow.se)


def test_a_protocol_that_counts_absent_classes_as_0_divides_by_all() -> None:
    wide = [np.pad(predicted(labels(6, 8), hit, 6), ((0, 0), (0, 1), (0, 1))) for hit in (0.8, 0.7)]
    a, b = resample([cluster_sums([one], [1]) for one in wide], np.random.default_rng(0), 100)
    zero, dropped = paired_bootstrap(a, b, 0.05, "zero"), paired_bootstrap(a, b, 0.05)
    assert zero.difference == pytest.approx(dropped.difference * 3 / 4)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, clusters=st.integers(5, 30))
def test_bands_contain_the_differences_and_need_five_clusters(seed: int, clusters: int) -> None:
    sums = arms(seed, clusters)
    occurs = (labels(seed, clusters) > 0).sum(axis=0)
    for number, found in zip(occurs, bootstrapped(sums).classes, strict=True):
        if found is None:
            assert number == 0
        else:
            assert found.clusters == number
            assert (found.band is None) == (found.q is None) == (number < 5)
            assert found.band is None or found.band[0] < found.difference < found.band[1]


def test_q_is_that_of_t_tests_with_the_bootstraps_error_over_the_classes() -> None:
    true = labels(7, 12, classes=4)
    true[3:, 3] = 0  # in 3 clusters: no part of the family
    counts = [predicted(true, hit, seed) for seed, hit in ((1, 0.8), (2, 0.7))]
    a, b = resample([cluster_sums([c], [1]) for c in counts], np.random.default_rng(0), 500)
    found = [c for c in paired_bootstrap(a, b, 0.05).classes if c is not None]
    p = []
    for place, one in enumerate(found[:3]):
        se = math.sqrt(12 / 11) * np.nanstd((a.draws - b.draws)[:, place], ddof=1)
        p.append(2 * stats.t.sf(abs(one.difference) / se, one.clusters - 1))
    assert len({one.clusters for one in found[:3]}) > 1
    assert [one.q for one in found[:3]] == pytest.approx(stats.false_discovery_control(p))
    assert found[3].q is None


def test_pixels_are_those_of_the_labels() -> None:
    true = labels(2, 9)
    counts = [predicted(true, hit, 2) for hit in (0.8, 0.7)]
    found = bootstrapped([cluster_sums([c], [1]) for c in counts]).classes
    assert [c.pixels for c in found if c is not None] == true.sum(axis=0).tolist()


def test_a_percentile_interval_needs_twenty_clusters() -> None:
    assert bootstrapped(arms(1, 19)).percentile is None
    interval = bootstrapped(arms(1, 20)).percentile
    assert interval is not None
    assert interval[0] < bootstrapped(arms(1, 20)).difference < interval[1]


@pytest.mark.parametrize(
    ("clusters", "told"),
    [(4, "only 4 scenes: cluster interval not computed (<5)"), (1, "only 1 scene: ")],
)
def test_fewer_than_five_clusters_are_refused(clusters: int, told: str) -> None:
    with pytest.raises(ComparisonError) as caught:
        bootstrapped(arms(1, clusters))
    assert str(caught.value).startswith(told)


def test_other_labels_are_refused_within_an_arm_and_between_arms() -> None:
    first, second = labels(1, 8), labels(2, 8)
    runs = [predicted(true, 0.8, 1) for true in (first, second)]
    with pytest.raises(ComparisonError, match="test lists differ: the runs"):
        cluster_sums(runs, [0.5, 0.5])
    with pytest.raises(ComparisonError, match="test lists differ: the arms"):
        bootstrapped([cluster_sums([run], [1]) for run in runs])


def test_labels_without_a_scored_pixel_are_refused() -> None:
    with pytest.raises(ComparisonError, match="no pixel is scored"):
        cluster_sums([np.zeros((8, 2, 2), np.int64)], [1])


def test_one_generator_state_gives_one_answer() -> None:
    assert bootstrapped(arms(1, 25), seed=7) == bootstrapped(arms(1, 25), seed=7)
    assert bootstrapped(arms(1, 25), seed=7) != bootstrapped(arms(1, 25), seed=8)


def test_arms_resampled_together_see_the_same_draws() -> None:
    a, b = arms(1, 12)
    paired = resample([a, b], np.random.default_rng(1), 50)
    alone = resample([b], np.random.default_rng(1), 50)
    assert np.array_equal(paired[1].draws, alone[0].draws, equal_nan=True)


def covered(found: ClusterBootstrap, true: tuple[float, ...]) -> bool:
    bands = [c for c in found.classes if isinstance(c, ClassDifference) and c.band is not None]
    return all(
        c.band is None or c.band[0] <= value <= c.band[1]
        for c, value in zip(bands, true, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "least"), [(8, 0.87), (40, 0.90)])
def test_bands_of_equal_arms_hold_together(clusters: int, least: float) -> None:
    held = 0
    for seed in range(400):
        true = np.random.default_rng(seed).integers(50, 400, (clusters, 4))
        runs = [predicted(true, 0.7, 1000 * k + seed) for k in (1, 2)]
        found = bootstrapped([cluster_sums([run], [1]) for run in runs], 500, seed)
        held += covered(found, (0.0,) * 4)
    assert least < held / 400 < 0.98
