from __future__ import annotations

from gpbench.core.stage import FinetuneSpec, PretrainSpec
from gpbench.execution.time_left import TimeLeft
from gpbench.planning.durations import Pace
from tests.store.plans import finetune, pretrain


def of_four(pace: Pace) -> tuple[TimeLeft, list[PretrainSpec], list[FinetuneSpec]]:
    """Return the time of two pre-trainings and two fine-tunings."""
    first = [pretrain(0), pretrain(1)]
    second = [finetune(0, None), finetune(1, None)]
    left = TimeLeft(pace)
    left.add([*first, *second])
    return left, first, second


def test_time_is_unknown_while_a_kind_was_never_timed() -> None:
    left, first, second = of_four(Pace([(pretrain(9), 10.0)]))
    assert left.seconds([]) is None
    for spec in second:
        left.drop(spec)
    assert left.seconds([]) == 20.0
    left.pace.add(second[0], 30.0)
    left.add([second[1]])
    assert left.seconds([(first[0], 0.0)]) == 50.0


def test_work_is_shared_by_as_many_stages_as_run_and_what_they_did_is_over() -> None:
    left, first, _ = of_four(Pace([(pretrain(9), 10.0), (finetune(9, None), 30.0)]))
    assert left.seconds([]) == 80.0
    assert left.seconds([(first[0], 4.0), (first[1], 2.0)]) == (80 - 6) / 2


def test_stage_that_takes_longer_than_expected_has_nothing_left() -> None:
    left, first, second = of_four(Pace([(pretrain(9), 10.0), (finetune(9, None), 30.0)]))
    left.drop(first[1])
    for spec in second:
        left.drop(spec)
    assert left.seconds([(first[0], 9.0)]) == 1.0
    assert left.seconds([(first[0], 1000.0)]) == 0.0
    left.drop(first[0])
    assert left.seconds([]) == 0.0
