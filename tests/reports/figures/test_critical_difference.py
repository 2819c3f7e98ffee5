from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gpbench.compare.comparison import Comparison, Omnibus
from gpbench.reports.figures import figures
from gpbench.reports.figures.critical_difference import groups
from gpbench.stats.friedman import Friedman
from tests.reports.comparisons import made
from tests.reports.figures.drawn import figure, lines, texts

TEST = Friedman(6.0, 0.05, 3.0, 0.1, 0.5, (3.8, 1.2, 2.0, 3.0), 0.04)
ARMS = ("last", "best", "second", "third")


def shown(arms: int = 4, datasets: int = 5, dropped: tuple[str, ...] = ("bare",)) -> Comparison:
    names = tuple(f"data{i}" for i in range(datasets))
    test = replace(TEST, mean_ranks=TEST.mean_ranks[:arms])
    return replace(made(), omnibus=(Omnibus(1.0, ARMS[:arms], names, dropped, test),))


def test_arms_stand_at_their_mean_ranks_the_best_first() -> None:
    drawn = figure(shown(), "critical-difference").draw()
    assert [lines(drawn, f"arm-{at}")[0][0][0] for at in range(4)] == [1.2, 2.0, 3.0, 3.8]
    told = texts(drawn)
    names = [text for text in told if text in ARMS]
    assert names == ["best", "second", "third", "last"]
    assert [text for text in told if text in {"1.20", "2.00", "3.00", "3.80"}] == [
        "1.20",
        "2.00",
        "3.00",
        "3.80",
    ]


def test_scale_shows_the_critical_difference() -> None:
    # Demsar 2006, table 5: q is 2.569 for 4 classifiers at level 0.05
    cd = 2.569 * math.sqrt(4 * 5 / (6 * 5))
    told = figure(shown(), "critical-difference")
    ((x, _),) = lines(told.draw(), "cd")
    assert x == [1, pytest.approx(1 + cd, abs=1e-3)]
    assert f"critical difference {cd:.2f}" in texts(told.draw())


def test_bars_join_arms_that_are_closer() -> None:
    drawn = figure(shown(), "critical-difference").draw()
    found = [(round(x[0], 2), round(x[1], 2)) for x, _ in lines(drawn, "group")]
    assert found == [(1.17, 3.03), (1.97, 3.83)]  # 3.8 - 1.2 is above 2.10


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([1.0, 2.0, 3.0], []),
        ([1.0, 1.5, 3.0], [(0, 1)]),
        ([1.0, 1.5, 1.9], [(0, 2)]),
        ([1.0, 1.9, 2.8], [(0, 1), (1, 2)]),
    ],
)
def test_groups_are_the_longest_runs_below_the_difference(
    ranks: list[float], expected: list[tuple[int, int]]
) -> None:
    assert groups(ranks, 1.0) == expected


def test_caption_says_that_it_decides_nothing_and_what_was_dropped() -> None:
    caption = figure(shown(), "critical-difference").caption
    assert "decides nothing" in caption
    assert "Benavoli" in caption
    assert "1 dataset that some arm lacks dropped: bare." in caption
    assert "dropped" not in figure(shown(dropped=()), "critical-difference").caption


@pytest.mark.parametrize(("arms", "datasets"), [(2, 5), (4, 2)])
def test_few_arms_or_datasets_have_no_diagram(arms: int, datasets: int) -> None:
    names = [each.name for each in figures(shown(arms, datasets))]
    assert "critical-difference" not in names
