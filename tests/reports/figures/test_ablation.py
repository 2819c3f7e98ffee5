from __future__ import annotations

from dataclasses import replace

from gpbench.compare.ablation import ablation_of
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.reports.figures import figures
from tests.compare.made import pretrained, study_of
from tests.reports.comparisons import made
from tests.reports.figures.drawn import figure, lines, markers, texts

WITHOUT, SMALL = "full[shuffle=none]", "full[size=8]"


def ablated(margin: float | None = None) -> Comparison:
    runs = [
        run
        for dataset, level in (("town", 50), ("field", 30))
        for arm, gain in (("full", 4), (WITHOUT, 0), (SMALL, 3.5))
        for run in pretrained(arm, dataset, [level + gain, level + gain + 1, level + gain + 2])
    ]
    study = study_of(runs)
    asked = ablation_of("full", study.arms)
    names = tuple(arm for arm, _ in asked.ingredients)
    request = Request(candidates=("full",), baselines=names, ablation=asked, margin=margin)
    return compare(study, request)


def test_gain_over_each_ablation_stands_where_the_numbers_say() -> None:
    comparison = ablated()
    drawn = figure(comparison, "ablation").draw()
    against = comparison.contrasts[0].against
    assert [each.baseline for each in against] == [WITHOUT, SMALL]
    for at, each in enumerate(against):
        assert lines(drawn, f"gain-{at}") == [([each.finding.difference], [at])]
        assert each.finding.ci is not None
        assert lines(drawn, f"interval-{at}") == [(list(each.finding.ci), [at, at])]
    assert [markers(drawn, f"gain-{at}")[0].get_xdata()[0] for at in (0, 1)] == [4.0, 0.5]


def test_best_ablation_is_marked() -> None:
    told = figure(ablated(), "ablation")
    found = {text.get_text(): text for text in told.draw().texts}
    assert found["size=8"].get_weight() == "bold"
    assert found["shuffle=none"].get_weight() == "normal"
    assert found["best ablation"].get_position()[1] == found["size=8"].get_position()[1]
    assert f"is {SMALL}." in told.caption
    assert f"Over {SMALL} (best ablation): inconclusive, +0.50 [" in told.alt


def test_units_interval_and_correction_are_named() -> None:
    told = figure(ablated(margin=1.0), "ablation")
    assert "gain in mIoU, percent points" in texts(told.draw())
    assert "gain of the full method, 95 % interval" in texts(told.draw())
    assert "over 2" in told.caption
    assert "margin of 1 points" in told.caption
    assert f"shuffle=none is {WITHOUT}" in told.caption


def test_ablation_without_an_interval_is_a_point() -> None:
    comparison = ablated()
    contrast = comparison.contrasts[0]
    first, second = contrast.against
    bare = replace(first, finding=replace(first.finding, ci=None))
    contrasts = (replace(contrast, against=(bare, second)),)
    drawn = figure(replace(comparison, contrasts=contrasts), "ablation").draw()
    assert lines(drawn, "interval-0") == []
    assert len(lines(drawn, "gain-0")) == len(lines(drawn, "interval-1")) == 1


def test_other_comparisons_have_no_such_figure() -> None:
    assert "ablation" not in [each.name for each in figures(made())]
