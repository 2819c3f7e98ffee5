from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from scipy import stats

from gpbench.compare.fairness import warnings
from gpbench.compare.improving import improving
from gpbench.compare.study import Study
from gpbench.compare.training import Training, Trainings
from tests.compare.made import two_arms

FALLING = ((2.0, 1.80), (2.2, 2.0), (1.8, 1.64))


def trained(
    losses: Sequence[tuple[float, float]],
    arm: str = "new",
    dataset: str = "town",
    *,
    backbone: str = "tiny",
    fraction: float = 1.0,
) -> Training:
    return Training(arm, backbone, dataset, fraction, {}, frozenset(), {}, tuple(losses))


def study_with(*cells: Training) -> Study:
    return replace(two_arms([50, 52, 53], [48, 49, 51]), trainings=Trainings(cells))


def test_an_arm_whose_loss_still_falls_is_flagged_with_how_much() -> None:
    (found,) = improving(study_with(trained(FALLING), trained([(1, 1), (1, 1.01)], "imagenet")))
    assert (found.arm, found.dataset, found.finetunings) == ("new", "town", 3)
    assert found.drop == pytest.approx((0.2 + 0.2 + 0.16) / 6)
    early, late = zip(*FALLING, strict=True)
    assert found.p == pytest.approx(stats.ttest_rel(early, late).pvalue)


@pytest.mark.parametrize(
    "losses",
    [
        ((1.0, 0.96), (1.0, 0.97), (1.0, 0.96)),  # falls surely, by less than 5 %
        ((1.0, 0.5), (1.0, 1.3), (1.0, 0.6)),  # falls by 20 %, or by chance
        ((0.9, 1.0), (1.0, 1.1), (0.82, 0.9)),  # rises
        ((-1.0, -1.5), (1.0, 0.52)),  # a mean of 0 has no share
        ((1.0, 0.5),),  # one fine-tuning
        ((1.0, 0.5), (1.0, 0.5)),  # without spread there is no test
        (),
    ],
)
def test_what_the_rule_leaves_alone(losses: Sequence[tuple[float, float]]) -> None:
    assert list(improving(study_with(trained(losses)))) == []


def test_arms_that_are_not_compared_are_not_flagged() -> None:
    assert list(improving(study_with(trained(FALLING, "other")))) == []


def test_the_warning_names_arm_and_datasets() -> None:
    study = study_with(trained(FALLING), trained(FALLING, dataset="field"))
    (warning,) = warnings(study, "imagenet", ("new",))
    assert warning == (
        "new was still improving when its fine-tuning ended: its training loss fell by 9 % on "
        "town; 9 % on field over the last tenth of the steps; more steps may change its gain"
    )


def test_the_baseline_is_told_too_each_arm_by_its_own_sentence() -> None:
    study = study_with(trained(FALLING), trained(FALLING, "imagenet"))
    assert [told.split()[0] for told in warnings(study, "imagenet", ("new",))] == [
        "new",
        "imagenet",
    ]


def test_backbone_and_label_fraction_are_named_where_there_are_several() -> None:
    study = study_with(
        trained(FALLING, backbone="large"), trained([], fraction=0.1), trained([], "imagenet")
    )
    (warning,) = warnings(study, "imagenet", ("new",))
    assert "fell by 9 % on town, large, label fraction 1 over" in warning
