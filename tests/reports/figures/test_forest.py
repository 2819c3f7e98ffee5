from __future__ import annotations

from dataclasses import replace

import pytest

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.reports.figures import figures
from gpbench.reports.figures.forest import MOST_LINES
from tests.compare.made import pretrained, study_of
from tests.reports.comparisons import NEW, made, undecided
from tests.reports.figures.drawn import figure, lines, markers, texts, with_finding


def test_every_score_of_both_arms_has_a_marker_of_its_own() -> None:
    comparison = made()
    drawn = figure(comparison, "forest").draw()
    # lines: new, its town, its field, scratch, its town, its field
    expected = [row for contrast in comparison.contrasts for row in contrast.rows]
    for at, row in zip((1, 2, 4, 5), expected, strict=True):
        for arm, values in (("candidate", row.candidate), ("baseline", row.baseline)):
            ((x, y),) = lines(drawn, f"{arm}-{at}")
            assert list(values) == x
            assert len(set(y)) == len(values)


def test_equal_scores_do_not_hide_each_other() -> None:
    study = study_of(pretrained("imagenet", "town", [50] * 4) + pretrained("new", "town", [60, 61]))
    ((x, y),) = lines(figure(compare(study, Request()), "forest").draw(), "baseline-1")
    assert x == [50] * 4
    assert len(set(y)) == 4


def test_arms_are_told_apart_without_colour() -> None:
    drawn = figure(made(), "forest").draw()
    candidate, baseline = (markers(drawn, f"{arm}-1")[0] for arm in ("candidate", "baseline"))
    assert candidate.get_markerfacecolor() != baseline.get_markerfacecolor()
    assert baseline.get_markerfacecolor() == "#ffffff"
    assert max(candidate.get_ydata()) < 1 < min(baseline.get_ydata())


def test_differences_and_intervals_stand_where_the_numbers_say() -> None:
    comparison = made()
    drawn = figure(comparison, "forest").draw()
    found = [
        finding
        for contrast in comparison.contrasts
        for finding in (contrast.finding, *(row.finding for row in contrast.rows))
    ]
    for at, finding in enumerate(found):
        assert lines(drawn, f"gain-{at}") == [([finding.difference], [at])]
        assert finding.ci is not None
        assert lines(drawn, f"interval-{at}") == [(list(finding.ci), [at, at])]


def test_averages_and_datasets_have_other_markers_and_undecided_ones_are_hollow() -> None:
    drawn = figure(made(), "forest").draw()
    average, town, field = (markers(drawn, f"gain-{at}")[0] for at in range(3))
    assert average.get_marker() != town.get_marker()
    assert town.get_markerfacecolor() == average.get_markerfacecolor()
    assert field.get_markerfacecolor() == "#ffffff"  # inconclusive


def test_single_dataset_is_its_own_average() -> None:
    study = study_of(
        pretrained("imagenet", "town", [50, 51, 53]) + pretrained("new", "town", [58, 59, 60])
    )
    comparison = compare(study, Request())
    first = comparison.contrasts[0]
    told = replace(first.finding, verdict="worse")  # rows may be judged in another family
    changed = replace(comparison, contrasts=(replace(first, finding=told),))
    drawn = figure(changed, "forest").draw()
    assert lines(drawn, "gain-0") == []
    assert len(lines(drawn, "gain-1")) == 1
    assert "worse" in texts(drawn)


def test_no_interval_is_invented() -> None:
    comparison = undecided()
    shown = figure(comparison, "forest")
    drawn = shown.draw()
    assert lines(drawn, "gain-1") == [([5.0], [1])]
    assert lines(drawn, "interval-1") == []
    assert "+5.00" in texts(drawn)
    assert "cannot be decided" in texts(drawn)
    assert "no interval could be computed" in shown.caption


def test_without_a_difference_there_are_words_only() -> None:
    comparison = made()
    finding = replace(
        comparison.contrasts[0].finding, verdict="undecidable", difference=None, ci=None
    )
    drawn = figure(with_finding(comparison, finding), "forest").draw()
    assert [lines(drawn, f"gain-{at}") for at in range(3)] == [[], [], []]
    assert texts(drawn).count("cannot be decided") == 3
    assert texts(drawn).count("-") == 3


