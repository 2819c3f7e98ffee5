from __future__ import annotations

from dataclasses import replace

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Contrast, Request
from gpbench.compare.study import Run, Study
from tests.compare.made import pretrained, study_of


def diverging(study: Study, arm: str, seed: int) -> Study:
    def broken(run: Run) -> Run:
        lost = (run.arm, run.pretrain_seed) == (arm, seed)
        return replace(run, value=None, status="diverged") if lost else run

    return replace(study, runs=tuple(map(broken, study.runs)))


def contrast(candidate: list[float], baseline: list[float], arm: str | None) -> Contrast:
    study = study_of(
        pretrained("imagenet", "town", baseline) + pretrained("new", "town", candidate)
    )
    study = diverging(study, arm, 3) if arm else study
    return compare(study, Request()).contrasts[0]


def test_without_a_divergence_there_is_nothing_to_fill_in() -> None:
    assert contrast([60, 61, 62], [50, 51, 52], None).sensitivity is None


def test_a_diverged_run_gets_the_lowest_and_the_highest_score_of_its_dataset() -> None:
    found = contrast([60, 61, 62, 60], [50, 51, 52, 53], "new")
    assert found.sensitivity is not None
    worst, best = found.sensitivity.worst, found.sensitivity.best
    assert found.finding.difference == 61 - 51.5
    assert worst.difference == (60 + 61 + 62 + 50) / 4 - 51.5
    assert best.difference == (60 + 61 + 62 + 62) / 4 - 51.5
    assert found.sensitivity.diverged == (1, 0)


def test_a_baseline_that_diverged_is_read_the_other_way_round() -> None:
    found = contrast([60, 61, 62, 60], [50, 51, 52, 53], "imagenet")
    assert found.sensitivity is not None
    assert found.sensitivity.worst.difference == 60.75 - (50 + 51 + 52 + 62) / 4
    assert found.sensitivity.diverged == (0, 1)


def test_a_verdict_that_one_reading_undoes_is_fragile() -> None:
    found = contrast([60, 61, 62, 60], [50, 51, 52, 53], "new")
    assert found.finding.verdict == "better"
    assert found.sensitivity is not None
    assert found.sensitivity.worst.verdict == "inconclusive"
    assert found.sensitivity.fragile


def test_a_verdict_that_both_readings_keep_is_not_fragile() -> None:
    found = contrast([60, 61, 62, 60], [50 + at / 10 for at in range(12)], "imagenet")
    assert found.sensitivity is not None
    assert not found.sensitivity.fragile
    assert found.finding.verdict == found.sensitivity.worst.verdict == "better"


def test_what_is_only_missing_is_not_filled_in() -> None:
    study = study_of(
        pretrained("imagenet", "town", [50, 51, 52]) + pretrained("new", "town", [60, 61, 62, 63])
    )
    runs = tuple(replace(r, value=None, status="oom") if r.value == 63 else r for r in study.runs)
    assert compare(replace(study, runs=runs), Request()).contrasts[0].sensitivity is None


def test_a_sign_that_one_reading_turns_is_fragile() -> None:
    found = contrast([50.2, 51.2, 52.3, 0], [50, 51, 52, 53], "new")
    assert found.sensitivity is not None
    assert (found.finding.verdict, found.sensitivity.worst.verdict) == ("inconclusive",) * 2
    assert (found.finding.difference or 0) < 0 < (found.sensitivity.best.difference or 0) + 1


def test_runs_with_other_backbones_are_no_reading() -> None:
    study = study_of(
        [
            *pretrained("imagenet", "town", [50, 51, 52], backbone="large"),
            *pretrained("imagenet", "town", [40, 41, 42], backbone="small"),
            *pretrained("new", "town", [60, 61, 62, 63], backbone="large"),
            *pretrained("new", "town", [50, 51, 52, 53], backbone="small"),
        ]
    )
    found = compare(diverging(study, "new", 3), Request()).contrasts[0].sensitivity
    assert found is not None
    assert found.worst.difference == (60 + 61 + 62 + 50) / 8 + (50 + 51 + 52 + 40) / 8 - 46


def test_arms_that_are_not_compared_are_read_too() -> None:
    study = study_of(
        [
            *pretrained("imagenet", "town", [50, 51, 52]),
            *pretrained("new", "town", [60, 61, 62, 63]),
            *pretrained("third", "town", [30, 31, 32]),
        ]
    )
    broken = diverging(study, "new", 3)
    (alone,) = compare(broken, Request(candidates=("new",))).contrasts
    both = compare(broken, Request()).contrasts[0]
    assert alone.sensitivity is not None
    assert both.sensitivity is not None
    assert alone.sensitivity.worst.difference == both.sensitivity.worst.difference
