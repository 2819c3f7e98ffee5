from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats

from gpbench.compare.across import floor_note
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request, Scoped
from gpbench.compare.judged import CLOSER
from gpbench.compare.study import Run, Study, StudyDataset
from tests.compare.made import pretrained, study_of, untrained
from tests.stats.oracles import oracle


def end_to_end() -> Study:
    """Return the study of oracle 33: 6 datasets, 3 strategies, 3 seeds."""
    case = oracle("33_end_to_end_dataset_level")
    arms, names = case["inputs"]["strategies"], case["inputs"]["datasets"]
    return study_of(
        run
        for name, by_arm in zip(names, case["inputs"]["miou"], strict=True)
        for arm, scores in zip(arms, by_arm, strict=True)
        for run in untrained(arm, name, scores)
    )


def scope(found: Comparison, candidate: str) -> Scoped:
    (contrast,) = [c for c in found.contrasts if c.candidate == candidate]
    (scoped,) = contrast.scopes
    return scoped


def test_claims_about_new_datasets_are_those_of_the_end_to_end_case() -> None:
    case = oracle("33_end_to_end_dataset_level")["computed"]
    found = compare(end_to_end(), Request(baselines=("scratch",)))
    for candidate in ("imagenet", "rs_mae"):
        expected = case["contrasts"][f"{candidate} - scratch"]
        scoped = scope(found, candidate)
        assert (scoped.scope, scoped.finding.df) == ("datasets", expected["df"])
        assert scoped.finding.difference == pytest.approx(expected["mean"])
        assert scoped.finding.p == pytest.approx(expected["p_t"])
        assert scoped.finding.ci == pytest.approx(expected["ci95"])
        assert scoped.finding.verdict == "better"


def test_exact_tests_are_those_of_the_end_to_end_case() -> None:
    case = oracle("33_end_to_end_dataset_level")["computed"]
    for contrast in compare(end_to_end(), Request(baselines=("scratch",))).contrasts:
        expected = case["contrasts"][f"{contrast.candidate} - scratch"]
        found = contrast.exact
        assert found is not None
        assert found.sign_flip_p == pytest.approx(expected["signflip_p"])
        assert found.signed_rank_p == pytest.approx(expected["wilcoxon_p"])
        assert found.floor == pytest.approx(0.03125)
        assert found.hodges_lehmann == pytest.approx(expected["hodges_lehmann"], rel=1e-6)
        assert [found.wins, found.ties, found.losses] == expected["wins_ties_losses"]
        assert found.leave_one_out == pytest.approx(expected["leave_one_out_range"], rel=1e-6)


def test_friedmans_test_is_that_of_the_end_to_end_case() -> None:
    case = oracle("33_end_to_end_dataset_level")["computed"]["friedman"]
    (found,) = compare(end_to_end(), Request(baselines=("scratch",))).omnibus
    assert (found.test.chi2, found.test.p) == pytest.approx((case["chi2"], case["p"]))
    assert (len(found.arms), len(found.datasets), found.dropped) == (3, 6, ())


def test_an_incomplete_dataset_is_dropped_from_the_ranks_and_named() -> None:
    study = end_to_end()
    gone = ("rs_mae", "isaid")
    kept = replace(study, runs=tuple(r for r in study.runs if (r.arm, r.dataset) != gone))
    (found,) = compare(kept, Request(baselines=("scratch",))).omnibus
    assert found.dropped == ("isaid",)
    table = [
        [r.value for r in kept.runs if (r.arm, r.dataset) == (arm, name)]
        for name in found.datasets
        for arm in found.arms
    ]
    means = [sum(v for v in values if v is not None) / 3 for values in table]
    columns = [means[at::3] for at in range(3)]
    assert found.test.chi2 == pytest.approx(stats.friedmanchisquare(*columns).statistic)


def test_an_arm_whose_runs_all_diverged_is_the_worst_of_its_dataset() -> None:
    study = end_to_end()

    def broken(run: Run) -> Run:
        lost = (run.arm, run.dataset) == ("rs_mae", "isaid")
        return replace(run, value=None, status="diverged") if lost else run

    (found,) = compare(
        replace(study, runs=tuple(map(broken, study.runs))), Request(baselines=("scratch",))
    ).omnibus
    assert found.dropped == ()
    assert found.test.mean_ranks != (1, 2, 3)


@pytest.mark.parametrize(("datasets", "scopes"), [(1, 0), (2, 0), (3, 1)])
def test_three_datasets_are_needed_for_a_claim_about_new_ones(datasets: int, scopes: int) -> None:
    study = study_of(
        run
        for at in range(datasets)
        for arm, gain in (("imagenet", 0.0), ("new", 1.0 + at))
        for run in pretrained(arm, f"d{at}", [50 + gain, 51 + gain, 52.5 + gain])
    )
    (contrast,) = compare(study, Request()).contrasts
    assert len(contrast.scopes) == scopes
    assert (contrast.exact is None) == (datasets == 1)


def test_one_pretraining_makes_the_claim_conditional() -> None:
    study = study_of(
        run
        for at in range(3)
        for arm, gain in (("imagenet", 0.0), ("new", 1.0 + at))
        for run in pretrained(arm, f"d{at}", [[50 + gain, 51 + gain, 52.5 + gain]])
    )
    (scoped,) = compare(study, Request()).contrasts[0].scopes
    assert scoped.finding.level == "checkpoint"
    assert "conditional on these pre-trainings" in scoped.finding.reason


