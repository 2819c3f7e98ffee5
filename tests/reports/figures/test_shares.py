from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpbench.compare.comparison import Comparison, Sources
from gpbench.reports.figures import figures
from gpbench.stats.shares import Share, VarianceShares
from tests.reports.comparisons import made
from tests.reports.figures.drawn import figure, texts

FOUND = VarianceShares(
    (
        Share("dataset", 60.0, 0.6, None),
        Share("strategy x dataset", 30.0, 0.3, 0.7),
        Share("fine-tuning", 10.0, 0.1, 0.25),
        Share("test images", 2.0, None, 0.05),
    ),
    ("strategy x dataset",),
    ("strategy x backbone: there is one backbone",),
)


def shown(*found: VarianceShares | str) -> Comparison:
    fractions = (1.0, 0.1)
    sources = (
        Sources(fraction, ("a", "b"), ("x", "y", "z"), ("tiny",), each)
        for fraction, each in zip(fractions, found, strict=False)
    )
    return replace(made(), sources=tuple(sources))


def parts(drawn: Any, at: int) -> list[tuple[float, float]]:
    bars = (p for p in drawn.axes[0].patches if (p.get_gid() or "").startswith(f"share-{at}-"))
    return [(bar.get_x(), bar.get_width()) for bar in bars]


def test_shares_are_stacked_to_the_whole() -> None:
    drawn = figure(shown(FOUND), "shares").draw()
    gain, score = parts(drawn, 0), parts(drawn, 1)
    assert gain == [pytest.approx(each) for each in ((0, 70), (70, 25), (95, 5))]
    assert score == [pytest.approx(each) for each in ((0, 60), (60, 30), (90, 10))]


def test_sources_differ_in_more_than_colour() -> None:
    drawn = figure(shown(FOUND), "shares").draw()
    looks = {p.get_gid()[-1]: p.get_hatch() or "" for p in drawn.axes[0].patches if p.get_gid()}
    assert sorted(looks) == ["0", "1", "2", "3"]
    assert len(set(looks.values())) == 4


def test_source_looks_alike_in_all_bars_and_in_the_key() -> None:
    from matplotlib.patches import Rectangle

    drawn = figure(shown(FOUND), "shares").draw()
    bars = {p.get_gid(): p for p in drawn.axes[0].patches}
    looks = [(bars[g].get_facecolor(), bars[g].get_hatch()) for g in ("share-0-2", "share-1-2")]
    keys = [p for p in drawn.artists if isinstance(p, Rectangle)]
    assert looks[0] == looks[1] == (keys[2].get_facecolor(), keys[2].get_hatch())


def test_percentages_stand_in_wide_parts_only() -> None:
    told = texts(figure(shown(FOUND), "shares").draw())
    assert {"70 %", "25 %", "60 %", "30 %", "10 %"} <= set(told)
    tiny = VarianceShares((Share("a", 1, 0.98, 0.999), Share("b", 1, 0.02, 0.001)), (), ())
    told = texts(figure(shown(tiny), "shares").draw())
    assert {"98 %", "99.9 %"} <= set(told)
    assert not {"100 %", "2 %", "0 %", "0.1 %"} & set(told)


def test_what_is_unknown_or_was_negative_is_told() -> None:
    told = figure(shown(FOUND), "shares")
    assert "Not known: strategy x backbone: there is one backbone." in told.caption
    assert "Estimated below 0 and set to 0: strategy x dataset." in told.caption
    assert "n: 2 arms, 3 datasets, 1 backbone;" in told.caption
    assert "fine-tuning 3.16" in told.caption
    assert "strategy x dataset 70 %" in told.alt
    assert "share of the variance, percent" in texts(told.draw())


def test_label_fractions_have_bars_of_their_own() -> None:
    told = texts(figure(shown(FOUND, FOUND), "shares").draw())
    assert {"a gain, 100 % labels", "a score, 10 % labels"} <= set(told)


def test_reason_instead_of_shares_gives_no_figure() -> None:
    assert "shares" not in [each.name for each in figures(shown("too few datasets"))]
    assert "a gain, 10 % labels" in texts(figure(shown("none", FOUND), "shares").draw())


def test_nothing_that_varies_gives_no_figure() -> None:
    nothing = VarianceShares((Share("dataset", 0.0, None, None),), (), ())
    assert "shares" not in [each.name for each in figures(shown(nothing))]
