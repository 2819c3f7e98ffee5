"""The design check of a plan: level, smallest p, detectable difference."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.compare.study import Run
from gpbench.core.errors import InvalidValueError
from gpbench.core.plan import Plan, PlanItem
from gpbench.planning.design import Knowledge, design
from gpbench.planning.pilot import Pilot, Place
from gpbench.stats.power import detectable, power_t, power_two_sample
from gpbench.stats.satterthwaite import Term, t_test
from tests.compare.made import study_of
from tests.planning.asked import plan

TWO = ["imagenet,scratch"]
FOUR_DATASETS = ["demo-isaid,demo-mfnet,demo-potsdam,demo-pst900"]


def asked(pretrain_seeds: int = 3, seeds: int = 1, **flags: Any) -> Plan:
    given = {"strategies": TWO, **flags}
    return plan(pretrain_seeds=str(pretrain_seeds), seeds=str(seeds), **given)


def both(dataset: str, pilot: Pilot, fraction: float = 1.0) -> dict[Place, Pilot]:
    """Return one pilot for arms that pre-train and for arms that do not."""
    return {Place(dataset, fraction, pretrains): pilot for pretrains in (True, False)}


@pytest.mark.parametrize(
    ("strategies", "pretrain_seeds", "seeds", "level", "more"),
    [
        ("imagenet,scratch", 1, 5, "checkpoint", 2),
        ("imagenet,scratch", 2, 1, "strategy", 1),
        ("imagenet,scratch", 3, 1, "strategy", 0),
        ("scratch", 1, 5, "strategy", 0),
        ("scratch", 1, 1, "strategy", 2),
    ],
)
def test_level_is_set_by_the_number_of_pretrainings(
    strategies: str, pretrain_seeds: int, seeds: int, level: str, more: int
) -> None:
    found = design(asked(pretrain_seeds, seeds, strategies=[strategies]), Knowledge())
    assert (found["level"], found["more_pretrainings"]) == (level, more)
    assert (found["level_reason"] is None) == (more == 0)


@pytest.mark.parametrize("strategies", ["imagenet,scratch", "imagenet,imagenet[inflate=mean]"])
@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("pretrain_seeds", [1, 2, 3])
def test_level_and_verdicts_are_those_that_compare_will_give(
    strategies: str, seeds: int, pretrain_seeds: int
) -> None:
    wanted = asked(pretrain_seeds, seeds, strategies=[strategies], datasets=["demo-isaid,demo-po*"])
    found = design(wanted, Knowledge(sd=1))
    study = study_of(_run(wanted, item, at) for at, item in enumerate(wanted.items) if item.dataset)
    finding = compare(study, Request(baselines=("imagenet",))).contrasts[0].finding
    assert found["level"] == finding.level
    assert found["decisive"] == (finding.verdict != "undecidable")
    if found["detectable_difference"] is not None:
        assert (found["level"], found["decisive"]) == ("strategy", True)


def _run(wanted: Plan, item: PlanItem, at: int) -> Run:
    """Return the run of a fine-tuning, whose scores vary."""
    assert item.dataset is not None
    assert item.label_fraction is not None
    assert item.finetune_seed is not None
    key = wanted.items[item.needs[0]].identity if item.needs else None
    place = item.arm, item.backbone, item.dataset, item.label_fraction, item.pretrain_seed
    return Run(*place, key, item.finetune_seed, np.random.default_rng(at).uniform(50, 60))


def test_reason_says_which_arm_lacks_what() -> None:
    assert design(asked(1, 5), Knowledge())["level_reason"] == (
        "imagenet has 1 pre-training: verdicts are about these pre-trained models; a verdict about "
        "strategies needs 3 (2 more)"
    )
    assert design(asked(1, 2), Knowledge())["level_reason"] == (
        "imagenet has 1 pre-training, fine-tuned twice, scratch has 2 runs: a verdict about "
        "strategies needs 3 (2 more)"
    )
    assert design(asked(2), Knowledge())["level_reason"] == (
        "imagenet has 2 pre-trainings, scratch has 2 runs: enough for an interval, a verdict "
        "about strategies needs 3 (1 more)"
    )


def test_a_trial_decides_nothing() -> None:
    found = design(asked(limit=6), Knowledge(sd=1))
    assert found["decisive"] is False
    assert found["level_reason"] == "a trial is never ranked"
    assert found["detectable_difference"] is None
    assert found["detectable_difference_reason"] == "a trial is never ranked"


def test_one_dataset_has_the_power_of_welch_s_test() -> None:
    found = design(asked(4), Knowledge(sd=0.7))
    gap = found["detectable_difference"]
    assert power_two_sample(4, 4, gap, 0.7, 0.7, 0.05) == pytest.approx(0.8, abs=1e-6)
    assert found["detectable_by_dataset"] == {"demo-isaid": gap}
    assert found["detectable_difference_reason"] is None
    assert found["sd"] == 0.7


def test_a_pretraining_that_datasets_share_is_one_draw() -> None:
    # 3 imagenets serve both datasets: 1 / 3; scratch has 3 runs on each: 1 / 4 of 1 / 3, twice
    found = design(asked(3, datasets=["demo-isaid,demo-potsdam"]), Knowledge(sd=1))
    shared = len({i.identity for i in asked(3).items if i.kind == "pretrain"})
    assert shared == 3
    test = t_test(0, [Term(1 / 3, 2), Term(1 / 12, 2), Term(1 / 12, 2)], 0.05)
    expected = detectable(test.se, test.df, 0.05)
    assert found["detectable_difference"] == pytest.approx(expected)
    assert found["detectable_difference"] < min(found["detectable_by_dataset"].values())


def test_verdicts_of_datasets_are_corrected_over_contrasts_and_datasets() -> None:
    arms = [*TWO, "imagenet[inflate=mean]"]
    found = design(asked(3, strategies=arms, datasets=["demo-isaid,demo-potsdam"]), Knowledge(sd=1))
    assert found["contrasts"] == 2
    for gap in found["detectable_by_dataset"].values():
        assert power_two_sample(3, 3, gap, 1, 1, 0.05 / 4) == pytest.approx(0.8, abs=1e-6)


def test_more_contrasts_show_less_by_holm() -> None:
    arms = [*TWO, "imagenet[inflate=mean]"]
    found = design(asked(3, strategies=arms, label_fraction="0.5,1"), Knowledge(sd=1))
    assert found["contrasts"] == 4
    power = power_t((2 / 3) ** 0.5, 4, found["detectable_difference"], 0.05 / 4)
    assert power == pytest.approx(0.8, abs=1e-6)


def test_pilots_count_by_their_upper_limit() -> None:
    found = design(asked(3), Knowledge(pilots=both("demo-isaid", Pilot(sd=0.5, df=2))))
    named = design(asked(3), Knowledge(sd=0.5 * 2.1169364935501847))
    assert found["detectable_difference"] == pytest.approx(named["detectable_difference"])
    assert [pilot["pretrains"] for pilot in found["pilots"]] == [True, False]
    for pilot in found["pilots"]:
        assert pilot["upper"] == pytest.approx(1.0585, abs=1e-4)
        place = (pilot["dataset"], pilot["label_fraction"], pilot["df"])
        assert place == ("demo-isaid", 1.0, 2)


def test_each_arm_has_the_sd_of_its_kind() -> None:
    # means of 4 fine-tunings vary less than the single runs of scratch, of which there are 12
    pilots = {
        Place("demo-isaid", 1.0, pretrains): Pilot(sd, 1e9)
        for pretrains, sd in ((True, 1), (False, 2))
    }
    found = design(asked(3, 4), Knowledge(pilots=pilots))["detectable_difference"]
    assert power_two_sample(3, 12, found, 1, 2, 0.05) == pytest.approx(0.8, abs=1e-4)
    two = asked(3, 4, strategies=["imagenet,imagenet[inflate=mean]"])
    alike = design(two, Knowledge(pilots=pilots))["detectable_difference"]
    assert power_two_sample(3, 3, alike, 1, 1, 0.05) == pytest.approx(0.8, abs=1e-4)


def test_the_spread_of_one_kind_tells_nothing_of_the_other() -> None:
    for pretrains, told in (
        (True, "no arm of the plan without a pre-training has 2 stored runs there; --sd names one"),
        (False, "no arm of the plan that pre-trains has 2 stored pre-trainings there; --sd names"),
    ):
        pilots = {Place("demo-isaid", 1.0, pretrains): Pilot(1, 2)}
        found = design(asked(3), Knowledge(pilots=pilots))
        assert found["detectable_difference"] is None
        assert told in found["detectable_difference_reason"]


def test_the_label_fraction_that_shows_least_counts() -> None:
    pilots = both("demo-isaid", Pilot(3, 1e9), 0.5) | both("demo-isaid", Pilot(1, 1e9))
    plan = asked(3, label_fraction="0.5,1")
    found = design(plan, Knowledge(pilots=pilots))["detectable_difference"]
    assert found == pytest.approx(design(plan, Knowledge(sd=3))["detectable_difference"], rel=1e-3)


def test_sds_of_datasets_that_share_a_pretraining_are_averaged() -> None:
    datasets = ["demo-isaid,demo-potsdam"]
    pilots = both("demo-isaid", Pilot(1, 1e9)) | both("demo-potsdam", Pilot(3, 1e9))
    found = design(asked(3, datasets=datasets), Knowledge(pilots=pilots))
    test = t_test(0, [Term(4 / 3, 2), Term(1 / 12, 2), Term(9 / 12, 2)], 0.05)
    expected = detectable(test.se, test.df, 0.05)
    assert found["detectable_difference"] == pytest.approx(expected, rel=1e-3)


def test_unknown_spread_is_null_with_the_dataset_that_lacks_it() -> None:
    known = Knowledge(pilots=both("demo-isaid", Pilot(0.5, 2)))
    found = design(asked(3, datasets=["demo-isaid,demo-potsdam"]), known)
    assert found["detectable_difference"] is None
    assert "no spread is known on demo-potsdam:" in found["detectable_difference_reason"]
    assert found["detectable_by_dataset"]["demo-potsdam"] is None
    assert found["detectable_by_dataset"]["demo-isaid"] > 0


@pytest.mark.parametrize(
    ("flags", "known", "reason"),
    [
        ({"strategies": ["scratch"]}, Knowledge(sd=1), "one arm"),
        ({"pretrain_seeds": 1}, Knowledge(sd=1), "imagenet has 1 pre-training, so the spread of"),
        (
            {"pretrain_seeds": 1, "seeds": 3, "strategies": ["scratch,imagenet"]},
            Knowledge(),  # naming a spread would not help
            "imagenet has 1 pre-training, so the spread of",
        ),
        (
            {"pretrain_seeds": 2},
            Knowledge(sd=1),
            "with 2 pre-trainings of imagenet no difference gets a verdict, however large; 3 would",
        ),
        (
            {"pretrain_seeds": 2, "strategies": ["scratch,imagenet"]},
            Knowledge(sd=1),
            "with 2 runs of scratch no difference gets a verdict",
        ),
        ({}, Knowledge(), "--sd names one"),
        ({}, Knowledge(pilots=both("demo-isaid", Pilot(0, 2))), "is the seed used"),
    ],
)
def test_what_cannot_be_said_is_null_with_a_reason(
    flags: dict[str, Any], known: Knowledge, reason: str
) -> None:
    found = design(asked(**flags), known)
    assert found["detectable_difference"] is None
    assert reason in found["detectable_difference_reason"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_smallest_p_of_exact_tests_and_what_it_cannot_reach() -> None:
    one = design(asked(), Knowledge())
    assert one["p_floor"] is None
    assert one["p_floor_reason"] == "one dataset: there is no exact test over datasets"
    four = design(asked(datasets=FOUR_DATASETS), Knowledge())
    assert four["p_floor"] == 0.125
    assert four["p_floor_reason"] == (
        "with 4 datasets their p is at least 0.125, and 6 could bring it below 0.05; verdicts go "
        "by t tests, which have no such limit"
    )
    arms = [*TWO, "imagenet[inflate=mean]"]
    three = design(asked(datasets=FOUR_DATASETS, strategies=arms), Knowledge())
    assert "at least 0.125, 0.25 after Holm over 2, and 7 could bring" in three["p_floor_reason"]


@pytest.mark.parametrize("sd", [200.0, 0.0, -1.0, float("nan")])
def test_an_sd_that_scores_cannot_have_is_refused(sd: float) -> None:
    with pytest.raises(InvalidValueError, match=r"--sd = .*percent points, more than 0 to 100"):
        Knowledge(sd=sd)
    assert Knowledge(sd=100.0).sd == 100
