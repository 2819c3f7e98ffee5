from __future__ import annotations

from dataclasses import replace

import pytest

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.looks import PAUSE_S, looks
from gpbench.compare.study import Study
from tests.compare.made import pretrained, study_of

STEP_S = 100.0


def series(*ends: int, pause_s: float = PAUSE_S) -> Study:
    """Return 2 arms with runs one after the other, and a pause after so many of each arm."""
    count = ends[-1]
    runs = pretrained("imagenet", "town", range(50, 50 + count))
    runs += pretrained("new", "town", range(52, 52 + count))
    timed = []
    for run in runs:
        seed = run.pretrain_seed or 0
        breaks = sum(seed >= end for end in ends[:-1])
        began = (2 * seed + (run.arm == "new")) * STEP_S + breaks * pause_s
        timed.append(replace(run, ran=(began, began + STEP_S)))
    return study_of(timed)


def test_one_series_is_one_look() -> None:
    assert looks(series(5)) == 1


@pytest.mark.parametrize(("ends", "count"), [((3, 5), 2), ((3, 5, 10), 3)])
def test_runs_added_to_a_complete_design_are_a_look_more(ends: tuple[int, ...], count: int) -> None:
    assert looks(series(*ends)) == count


def test_a_short_break_is_no_look() -> None:
    assert looks(series(3, 5, pause_s=PAUSE_S - 1)) == 1


def test_one_run_per_cell_is_nothing_to_look_at() -> None:
    assert looks(series(1, 5)) == 1


def test_an_incomplete_design_is_no_look() -> None:
    study = series(3, 5)
    without = tuple(r for r in study.runs if (r.arm, r.pretrain_seed) != ("new", 2))
    assert looks(replace(study, runs=without)) == 1


def test_a_run_over_the_break_is_no_look() -> None:
    study = series(3, 5)
    first, *others = study.runs
    long = replace(first, ran=(0.0, 6 * STEP_S + PAUSE_S))
    assert looks(replace(study, runs=(long, *others))) == 1


def test_a_pause_in_which_a_stage_ran_is_no_look() -> None:
    study = series(3, 5, 10)
    # the pauses after 3 and after 5 replicates of both arms
    first, second = ((began, began + PAUSE_S) for began in (6 * STEP_S, 10 * STEP_S + PAUSE_S))
    assert looks(replace(study, busy=(first, second))) == 1
    assert looks(replace(study, busy=(second,))) == 2
    # a pre-training that began late leaves a break before it
    late = (first[0] + PAUSE_S, first[1] + PAUSE_S)
    assert looks(replace(study, busy=(late, second))) == 2
    results = tuple(run.ran for run in study.runs if run.ran)
    assert looks(replace(study, busy=results)) == 3


def test_a_stage_of_an_arm_that_is_left_out_ran_too() -> None:
    runs = (*series(3, 5).runs, *pretrained("other", "town", [40]))
    busy = ((6 * STEP_S, 6 * STEP_S + PAUSE_S),)
    asked = Request(candidates=("new",))
    assert not _told(compare(replace(study_of(runs), busy=busy), asked))
    assert _told(compare(study_of(runs), asked))


def _told(found: Comparison) -> list[str]:
    return [warning for warning in found.warnings if warning.startswith("look")]


def test_unknown_times_are_one_look() -> None:
    study = series(3, 5)
    first, *others = study.runs
    assert looks(replace(study, runs=(replace(first, ran=None), *others))) == 1


def test_a_series_is_warned_about_with_the_level_of_planned_looks() -> None:
    (told,) = _told(compare(series(3, 5, 10), Request()))
    assert told.startswith("look 3 of an unplanned series: nominal p not valid.")
    assert told.endswith("p < 0.0221")
