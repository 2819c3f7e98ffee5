"""The calibration sees a broken comparison, and the real one keeps its promise."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, count

import numpy as np
import pytest
from scipy import stats

from gpbench.compare.calibrate import Calibration, calibrate_design, calibrate_study
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.equal_arms import Sds, made_design
from gpbench.compare.study import Study
from gpbench.compare.tally import FamilyRate, Kind
from gpbench.core.errors import ComparisonError, InvalidValueError
from gpbench.stats.proportion import Rate
from tests.compare.made import pretrained, study_of, untrained

DRAWS = 300
SURE = 4
"""Standard errors."""
EIGHT = (51, 52, 50, 53.5, 49, 50.5, 54, 52.5)


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


def pooled(study: Study, request: Request) -> Comparison:
    """Compare as if every fine-tuning were an independent run."""
    numbers = count()
    runs = tuple(
        replace(run, pretrain_seed=None, pretrain_key=None, finetune_seed=next(numbers))
        for run in study.runs
    )
    return compare(replace(study, runs=runs), request)


def rate(found: Calibration, kind: Kind = "headline") -> FamilyRate:
    (family,) = (each for each in found.simulated.families if each.kind == kind)
    return family


def at_most(found: Rate, nominal: float) -> bool:
    return found.share <= nominal + SURE * math.sqrt(nominal * (1 - nominal) / found.draws)


@pytest.mark.slow
def test_the_real_comparison_errs_at_most_as_often_as_promised() -> None:
    design = made_design(3, 3, 3, 2)
    found = calibrate_design(design, Sds(1.0, 1.0), Request(), DRAWS, quiet)
    assert [f.kind for f in found.simulated.families] == ["headline", "new-datasets", "rows"]
    assert all(at_most(family.false, 0.05) for family in found.simulated.families)
    assert sum(family.false.count for family in found.simulated.families) > 0


@pytest.mark.slow
def test_pooled_finetunings_are_seen_to_err_far_more_often() -> None:
    design = made_design(3, 3, 3, 2)
    found = calibrate_design(design, Sds(1.0, 1.0), Request(), 100, quiet, compared=pooled)
    false = rate(found).false
    assert false.share - SURE * false.se > 0.1


@pytest.mark.slow
def test_a_level_that_is_not_kept_is_seen_in_relabelled_runs() -> None:
    units = [[at, at + 0.1, at - 0.1, at + 0.05] for at in EIGHT]
    study = study_of(pretrained("imagenet", "town", units) + pretrained("new", "town", units[:3]))
    real, broken = (
        calibrate_study(study, Request(), 40, quiet, compared=compared)
        for compared in (compare, pooled)
    )
    (ours,), (theirs,) = real.relabelled, broken.relabelled
    means = np.mean(units, axis=1)
    halves = [(means[list(half)], np.delete(means, half)) for half in combinations(range(8), 4)]
    small = sum(stats.ttest_ind(a, b, equal_var=False).pvalue < 0.05 for a, b in halves) // 2
    assert (ours.counted.families[0].false.count, ours.splits) == (small, 35)
    assert theirs.counted.families[0].false.count > 10


def split(study: Study, draws: int = 40, **asked: object) -> Calibration:
    return calibrate_study(study, replace(Request(), **asked), draws, quiet)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    ("units", "halves", "splits"),
    [(4, (2, 2), 3), (5, (2, 3), 10), (6, (3, 3), 10), (7, (3, 4), 35)],
)
def test_every_distinct_split_is_compared_once_where_there_are_few(
    units: int, halves: tuple[int, int], splits: int
) -> None:
    seen = []

    def watched(study: Study, request: Request) -> Comparison:
        seen.append(frozenset(r.pretrain_seed for r in study.runs if r.arm == study.arms[0]))
        return compare(study, request)

    study = study_of(
        pretrained("imagenet", "town", EIGHT[:units]) + pretrained("new", "town", [40, 41])
    )
    found = calibrate_study(study, Request(), 40, quiet, compared=watched)
    (relabelled,) = found.relabelled
    assert (relabelled.halves, relabelled.splits) == (halves, splits)
    assert relabelled.every_split
    ours = seen[40:]
    everything = frozenset(range(units))
    assert len({frozenset((half, everything - half)) for half in ours}) == len(ours) == splits


def test_more_splits_than_asked_for_are_drawn() -> None:
    study = study_of(pretrained("imagenet", "town", EIGHT) + pretrained("new", "town", [40, 41]))
    (found,) = split(study, draws=20).relabelled
    assert (found.counted.draws, found.splits, found.every_split) == (20, 35, False)


def test_a_half_keeps_all_runs_of_its_pretrainings() -> None:
    two = [[value, value + 1] for value in EIGHT[:4]]
    study = study_of(
        [
            *pretrained("imagenet", "town", two),
            *pretrained("imagenet", "field", two),
            *pretrained("new", "town", [40, 41]),
        ]
    )
    halves: list[set[tuple[str, int | None]]] = []

    def watched(made: Study, request: Request) -> Comparison:
        halves.extend({(r.dataset, r.pretrain_seed) for r in made.of_arm(arm)} for arm in made.arms)
        assert len(made.runs) == len(study.of_arm("imagenet")) or "new" in made.arms
        return compare(made, request)

    calibrate_study(study, Request(), 1, quiet, compared=watched)
    assert all(len(half) == 4 for half in halves[2:])


def test_halves_of_two_never_get_a_verdict_but_their_p_is_counted() -> None:
    study = study_of(
        pretrained("imagenet", "town", [50, 50.1, 60, 60.1]) + pretrained("new", "town", [40, 41])
    )
    (found,) = split(study).relabelled
    (headline, _) = found.counted.families
    assert (headline.false.count, headline.small.count) == (0, 1)  # 50, 50.1 against 60, 60.1
    assert "a verdict needs 3" in headline.undecided


def test_runs_without_a_pretraining_are_split_as_runs() -> None:
    study = study_of(
        untrained("scratch", "town", EIGHT[:6]) + pretrained("imagenet", "town", [50, 51, 52])
    )
    found = split(study)
    (relabelled,) = found.relabelled
    assert (relabelled.arm, relabelled.unit) == ("scratch", "run")
    assert found.unsplit == (("imagenet", "3 pre-trainings: two halves of 2 need 4"),)


def test_arms_that_are_not_compared_are_not_calibrated() -> None:
    study = study_of(
        [
            *pretrained("imagenet", "town", [50, 51, 52]),
            *pretrained("new", "town", EIGHT[:4]),
            *pretrained("other", "town", EIGHT[:4]),
        ]
    )
    found = split(study, candidates=("new",))
    assert {claim.about.candidate for claim in found.simulated.claims} == {"new"}
    assert [each.arm for each in found.relabelled] == ["new"]
    assert found.data_hash == compare(study, Request(candidates=("new",))).data_hash


def test_the_same_results_give_the_same_numbers_and_another_seed_others() -> None:
    study = study_of(
        pretrained("imagenet", "town", EIGHT[:3]) + pretrained("new", "town", EIGHT[3:6])
    )
    first, again, other = (split(study, rng_seed=seed) for seed in (None, None, 7))
    assert first == again
    assert other.rng_seed == 7
    wide = Request(correction="none", alpha=0.4)
    counts = {
        calibrate_study(study, replace(wide, rng_seed=seed), 40, quiet).simulated.families
        for seed in (7, 8, 9)
    }
    assert len(counts) > 1


def test_other_results_have_another_seed() -> None:
    one, other = (
        study_of(pretrained("imagenet", "town", [50, 51, last]) + pretrained("new", "town", [1, 2]))
        for last in (52, 53)
    )
    assert split(one, draws=1).rng_seed != split(other, draws=1).rng_seed


def test_a_seed_is_of_the_draws_and_not_of_every_comparison_alike() -> None:
    seeds = []

    def watched(study: Study, request: Request) -> Comparison:
        seeds.append(compare(study, request).rng_seed)
        return compare(study, request)

    study = study_of(pretrained("imagenet", "town", EIGHT[:4]) + pretrained("new", "town", [1, 2]))
    calibrate_study(study, Request(rng_seed=1), 3, quiet, compared=watched)
    assert len(set(seeds)) == len(seeds) == 3 + 3


def test_verdicts_are_counted_by_claim() -> None:
    found = calibrate_design(made_design(3, 2, 3, 1), Sds(1.0, 1.0), Request(margin=50), 30, quiet)
    claims = {claim.about.candidate: claim for claim in found.simulated.claims[:4]}
    assert set(claims) == {"candidate 1", "candidate 2"}
    for claim in found.simulated.claims:
        assert sum(claim.verdicts.values()) == 30
        assert claim.verdicts["equivalent"] > 20
        assert claim.false.count == claim.verdicts["better"] + claim.verdicts["worse"]
    assert rate(found).false.count < 10  # to be called equivalent is no error


def test_a_family_errs_where_any_of_its_claims_does() -> None:
    found = calibrate_design(
        made_design(4, 1, 3, 1), Sds(1.0, 1.0), Request(correction="none", alpha=0.3), 60, quiet
    )
    single = [c.false.count for c in found.simulated.claims if c.about.kind == "headline"]
    assert max(single) < rate(found).false.count < sum(single)
    assert rate(found).claims == 3
    assert rate(found).small == rate(found).false


def test_a_design_that_cannot_decide_says_why() -> None:
    found = calibrate_design(made_design(2, 1, 1, 1), Sds(1.0, 1.0), Request(), 5, quiet)
    assert rate(found).false.count == 0
    assert "1 seed per arm: seed variance is unknown" in rate(found).undecided


def test_a_claim_about_given_models_is_calibrated_on_models_that_are_equal() -> None:
    wide = Sds(100.0, 1.0)
    single = calibrate_design(made_design(2, 1, 1, 5), wide, Request(), DRAWS, quiet)
    several = calibrate_design(
        made_design(2, 1, 3, 5), wide, Request(level="checkpoint"), DRAWS, quiet
    )
    for found in (single, several):
        assert found.given
        assert {own.pretraining for own in found.sds.values()} == {0}
        assert at_most(rate(found).false, 0.05)
    assert not calibrate_design(made_design(2, 1, 3, 5), wide, Request(), 2, quiet).given


@pytest.mark.parametrize(("stem", "given"), [(3, {"town", "field"}), (4, {"town"})])
def test_models_are_given_wherever_a_dataset_that_shares_them_has_one(
    stem: int, given: set[str]
) -> None:
    runs = [
        run
        for arm in ("imagenet", "new")
        for dataset, pretrainings, of in (("town", 1, 3), ("field", 3, stem))
        for run in pretrained(arm, dataset, [[50] * 5] * pretrainings, stem=of)
    ]
    found = calibrate_design(study_of(runs), Sds(100.0, 1.0), Request(), DRAWS, quiet)
    assert {at.dataset for at, own in found.sds.items() if own.pretraining == 0} == given
    assert at_most(rate(found).false, 0.05)


def test_models_are_given_where_the_backbones_have_one_pretraining_in_common() -> None:
    runs = [
        run
        for arm in ("imagenet", "new")
        for backbone, pretrainings in (("tiny", 1), ("large", 3))
        for run in pretrained(arm, "town", [[50] * 5] * pretrainings, backbone=backbone)
    ]
    found = calibrate_design(study_of(runs), Sds(100.0, 1.0), Request(), DRAWS, quiet)
    assert {own.pretraining for own in found.sds.values()} == {0}
    assert at_most(rate(found).false, 0.05)


def test_no_models_are_given_where_the_claim_is_to_be_about_strategies() -> None:
    design = made_design(2, 1, 1, 5)
    assert not calibrate_design(design, Sds(1.0, 1.0), Request(level="strategy"), 2, quiet).given


def test_halves_of_pretrainings_are_not_equal_models() -> None:
    study = study_of(
        pretrained("imagenet", "town", EIGHT) + untrained("scratch", "town", EIGHT[:4])
    )
    found = split(study, level="checkpoint")
    assert [each.arm for each in found.relabelled] == ["scratch"]
    ((arm, why),) = found.unsplit
    assert (arm, why.partition(":")[0]) == ("imagenet", "level checkpoint")


def test_candidates_that_start_from_the_baseline_s_pretrainings_are_named() -> None:
    shared = [replace(run, arm="twin") for run in pretrained("imagenet", "town", [50, 51, 53])]
    own = pretrained("new", "town", [50, 51, 52])
    study = study_of(pretrained("imagenet", "town", [50, 51, 52]) + shared + own)
    assert split(study, draws=2).sharing == ("twin",)


def test_arms_without_pretrainings_share_none() -> None:
    study = study_of(untrained("imagenet", "town", [1, 2, 4]) + untrained("new", "town", [1, 2, 3]))
    assert split(study, draws=2).sharing == ()


def test_the_arm_with_the_fewest_units_is_counted() -> None:
    study = study_of(pretrained("imagenet", "town", EIGHT) + untrained("new", "town", [1, 2, 3]))
    assert split(study, draws=2).units == 3


def test_whether_the_spreads_could_be_told_apart_is_said() -> None:
    once = pretrained("imagenet", "town", [50, 51, 52])
    twice = pretrained("new", "town", [[50, 51], [52, 53], [51, 54]])
    again = pretrained("imagenet", "town", [[50, 51], [52, 53], [51, 54]])
    assert split(study_of(once + twice), draws=2).once
    assert not split(study_of(again + twice), draws=2).once


def test_a_trial_has_nothing_to_calibrate() -> None:
    study = study_of(pretrained("imagenet", "town", [1, 2]), trial=True)
    with pytest.raises(ComparisonError, match="a trial run, which is never ranked"):
        split(study)


def test_what_compare_refuses_is_refused() -> None:
    study = study_of(pretrained("imagenet", "town", [1, 2]) + pretrained("new", "town", [1, 2]))
    with pytest.raises(InvalidValueError, match="--alpha"):
        split(study, alpha=0.7)