def test_contrast_without_a_dataset_is_a_line_of_words() -> None:
    comparison = made()
    first = comparison.contrasts[0]
    finding = replace(first.finding, verdict="undecidable", difference=None, ci=None)
    empty = replace(first, rows=(), finding=finding)
    changed = replace(comparison, contrasts=(empty,))
    assert not {"slopes", "classes-1"} & {each.name for each in figures(changed)}
    assert "cannot be decided" in texts(figure(changed, "forest").draw())


@pytest.mark.parametrize(("margin", "bands"), [(None, 0), (2.5, 1)])
def test_margin_is_a_band_where_there_is_one(margin: float | None, bands: int) -> None:
    shown = figure(made(Request(margin=margin)), "forest")
    found = [p for axes in shown.draw().axes for p in axes.patches if p.get_gid() == "margin"]
    assert [(p.get_x(), p.get_x() + p.get_width()) for p in found] == [(-2.5, 2.5)] * bands
    assert ("margin of 2.5 points" in shown.caption) == bool(bands)


def test_zero_is_always_in_sight() -> None:
    comparison = made()
    finding = replace(comparison.contrasts[0].finding, difference=50.0, ci=(49.9, 50.1))
    changed = with_finding(replace(comparison, contrasts=comparison.contrasts[:1]), finding)
    gains = figure(changed, "forest").draw().axes[1]
    low, high = gains.get_xlim()
    assert low <= 0
    assert high > 50.1


def test_huge_interval_is_cut_with_arrowheads_and_told_in_numbers() -> None:
    comparison = made()
    first = comparison.contrasts[0]
    wide = replace(first.rows[0].finding, ci=(-500.0, 520.0))
    rows = (replace(first.rows[0], finding=wide), *first.rows[1:])
    contrasts = (replace(first, rows=rows), *comparison.contrasts[1:])
    shown = figure(replace(comparison, contrasts=contrasts), "forest")
    drawn = shown.draw()
    low, high = drawn.axes[1].get_xlim()
    assert low > -100
    assert high < 100
    ends = [
        line.get_marker()
        for line in drawn.axes[1].lines
        if list(line.get_ydata()) == [1] and line.get_gid() is None
    ]
    assert ends == ["<", ">"]
    assert "+7.67 [-500.00, +520.00]" in texts(drawn)
    assert "Arrowheads" in shown.caption
    assert "Arrowheads" not in figure(comparison, "forest").caption


def test_words_numbers_level_and_scope_are_named() -> None:
    shown = figure(made(), "forest")
    told = texts(shown.draw())
    for text in ("better", "inconclusive", "worse", "+7.67 [+4.55, +10.79]", NEW, "town"):
        assert text in told
    assert "scope fixed-suite; level strategy" in told
    assert "mIoU, percent points" in told
    assert "Level strategy" in shown.caption
    assert "Scope fixed-suite" in shown.caption
    assert "3 v 3 fine-tunings of 3 v 3" not in shown.caption  # over all datasets
    assert "6 v 6 fine-tunings of 3 v 3 pre-trainings on town, field" in shown.caption
    assert f"{NEW} against imagenet: better, +4.00 [" in shown.alt


def test_many_lines_are_high_and_go_on_in_another_figure() -> None:
    names = [f"arm{i}" for i in range(12)]
    runs = [
        run
        for dataset in "abcdef"
        for i, arm in enumerate(["imagenet", *names])
        for run in pretrained(arm, dataset, [50 + i, 52 + i, 51])
    ]
    comparison = compare(study_of(runs), Request())
    pages = [each for each in figures(comparison) if each.name.startswith("forest")]
    assert [page.name for page in pages] == ["forest", "forest-2"]  # 12 times 7 lines
    told = [texts(page.draw()) for page in pages]
    assert [name for name in names if name in told[0]] == names[: MOST_LINES // 7]
    assert [name for name in names if name in told[1]] == names[MOST_LINES // 7 :]
    sizes = [page.draw().get_size_inches()[1] for page in pages]
    assert sizes[0] > sizes[1] > 4 * 7 * 0.15


def test_labels_of_one_candidate_stand_together() -> None:
    comparison = made()
    new, scratch = comparison.contrasts
    mixed = (new, scratch, replace(new, label_fraction=0.1))
    told = texts(figure(replace(comparison, contrasts=mixed), "forest").draw())
    heads = [f"{NEW} (100 % labels)", f"{NEW} (10 % labels)", "scratch (100 % labels)"]
    assert [text for text in told if text in heads] == heads
