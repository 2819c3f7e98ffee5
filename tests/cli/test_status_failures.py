from __future__ import annotations

from dataclasses import replace

from gpbench.cli.status_failures import MOST, failure_lines
from gpbench.execution.view import stage_label
from gpbench.store import FailedStage
from tests.store.plans import make_plan

ITEMS = make_plan(seeds=range(4)).items
DIVERGED = [
    FailedStage(str(at), item, "the loss became NaN", None) for at, item in enumerate(ITEMS)
]
NO_MEMORY = FailedStage("key", ITEMS[3], "no memory", "/work/stages/key/log.txt")


def test_cause_is_said_once_with_its_stages_in_words_and_the_logs_there_are() -> None:
    failed = [DIVERGED[0], NO_MEMORY, DIVERGED[1]]
    assert failure_lines(failed, 100, every=False) == [
        "failed, 2 stages: the loss became NaN",
        f"  {stage_label(ITEMS[0])}",
        f"  {stage_label(ITEMS[1])}",
        "failed, 1 stage: no memory",
        f"  {stage_label(ITEMS[3])}",
        "    log: /work/stages/key/log.txt",
    ]


def test_many_stages_of_one_cause_are_counted_unless_all_are_asked_for() -> None:
    few = failure_lines(DIVERGED, 100, every=False)
    assert len(few) == 1 + MOST + 1
    assert few[-1] == f"  and {len(ITEMS) - MOST} more: `gpbench status -v` names all"
    assert len(failure_lines(DIVERGED, 100, every=True)) == 1 + len(ITEMS)


def test_narrow_lines_fold_between_words_and_paths_stay_whole() -> None:
    lines = failure_lines(
        [replace(NO_MEMORY, error="no memory on /machine/of/the/long/name")], 24, every=False
    )
    assert lines == [
        "failed, 1 stage: no",
        "    memory on",
        "    /machine/of/the/long/name",
        "  finetune scratch",
        "      test_convnext3",
        "      town (fine 0)",
        "    log: /work/stages/key/log.txt",
    ]


def test_stage_without_a_reason_says_so() -> None:
    (cause, _) = failure_lines([replace(NO_MEMORY, error=None, log=None)], 100, every=False)
    assert cause == "failed, 1 stage: no reason is known"
