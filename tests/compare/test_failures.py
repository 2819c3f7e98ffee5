from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gpbench.compare.failures import Failures, Tally, failures
from gpbench.compare.study import Run, Study
from tests.compare.made import pretrained, study_of, two_arms, untrained


def lost(study: Study, which: Callable[[Run], bool], status: str = "diverged") -> Study:
    """Return the study with some runs that ended badly."""
    runs = (replace(r, value=None, status=status) if which(r) else r for r in study.runs)
    return replace(study, runs=tuple(runs))


def counted(study: Study) -> Failures:
    found = failures(study, "new", "imagenet")
    assert found is not None
    return found


def test_nothing_diverged_is_no_table() -> None:
    study = two_arms([50, 52, 53], [48, 49, 51])
    assert failures(study, "new", "imagenet") is None
    assert failures(lost(study, lambda r: r.arm == "new", "oom"), "new", "imagenet") is None


def test_three_of_three_against_none_of_three() -> None:
    found = counted(lost(two_arms([50, 52, 53], [48, 49, 51]), lambda r: r.arm == "new"))
    assert found.finetunings == found.outcomes == (Tally(3, 3), Tally(0, 3))
    assert found.p == pytest.approx(2 / 20)  # of the 20 ways to choose 3 of 6, two are so extreme


def test_a_diverged_pretraining_is_one_outcome() -> None:
    study = two_arms([[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]])
    found = counted(lost(study, lambda r: r.arm == "new" and r.pretrain_seed == 0))
    assert found.finetunings == (Tally(3, 6), Tally(0, 6))
    assert found.outcomes == (Tally(1, 4), Tally(0, 6))
    assert found.p == pytest.approx(4 / 10)


def test_a_pretraining_that_some_fine_tunings_survive_did_not_diverge() -> None:
    study = two_arms([[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]])
    some = lost(study, lambda r: r.arm == "new" and r.pretrain_seed == 0 and r.finetune_seed < 2)
    assert counted(some).outcomes == (Tally(2, 6), Tally(0, 6))


def test_fine_tunings_without_a_pretraining_stand_alone() -> None:
    study = study_of(
        pretrained("imagenet", "town", [1, 2, 3]) + untrained("new", "town", [1, 2, 4])
    )
    assert counted(lost(study, lambda r: r.arm == "new")).outcomes == (Tally(3, 3), Tally(0, 3))


def test_what_is_missing_is_not_counted() -> None:
    study = lost(two_arms([50, 52, 53, 51], [48, 49, 51, 50]), lambda r: r.pretrain_seed == 0)
    found = counted(lost(study, lambda r: r.pretrain_seed == 1, "timeout"))
    assert found.finetunings == (Tally(1, 3), Tally(1, 3))
    assert found.p == 1


def test_an_arm_of_which_nothing_ended_is_not_tested() -> None:
    study = lost(two_arms([50, 52], [48, 49]), lambda r: r.arm == "new")
    found = counted(lost(study, lambda r: r.arm == "imagenet", "missing"))
    assert found.outcomes == (Tally(2, 2), Tally(0, 0))
    assert found.p is None
