from __future__ import annotations

from dataclasses import replace

from gpbench.compare.comparison import Comparison
from gpbench.compare.images import ImageScope
from gpbench.reports.figures import figures
from gpbench.stats.bootstrap import ClassDifference
from tests.reports.comparisons import made, with_images
from tests.reports.figures.drawn import figure, lines, texts

ROOF = ClassDifference(12.0, 8, 800, (8.0, 16.0), 0.03)
ROAD = ClassDifference(-3.0, 4, 400, None, None)
FLAT = ClassDifference(0.5, 8, 800, None, None)


def shown(*classes: tuple[str, ClassDifference]) -> Comparison:
    comparison = with_images()
    contrast = comparison.contrasts[0]
    images = contrast.rows[0].images
    assert isinstance(images, ImageScope)
    row = replace(contrast.rows[0], images=replace(images, classes=classes))
    return replace(comparison, contrasts=(replace(contrast, rows=(row,)),))


def test_bars_and_bands_stand_where_the_numbers_say() -> None:
    comparison = with_images()
    images = comparison.contrasts[0].rows[0].images
    assert isinstance(images, ImageScope)
    drawn = figure(comparison, "classes-1").draw()
    for at, (name, found) in enumerate(images.classes):
        bar = drawn.axes[0].patches[at]
        assert (bar.get_x(), bar.get_width()) == (0, found.difference)
        assert found.band is not None
        assert lines(drawn, f"band-{at}") == [(list(found.band), [at, at])]
        assert name in texts(drawn)


def test_class_in_few_scenes_is_hatched_and_has_no_band() -> None:
    told = figure(shown(("roof", ROOF), ("road", ROAD)), "classes-1")
    drawn = told.draw()
    roof, road = drawn.axes[0].patches
    assert not roof.get_hatch()
    assert road.get_hatch()
    assert road.get_facecolor() != roof.get_facecolor()
    assert len(lines(drawn, "band-0")) == 1
    assert lines(drawn, "band-1") == []
    assert "no interval: in fewer than 5 scenes" in texts(drawn)
    assert "no interval: in fewer than 5 scenes" in told.caption
    assert "road -3.00 without interval" in told.alt


def test_scores_that_do_not_vary_are_not_said_to_be_in_few_scenes() -> None:
    told = figure(shown(("roof", ROOF), ("road", FLAT)), "classes-1")
    assert "no interval: in fewer than 5 scenes" not in texts(told.draw())
    assert "fewer than" not in told.caption
    assert "do not vary" in told.caption


def test_scenes_and_q_are_told_and_q_is_for_exploring() -> None:
    told = figure(shown(("roof", ROOF), ("road", ROAD)), "classes-1")
    assert {"8, 0.03", "4, -", "scenes, q"} <= set(texts(told.draw()))
    assert "false-discovery" in told.caption
    assert "for exploring" in told.caption


def test_units_are_named_by_what_the_mean_is_of() -> None:
    told = figure(with_images(), "classes-1")
    assert "difference of IoU, percent points" in texts(told.draw())


def test_datasets_have_a_panel_each() -> None:
    comparison = with_images()
    contrast = comparison.contrasts[0]
    row = contrast.rows[0]
    rows = tuple(replace(row, dataset=replace(row.dataset, name=name)) for name in "xyz")
    drawn = figure(
        replace(comparison, contrasts=(replace(contrast, rows=rows),)), "classes-1"
    ).draw()
    assert len(drawn.axes) == 3
    assert {"x", "y", "z"} <= set(texts(drawn))


def test_without_counts_there_is_no_figure() -> None:
    assert not [each for each in figures(made()) if each.name.startswith("classes")]
