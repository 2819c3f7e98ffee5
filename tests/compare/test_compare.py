from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Family, Request
from gpbench.compare.study import Study, StudyDataset
from gpbench.core.errors import ComparisonError, InvalidValueError, UnknownNameError
from tests.compare.made import pretrained, study_of, two_arms, untrained
from tests.stats.oracles import oracle

SUITE = {"isaid": 3, "mfnet": 4, "pst900": 4, "potsdam": 5}
"""Channels: what a strategy that pre-trains per channel count shares."""
value = st.floats(20, 80).map(lambda x: round(x, 3))


def suite(gain: float = 2.0) -> Study:
    """Return three arms on four datasets, 3 pre-trainings each; `scratch` has none."""
    runs = []
    for at, (name, channels) in enumerate(SUITE.items()):
        level = 40.0 + 5 * at
        wobble = (0.0, 0.5 + 0.1 * at, 1.0)
        runs += pretrained("imagenet", name, [level + w for w in wobble])
        runs += pretrained("new", name, [level + gain - w for w in wobble], stem=channels)
        runs += untrained("scratch", name, [level - 6 + w * 2 for w in wobble])
    return study_of(runs)


def test_one_dataset_is_welchs_test_on_pretraining_means() -> None:
    found = compare(two_arms([[50, 52], [53, 55], 53], [48, 49, 51]), Request())
    expected = stats.ttest_ind([51, 54, 53], [48, 49, 51], equal_var=False)
    (contrast,) = found.contrasts
    (row,) = contrast.rows
    assert contrast.scope == "seeds"
    assert contrast.finding == row.finding
    assert row.finding.p == pytest.approx(expected.pvalue)
    assert row.candidate == (50, 52, 53, 55, 53)
    assert row.candidate_pretrain_seeds == (0, 0, 1, 1, 2)
    assert row.candidate_mean == pytest.approx(158 / 3)
    assert row.finding.test == "welch"
    assert row.a12 == pytest.approx((2.5 + 3 + 3) / 9)
    assert (contrast.pretrainings, contrast.finetunings) == ((3, 3), (5, 3))


def test_the_suite_is_the_mean_over_datasets_with_its_shared_pretrainings() -> None:
    found = compare(suite(), Request())
    new, scratch = found.contrasts
    assert (new.candidate, scratch.candidate, new.scope) == ("new", "scratch", "fixed-suite")
    gains = [row.finding.difference or 0 for row in new.rows]
    assert new.finding.difference == pytest.approx(sum(gains) / 4)
    # imagenet: one group, unit means vary with sd of 0, .65, 1; new: groups of 1, 2 and 1
    imagenet = stats.tvar([0, 0.65, 1]) / 3
    own = sum(
        w**2 * stats.tvar(units) / 3
        for w, units in ((1 / 4, (0, 0.5, 1)), (2 / 4, (0, 0.65, 1)), (1 / 4, (0, 0.8, 1)))
    )
    low, high = new.finding.ci or (0, 0)
    se = (high - low) / 2 / stats.t.ppf(0.975, new.finding.df)
    assert se == pytest.approx((imagenet + own) ** 0.5)
    assert (new.pretrainings, scratch.pretrainings) == ((3, 3), (0, 3))
    assert found.family == Family(2, 8, 0)


def test_headlines_and_rows_are_two_families() -> None:
    found = compare(suite(), Request())
    headlines = sorted(c.finding.p or 0 for c in found.contrasts)
    rows = [row.finding for c in found.contrasts for row in c.rows]
    assert min(c.finding.p_adjusted or 0 for c in found.contrasts) == 2 * headlines[0]
    assert min(f.p_adjusted or 0 for f in rows) == pytest.approx(8 * min(f.p or 0 for f in rows))


@settings(max_examples=25)
@given(st.lists(value, min_size=3, max_size=5), st.lists(value, min_size=3, max_size=5))
def test_swapping_the_sides_flips_the_signs(a: list[float], b: list[float]) -> None:
    study = two_arms(a, b)
    one = compare(study, Request(baselines=("imagenet",))).contrasts[0].finding
    other = compare(study, Request(baselines=("new",))).contrasts[0].finding
    assert other.difference == -(one.difference or 0)
    assert other.p == one.p
    if one.ci and other.ci:
        assert one.ci == (-other.ci[1], -other.ci[0])


@settings(max_examples=10)
@given(st.data())
def test_the_order_of_runs_changes_nothing(data: st.DataObject) -> None:
    study = suite()
    shuffled = replace(study, runs=tuple(data.draw(st.permutations(study.runs))))
    one, other = compare(study, Request()), compare(shuffled, Request())
    assert replace(other, runs=one.runs) == one