def test_gains_that_are_all_the_same_have_no_test() -> None:
    study = study_of(
        run
        for name in ("a", "b", "c")
        for arm, gain in (("imagenet", 0.0), ("new", 1.0))
        for run in pretrained(arm, name, [50 + gain, 51 + gain, 52.5 + gain])
    )
    (scoped,) = compare(study, Request()).contrasts[0].scopes
    assert scoped.finding.verdict == "undecidable"
    assert "all differences are identical (sd = 0)" in scoped.finding.reason


def test_what_cannot_reach_significance_is_said() -> None:
    assert floor_note(5, 3, 0.05) == (
        "n=5 pairs: the smallest possible two-sided p of an exact signed-rank/sign-flip test is "
        "0.0625; it cannot reach 0.05 however large the gain. Showing the paired t interval, which "
        "relies on near-normal dataset gains; 1 more dataset (>= 6) makes the rank test "
        "informative, Holm over m=3 needs 7."
    )
    assert floor_note(6, 66, 0.05) == (
        "66 contrasts, 6 datasets: nothing can be significant after Holm with a rank test "
        "(floor 2.06); 12 datasets would be enough"
    )
    assert floor_note(6, 1, 0.05) is None


def test_two_datasets_are_shown_no_interval() -> None:
    told = floor_note(2, 1, 0.05) or ""
    assert told.startswith("n=2 pairs: the smallest possible two-sided p")
    assert "paired t interval" not in told
    assert "0.0625" in (floor_note(5, 1, 0.0625) or "")


def suite_of(pretrainings: list[float], stem: int | None) -> Study:
    """Return gains of 1, 2 and 3 whose pre-trainings vary, shared by the datasets or not."""
    runs = []
    for at, gain in enumerate((1.0, 2.0, 3.0)):
        own = stem if stem is not None else at
        runs += pretrained("imagenet", f"d{at}", [50 - e for e in pretrainings], stem=own)
        runs += pretrained("new", f"d{at}", [50 + gain + e for e in pretrainings], stem=own)
    return study_of(runs)


def test_an_error_that_all_gains_share_widens_a_claim_about_new_datasets() -> None:
    errors = [-2.0, 0.0, 2.0]
    apart, shared = (compare(suite_of(errors, stem), Request()).contrasts[0] for stem in (None, 3))
    (alone,), (common,) = apart.scopes, shared.scopes
    assert alone.finding.p == pytest.approx(stats.ttest_1samp([1, 2, 3], 0).pvalue)
    low, high = common.finding.ci or (0, 0)
    own = alone.finding.ci or (0, 0)
    assert high - low > own[1] - own[0]
    assert (common.finding.p or 0) > (alone.finding.p or 0)
    # the gains' variance 1 / 3 and that of two arms' pre-trainings, 4 / 3 each
    se = (1 / 3 + 2 * 4 / 3) ** 0.5
    df = se**4 / ((1 / 3) ** 2 / 2 + 2 * (4 / 3) ** 2 / 2)
    assert common.finding.df == pytest.approx(df)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, df) * se)


def test_two_shared_pretrainings_are_too_few_for_a_verdict_about_new_datasets() -> None:
    (scoped,) = compare(suite_of([-0.1, 0.1], 3), Request()).contrasts[0].scopes
    assert scoped.finding.verdict == "undecidable"
    assert "a verdict needs 3" in scoped.finding.reason


def test_one_pretraining_is_no_strategy_whatever_is_asked() -> None:
    (contrast,) = compare(suite_of([0.0], 3), Request(level="strategy")).contrasts
    claim = contrast.scopes[0].finding
    assert contrast.finding.verdict == claim.verdict == "undecidable"
    assert (claim.level, claim.reason) == ("strategy", contrast.finding.reason)


def test_a_claim_that_goes_beyond_what_these_datasets_show_says_so() -> None:
    # gains of 1, 1.1 and 1.2 by chance, with errors of 3 in each
    study = suite_of([-3.0, 0.0, 3.0], None)
    runs = tuple(
        replace(r, value=(r.value or 0) - 0.9 * int(r.dataset[1]) if r.arm == "new" else r.value)
        for r in study.runs
    )
    (contrast,) = compare(replace(study, runs=runs), Request()).contrasts
    claim = contrast.scopes[0].finding
    assert (contrast.finding.verdict, claim.verdict) == ("inconclusive", "better")
    assert claim.p == pytest.approx(stats.ttest_1samp([1, 1.1, 1.2], 0).pvalue)
    assert claim.reason.endswith(CLOSER)
    (agreed,) = compare(suite_of([-0.01, 0.0, 0.01], 3), Request(alpha=0.1)).contrasts
    assert agreed.scopes[0].finding.verdict == agreed.finding.verdict == "better"
    assert CLOSER not in agreed.scopes[0].finding.reason


@pytest.mark.parametrize("fraction", [0.1, 1.0])
def test_pairs_share_their_pretrainings_too(fraction: float) -> None:
    study = suite_of([-3.0, 0.0, 4.0], 3)
    runs = tuple(replace(run, label_fraction=fraction) for run in study.runs)
    (contrast,) = compare(replace(study, runs=runs), Request()).contrasts
    assert (contrast.scopes[0].finding.p or 0) >= (contrast.finding.p or 1)


def test_a_dataset_of_which_nothing_was_planned_is_in_no_rank() -> None:
    runs = [r for arm in ("imagenet", "new", "other") for r in pretrained(arm, "d0", [50, 51, 52])]
    datasets = tuple(StudyDataset(f"d{at}") for at in range(4))
    found = compare(study_of(runs, datasets=datasets, trial=True), Request())
    assert found.omnibus == ()
    assert [len(contrast.rows) for contrast in found.contrasts] == [1, 1]
