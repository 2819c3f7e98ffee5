from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench_leaderboard.svg import (
    PAD,
    Axis,
    difference_axis,
    forest_row,
    round_step,
    strip,
    value_axis,
)

FINITE = st.floats(min_value=-1e4, max_value=1e4)


def test_positions_are_linear_between_the_pads() -> None:
    axis = Axis(-10.0, 10.0, 100 + 2 * PAD)
    assert [axis.x(v) for v in (-10, -5, 0, 10)] == [PAD, PAD + 25, PAD + 50, PAD + 100]


def test_values_beyond_the_ends_lie_on_them() -> None:
    axis = Axis(0.0, 1.0, 100.0)
    assert axis.x(-3.0) == axis.x(0.0) == PAD
    assert axis.x(3.0) == axis.x(1.0) == 100 - PAD


@pytest.mark.parametrize(
    ("rough", "step"),
    [(0.3, 0.5), (1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (6.0, 10.0), (0.02, 0.02), (70.0, 100.0)],
)
def test_steps_are_one_two_or_five_times_a_power_of_ten(rough: float, step: float) -> None:
    assert round_step(rough) == pytest.approx(step)


def test_ticks_are_round_and_hold_zero() -> None:
    ticks = Axis(-12.0, 12.0, 260.0).ticks(7)
    assert [tick.value for tick in ticks] == [-10, -5, 0, 5, 10]
    assert ticks[2].x == 130


@given(st.lists(FINITE, min_size=1))
def test_value_axis_holds_all_values_strictly(values: list[float]) -> None:
    axis = value_axis(values)
    assert axis.low < min(values)
    assert axis.high > max(values)


def test_value_axis_of_nothing_is_still_an_axis() -> None:
    assert value_axis([math.nan]) == value_axis([])
    assert value_axis([]).low < value_axis([]).high


@given(st.lists(FINITE), st.lists(st.tuples(FINITE, FINITE).map(lambda ci: (min(ci), max(ci)))))
def test_difference_axis_has_zero_in_the_middle_and_shows_every_difference(
    differences: list[float], intervals: list[tuple[float, float]]
) -> None:
    axis = difference_axis(differences, intervals)
    assert axis.x(0.0) == axis.width / 2
    assert all(axis.low < difference < axis.high for difference in differences)


def test_interval_far_longer_than_the_others_does_not_squash_them() -> None:
    usual = [(-1.0, 1.0)] * 4
    axis = difference_axis([0.5, 0.5], [*usual, (-80.0, 80.0)])
    assert axis.high == pytest.approx(6.0 * 1.08)
    assert forest_row(axis, 0.5, (-80.0, 80.0)).beyond == (True, True)
    assert forest_row(axis, 0.5, (-1.0, 80.0)).beyond == (False, True)
    assert forest_row(axis, 0.5, usual[0]).beyond == (False, False)


def test_row_without_an_interval_has_a_mark_only() -> None:
    row = forest_row(Axis(-1.0, 1.0, 112.0), 0.5, None)
    assert (row.zero_x, row.x, row.ci_x) == (56.0, 81.0, None)


def test_strip_has_a_dot_per_value_and_a_bar_of_two_standard_deviations() -> None:
    drawn = strip(Axis(0.0, 10.0, 112.0), [4.0, 6.0], mean=5.0, sd=1.0)
    assert [dot.x for dot in drawn.dots] == [46.0, 66.0]
    assert drawn.mean_x == 56.0
    assert drawn.spread == (46.0, 66.0)


def test_strip_of_a_single_run_has_no_bar() -> None:
    assert strip(Axis(0.0, 10.0, 112.0), [4.0], mean=4.0, sd=None).spread is None