def test_a_shift_of_all_scores_of_a_dataset_changes_no_difference() -> None:
    study = two_arms([50, 52, 53], [48, 49, 51])
    moved = replace(study, runs=tuple(replace(r, value=(r.value or 0) + 8) for r in study.runs))
    one, other = (compare(s, Request()).contrasts[0].finding for s in (study, moved))
    assert other.difference == pytest.approx(one.difference)
    assert other.p == pytest.approx(one.p)


def test_imagenet_is_the_baseline_where_it_is_there() -> None:
    assert compare(suite(), Request()).baseline == "imagenet"


def test_without_imagenet_the_baseline_must_be_named() -> None:
    study = study_of(untrained("a", "town", [1, 2, 3]) + untrained("b", "town", [1, 2, 4]))
    with pytest.raises(ComparisonError, match=r"no arm 'imagenet'.*--baseline \(a, b\)"):
        compare(study, Request())
    assert compare(study, Request(baselines=("a",))).contrasts[0].candidate == "b"


@pytest.mark.parametrize("asked", [Request(candidates=("nwe",)), Request(baselines=("nwe",))])
def test_an_unknown_arm_is_an_error_with_the_nearest_name(asked: Request) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown arm 'nwe'\. Did you mean 'new'\?"):
        compare(suite(), asked)


def test_the_baseline_alone_is_nothing_to_compare() -> None:
    with pytest.raises(ComparisonError, match="imagenet is the baseline"):
        compare(suite(), Request(candidates=("imagenet",)))
    only = study_of(pretrained("imagenet", "town", [1, 2, 3]))
    with pytest.raises(ComparisonError, match="has only imagenet"):
        compare(only, Request())


@pytest.mark.parametrize(
    ("asked", "flag"),
    [
        (Request(alpha=0.0), "--alpha"),
        (Request(alpha=0.5), "--alpha"),
        (Request(margin=0.0), "--margin"),
        (Request(margin=float("nan")), "--margin"),
    ],
)
def test_numbers_out_of_range_name_their_flag(asked: Request, flag: str) -> None:
    with pytest.raises(InvalidValueError, match=flag):
        compare(suite(), asked)


def test_candidates_that_were_not_asked_for_are_not_in_the_family() -> None:
    found = compare(suite(), Request(candidates=("new",)))
    assert [c.candidate for c in found.contrasts] == ["new"]
    assert found.family == Family(1, 4, 0)
    assert {run.arm for run in found.runs} == {"new", "imagenet"}


def test_each_contrast_uses_the_datasets_that_both_arms_have() -> None:
    study = suite()
    kept = tuple(r for r in study.runs if (r.arm, r.dataset) != ("new", "isaid"))
    found = compare(replace(study, runs=kept), Request())
    new, scratch = found.contrasts
    assert [len(new.rows), len(scratch.rows)] == [3, 4]
    assert "new against imagenet: no comparable results on isaid, left out of the average" in (
        found.warnings
    )


def test_arms_without_a_common_dataset_cannot_be_decided() -> None:
    study = study_of(
        pretrained("imagenet", "town", [1, 2, 3]) + pretrained("new", "field", [1, 2, 3])
    )
    (contrast,) = compare(study, Request()).contrasts
    assert (contrast.finding.verdict, contrast.finding.difference) == ("undecidable", None)
    assert (contrast.rows, contrast.pretrainings, contrast.finetunings) == ((), (0, 0), (0, 0))


def test_every_label_fraction_is_a_contrast_of_its_own() -> None:
    runs = [
        run
        for fraction, gain in ((0.1, 9.0), (1.0, 1.0))
        for arm, scores in (("imagenet", (50, 51, 53)), ("new", (50 + gain, 51 + gain, 52 + gain)))
        for run in pretrained(arm, "town", scores, fraction=fraction)
    ]
    found = compare(study_of(runs), Request())
    assert [c.label_fraction for c in found.contrasts] == [0.1, 1.0]
    assert found.contrasts[0].finding.difference == pytest.approx(9 - 1 / 3)
    assert found.family == Family(2, 2, 0)


def test_the_datasets_own_metric_is_shown_beside_the_common_one() -> None:
    study = two_arms([50, 52, 53], [48, 49, 51])
    runs = tuple(replace(r, headline=(r.value or 0) + 20) for r in study.runs)
    own = replace(study, runs=runs, datasets=(StudyDataset("town", "p/1", "mF1"),))
    (row,) = compare(own, Request()).contrasts[0].rows
    assert row.headline is not None
    assert row.headline.metric == "mF1"
    assert row.headline.candidate == pytest.approx(155 / 3 + 20)
    same = replace(own, datasets=(StudyDataset("town", "p/1", "mIoU"),))
    assert compare(same, Request()).contrasts[0].rows[0].headline is None


