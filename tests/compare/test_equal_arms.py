"""Equal arms in the design of a study: what is shared is one draw, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpbench.compare.equal_arms import (
    LEVEL,
    EqualArms,
    Place,
    Sds,
    equal_scores,
    estimated,
    made_design,
    place_of,
)
from gpbench.compare.study import Run, Study
from gpbench.core.errors import ComparisonError
from tests.compare.made import pretrained, study_of, untrained

RUNS = [
    *pretrained("imagenet", "town", [[50, 52], [54, 56], [58, 60]]),
    *pretrained("imagenet", "field", [[30, 32], [34, 36], [38, 40]]),
    *untrained("scratch", "town", [40, 41, 42]),
]


def place(arm: str, dataset: str) -> Place:
    return Place(arm, "tiny", dataset, 1.0)


def drawn(study: Study, sds: Sds, seed: int = 1) -> list[Run]:
    arms = EqualArms(study, dict.fromkeys(map(place_of, study.runs), sds))
    return list(arms.drawn(np.random.default_rng(seed)).runs)


def values(runs: list[Run], arm: str, dataset: str) -> list[float]:
    return [r.value for r in runs if (r.arm, r.dataset) == (arm, dataset) and r.value is not None]


def test_a_shared_pretraining_adds_the_same_to_all_datasets() -> None:
    runs = drawn(study_of(RUNS), Sds(2.0, 0.0))
    town, field = (np.array(values(runs, "imagenet", on)) for on in ("town", "field"))
    assert len(set(np.round(town - np.mean(town), 9))) == 3  # three pre-trainings, each twice
    np.testing.assert_allclose(town - town.mean(), field - field.mean())
    assert np.ptp(values(runs, "scratch", "town")) == 0  # nothing is pre-trained


def test_finetunings_vary_apart_but_for_one_that_serves_two_arms() -> None:
    once = replace(RUNS[0], key="stage")
    runs = drawn(study_of([once, replace(once, arm="twin"), *RUNS[1:]]), Sds(1.0, 1.0))
    assert runs[0].value == runs[1].value
    assert len({run.value for run in runs}) == len(runs) - 1


def test_the_spread_is_the_one_asked_for() -> None:
    numbers = np.repeat(np.arange(20_000), 2)
    found = equal_scores(numbers, np.arange(40_000), 3.0, 2.0, np.random.default_rng(1))
    units = found.reshape(-1, 2)
    assert np.var(units[:, 0] - units[:, 1]) == pytest.approx(8, rel=0.05)
    assert np.cov(units.T)[0, 1] == pytest.approx(9, rel=0.05)
    assert found.mean() == pytest.approx(0, abs=0.1)


def test_all_arms_have_the_level_of_their_dataset() -> None:
    runs = drawn(study_of(RUNS), Sds(0.0, 0.0))
    level = (50 + 52 + 54 + 56 + 58 + 60 + 40 + 41 + 42) / 9
    assert values(runs, "imagenet", "town") == [level] * 6
    assert values(runs, "scratch", "town") == [level] * 3
    assert values(runs, "imagenet", "field") == [35.0] * 6


def test_what_has_no_score_gets_none() -> None:
    lost = replace(RUNS[0], value=None, status="diverged")
    runs = drawn(study_of([lost, *RUNS[1:]]), Sds(1.0, 1.0))
    assert (runs[0].value, runs[0].status) == (None, "diverged")
    assert all(run.value is not None for run in runs[1:])


def sds(study: Study, arm: str, dataset: str) -> tuple[float, float]:
    found = estimated(study)[place(arm, dataset)]
    return found.pretraining, found.finetuning


def test_spreads_are_estimated_by_the_runs_of_each_place() -> None:
    # within: 2^2 / 2 of each pair; unit means 51, 55, 59 vary by 16, less 2 / 2
    assert sds(study_of(RUNS), "imagenet", "town") == pytest.approx((15**0.5, 2**0.5))
    assert sds(study_of(RUNS), "scratch", "town") == pytest.approx((0, 1))


def test_with_one_finetuning_each_all_of_the_spread_is_the_pretraining_s() -> None:
    study = study_of(pretrained("imagenet", "town", [50, 52, 54]))
    assert sds(study, "imagenet", "town") == pytest.approx((2, 0))


def test_one_pretraining_shows_nothing_of_its_luck() -> None:
    study = study_of(pretrained("imagenet", "town", [[50, 52, 54]]))
    assert sds(study, "imagenet", "town") == pytest.approx((0, 2))


def test_a_made_up_design_shares_its_pretrainings_over_datasets() -> None:
    study = made_design(arms=2, datasets=3, pretrainings=4, finetunings=5)
    assert study.arms == ("imagenet", "candidate 1")
    assert len(study.runs) == 2 * 3 * 4 * 5
    assert {run.value for run in study.runs} == {LEVEL}
    assert len({run.pretrain_key for run in study.runs}) == 2 * 4
    assert len({place_of(run) for run in study.runs}) == 2 * 3


def test_a_single_run_tells_no_spread() -> None:
    study = study_of([*RUNS, *untrained("scratch", "field", [30])])
    with pytest.raises(ComparisonError, match="scratch has one run on field"):
        estimated(study)
