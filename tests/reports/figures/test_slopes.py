from __future__ import annotations

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.reports.figures import figures
from tests.compare.made import pretrained, study_of, untrained
from tests.reports.comparisons import made
from tests.reports.figures.drawn import figure, lines, texts

UNITS = study_of(
    pretrained("imagenet", "town", [[50, 52], [54, 56], [58, 58]])
    + pretrained("new", "town", [[60, 64], [61, 61]])
)


def test_every_score_has_a_marker_and_fine_tunings_of_a_pre_training_stand_together() -> None:
    drawn = figure(compare(UNITS, Request()), "slopes").draw()
    baseline = lines(drawn, "baseline")
    assert [y for _, y in baseline] == [[50, 52], [54, 56], [58, 58]]
    assert [y for _, y in lines(drawn, "candidate")] == [[60, 64], [61, 61]]
    assert all(len(set(x)) == 1 for x, _ in baseline)
    assert len({x[0] for x, _ in baseline}) == 3


def test_thin_lines_join_the_means_of_equal_seeds_and_no_others() -> None:
    drawn = figure(compare(UNITS, Request()), "slopes").draw()
    assert lines(drawn, "pair") == [([0, 1], [51, 62]), ([0, 1], [55, 61])]


def test_thick_line_joins_the_means() -> None:
    comparison = compare(UNITS, Request())
    row = comparison.contrasts[0].rows[0]
    drawn = figure(comparison, "slopes").draw()
    assert lines(drawn, "mean") == [([0, 1], [row.baseline_mean, row.candidate_mean])]


def test_runs_without_a_pre_training_are_not_joined() -> None:
    study = study_of(
        pretrained("imagenet", "town", [50, 51]) + untrained("scratch", "town", [40, 41])
    )
    drawn = figure(compare(study, Request()), "slopes").draw()
    assert lines(drawn, "pair") == []
    assert [y for _, y in lines(drawn, "candidate")] == [[40], [41]]


def test_dataset_has_one_axis_for_all_contrasts() -> None:
    town_1, field_1, town_2, field_2 = figure(made(), "slopes").draw().axes
    assert town_1.get_ylim() == town_2.get_ylim()
    assert field_1.get_ylim() == field_2.get_ylim()
    low, high = town_1.get_ylim()
    assert low < 40
    assert high > 60


def test_units_arms_and_datasets_are_named() -> None:
    shown = figure(made(), "slopes")
    told = texts(shown.draw())
    for text in ("mIoU, percent points", "baseline", "candidate", "town", "field"):
        assert text in told
    assert "scratch against imagenet" in told
    assert "town 51.33 to 59.00 (+7.67)" in shown.alt


def test_what_a_page_does_not_hold_goes_on_in_another_figure() -> None:
    runs = [
        run
        for dataset in "abcdef"
        for i, arm in enumerate(["imagenet", "p", "q", "r", "s"])
        for run in pretrained(arm, dataset, [50 + i, 51 + i])
    ]
    pages = [f for f in figures(compare(study_of(runs), Request())) if f.name.startswith("slopes")]
    assert [page.name for page in pages] == ["slopes", "slopes-2"]
    panels = [len(page.draw().axes) for page in pages]
    assert panels == [18, 6]