def test_the_seed_and_hash_come_from_the_data_alone() -> None:
    one, same = compare(suite(), Request()), compare(suite(), Request())
    other = compare(suite(gain=3), Request())
    assert (one.data_hash, one.rng_seed) == (same.data_hash, same.rng_seed)
    assert one.data_hash != other.data_hash
    assert one.rng_seed != other.rng_seed
    assert compare(suite(), Request(rng_seed=7)).rng_seed == 7


def test_the_machine_is_no_part_of_the_data() -> None:
    study = suite()
    runs = tuple(replace(run, environment={"device": "cpu"}) for run in study.runs)
    assert replace(study, runs=runs).data_hash == study.data_hash


def test_per_dataset_means_are_those_of_the_end_to_end_case() -> None:
    case = oracle("33_end_to_end_dataset_level")
    arms, names = case["inputs"]["strategies"], case["inputs"]["datasets"]
    study = study_of(
        run
        for name, by_arm in zip(names, case["inputs"]["miou"], strict=True)
        for arm, scores in zip(arms, by_arm, strict=True)
        for run in untrained(arm, name, scores)
    )
    expected = case["computed"]["contrasts"]
    for contrast in compare(study, Request(baselines=("scratch",))).contrasts:
        published = expected[f"{contrast.candidate} - scratch"]
        gains = [row.finding.difference for row in contrast.rows]
        assert gains == pytest.approx(published["per_dataset"], rel=1e-6)
        assert contrast.finding.difference == pytest.approx(published["mean"])


def test_backbones_that_only_one_arm_has_are_said_to_be_left_out() -> None:
    runs = pretrained("imagenet", "town", [50, 51, 52], backbone="r18")
    runs += pretrained("imagenet", "town", [60, 61, 62], backbone="r50")
    runs += pretrained("new", "town", [55, 56, 57], backbone="r18")
    found = compare(study_of(runs), Request())
    told = "new against imagenet on town: only one of them has results with r50, left out"
    assert told in found.warnings


def test_one_backbone_at_a_time_is_a_family_of_its_own() -> None:
    runs = [
        run
        for backbone, gain in (("r18", 1.0), ("r50", 9.0))
        for arm, more in (("imagenet", 0.0), ("new", gain))
        for run in pretrained(arm, "town", [50 + more, 51 + more, 53 + more], backbone=backbone)
    ]
    found = compare(study_of(runs), Request())
    (contrast,) = found.contrasts
    assert found.family == Family(1, 1, 2)
    assert [b.backbone for b in contrast.backbones] == ["r18", "r50"]
    gains = [b.finding.difference for b in contrast.backbones]
    assert gains == pytest.approx([1, 9])
    assert contrast.backbones[1].finding.p_adjusted == 2 * (contrast.backbones[1].finding.p or 0)


def test_rows_of_a_table_are_units_and_no_fine_tunings() -> None:
    study = study_of(untrained("a", "town", [1, 2, 3]) + untrained("b", "town", [1, 2, 4]))
    (row,) = compare(study, Request(baselines=("a",))).contrasts[0].rows
    assert row.spread[0].ft is None
    assert row.spread[0].unit is not None


def test_the_same_stored_runs_are_nothing_to_test() -> None:
    runs = pretrained("imagenet", "town", [50, 51, 53]) + pretrained("new", "town", [50, 51, 53])
    keyed = [replace(run, key=f"stage {run.pretrain_seed}") for run in runs]
    (contrast,) = compare(study_of(keyed), Request()).contrasts
    assert contrast.finding.verdict == "undecidable"
    assert contrast.finding.reason.startswith("the very same runs")


def test_equal_scores_of_other_runs_are_nothing_to_test() -> None:
    (contrast,) = compare(two_arms([50, 51, 53], [50, 51, 53]), Request()).contrasts
    assert (contrast.finding.verdict, contrast.finding.difference) == ("undecidable", 0)
    assert contrast.finding.reason.startswith("both arms score exactly the same in every run")
    (contrast,) = compare(two_arms([51, 50, 53], [50, 51, 53]), Request()).contrasts
    assert contrast.finding.verdict == "inconclusive"


def test_one_seed_per_arm_is_said_in_one_sentence() -> None:
    (contrast,) = compare(two_arms([52], [50]), Request()).contrasts
    assert contrast.finding.reason.startswith("1 seed per arm: seed variance is unknown")


def test_a_dataset_on_which_all_runs_diverged_is_said_to_be_left_out_for_that() -> None:
    study = suite()
    runs = tuple(
        replace(r, value=None, status="diverged") if (r.arm, r.dataset) == ("new", "isaid") else r
        for r in study.runs
    )
    found = compare(replace(study, runs=runs), Request())
    told = "new against imagenet: all runs of new diverged on isaid, left out of the average"
    assert told in found.warnings
    assert found.contrasts[0].sensitivity is not None
