from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Ablation, Comparison, Omnibus, Request, Sources
from gpbench.compare.images import CountsByScene
from gpbench.reports.figures import THEME, Figure, figures, png, svg
from gpbench.reports.figures.style import text_width
from gpbench.stats.friedman import Friedman
from gpbench.stats.shares import Share, VarianceShares
from tests.compare.made import pretrained, study_of
from tests.reports.comparisons import made
from tests.reports.figures.drawn import figure, texts

KINDS = ["forest", "slopes", "classes-1", "shares", "ablation", "critical-difference"]
HOSTILE = [
    "$x_1^2$ \\frac{1}",
    "</text><script>alert(1)</script>&amp;&",
    "two\nlines\x00\x1b[31m\ud800",
    "\u202eturned \u05d0\u05d1\u05d2 \u6c34",
    "x" * 400,
]


def everything(names: list[str]) -> Comparison:
    """Return a comparison that has every kind of figure, all names taken from the list."""
    arms, datasets = ["imagenet", *names[:2]], names[2:5]
    rng = np.random.default_rng(1)
    runs, counts = [], {}
    for at, dataset in enumerate(datasets):
        for i, arm in enumerate(arms):
            scores = [40 + 10 * at + 3 * i, 42 + 10 * at + 3 * i, 41 + 10 * at]
            for run in pretrained(arm, dataset, scores):
                key = f"{at} {i} {run.pretrain_seed}"
                runs.append(replace(run, key=key))
                hits = rng.binomial(100, 0.5 + 0.1 * i, (8, 2))
                tables = np.stack([[hits[:, 0], 100 - hits[:, 0]], [100 - hits[:, 1], hits[:, 1]]])
                found = np.moveaxis(tables, 2, 0)
                counts[key] = CountsByScene(tuple("abcdefgh"), 24, (names[0], names[1]), found)
    baselines = ("imagenet", arms[1])
    request = Request(candidates=(arms[2],), baselines=baselines)
    comparison = compare(study_of(runs), request, lambda keys: {key: counts[key] for key in keys})
    parts = VarianceShares((Share("dataset", 1.0, 1.0, None), Share("x", 1.0, 0.0, 1.0)), (), ())
    ranks = Friedman(6.0, 0.05, 3.0, 0.1, 0.5, (3.0, 1.0, 2.0), 0.04)
    return replace(
        comparison,
        study=names[0],
        metric=comparison.metric,
        sources=(Sources(1.0, tuple(arms), tuple(datasets), ("tiny",), parts),),
        omnibus=(Omnibus(1.0, tuple(arms), tuple(datasets), (names[4],), ranks),),
        ablation=Ablation(arms[2], ((arms[1], names[3]),)),
    )


PLAIN = everything(["one", "two", "three", "four", "five"])
NASTY = everything(HOSTILE)


def elements(text: str) -> list[ET.Element]:
    return list(ET.fromstring(text).iter())  # noqa: S314  what the project has just written


def test_kinds_stand_in_their_order_under_plain_names() -> None:
    found = figures(PLAIN)
    assert [each.name for each in found] == KINDS
    assert all(re.fullmatch(r"[a-z0-9-]+", each.name) for each in figures(NASTY))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("themed", [False, True])
def test_hostile_names_stay_text(kind: str, themed: bool) -> None:  # noqa: FBT001  parametrised
    shown = figure(NASTY, kind)
    found = elements(svg(shown, themed=themed))
    tags = {element.tag.rpartition("}")[2] for element in found}
    assert tags <= {
        "svg",
        "desc",
        "defs",
        "g",
        "path",
        "use",
        "clipPath",
        "rect",
        "text",
        "pattern",
    }
    drawn = {element.text for element in found if element.tag.endswith("text")}
    assert not any("\n" in (text or "") for text in drawn)
    for told in (shown.title, shown.caption, shown.alt):
        assert not re.search(r"[\x00-\x1f\u202a-\u202e\ud800-\udfff]", told)


def test_names_are_never_read_as_formulas() -> None:
    told = [text.text for text in elements(svg(figure(NASTY, "slopes"))) if text.tag[-4:] == "text"]
    assert any("</text><script>alert(1)</script>&amp;&" in (text or "") for text in told)
    told = [
        text.text for text in elements(svg(figure(NASTY, "classes-1"))) if text.tag[-4:] == "text"
    ]
    assert HOSTILE[0] in told


def test_long_names_are_shortened_in_the_figure_and_whole_in_the_words() -> None:
    for kind in ("forest", "slopes"):
        shown = figure(NASTY, kind)
        assert HOSTILE[4] not in texts(shown.draw())
        assert any("xx\u2026xx" in text for text in texts(shown.draw()))
        assert HOSTILE[4] in shown.caption + shown.alt


@pytest.mark.parametrize("comparison", [PLAIN, NASTY, made()], ids=["plain", "nasty", "made"])
def test_no_text_is_cut_by_the_edge_or_too_small(comparison: Comparison) -> None:
    for shown in figures(comparison):
        root, *found = elements(svg(shown))
        width, height = (float(root.attrib[key].removesuffix("pt")) for key in ("width", "height"))
        drawn = [element for element in found if element.tag.endswith("text")]
        assert drawn
        for element in drawn:
            style = dict(each.split(": ", 1) for each in element.attrib["style"].split("; "))
            size = float(style["font-size"].removesuffix("px"))
            assert size >= 7
            across = 72 * text_width(element.text or "", size, style.get("font-weight", "normal"))
            share = {"start": 0, "middle": 0.5, "end": 1}[style["text-anchor"]]
            left = float(element.attrib["x"]) - share * across
            assert left >= 0, element.text
            assert left + across <= width, element.text
            assert size / 2 < float(element.attrib["y"]) < height, element.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rendered", [svg, png], ids=["svg", "png"])
def test_same_comparison_gives_the_same_bytes(
    kind: str, rendered: Callable[[Figure], str | bytes]
) -> None:
    again = everything(["one", "two", "three", "four", "five"])
    assert rendered(figure(PLAIN, kind)) == rendered(figure(again, kind))


def test_a_users_settings_change_nothing() -> None:
    import matplotlib as mpl

    shown = figure(PLAIN, "forest")
    before = svg(shown), png(shown)
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "svg.fonttype": "path"}):
        assert (svg(shown), png(shown)) == before
        assert mpl.rcParams["font.size"] == 20


def test_svg_bears_neither_date_nor_program() -> None:
    text = svg(figure(PLAIN, "forest"))
    assert text.startswith("<svg ")
    assert not re.search(r"metadata|rdf|matplotlib|20\d\d-\d\d|doctype|<style", text.lower())


def test_ids_are_the_figures_own_and_every_reference_is_found() -> None:
    seen: set[str] = set()
    for shown in figures(PLAIN):
        text = svg(shown, themed=True)
        ids = re.findall(r'\bid="([^"]*)"', text)
        assert len(ids) == len(set(ids))
        assert all(each.startswith(f"{shown.name}-") for each in ids)
        assert not seen & set(ids)
        seen |= set(ids)
        named = re.findall(r'href="#([^"]*)"', text) + re.findall(r"url\(#([^)]*)\)", text)
        assert named
        assert set(named) <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_themed_svg_has_no_colour_but_variables(kind: str) -> None:
    found = elements(svg(figure(PLAIN, kind), themed=True))
    for element in found:
        assert not {"fill", "stroke"} & set(element.attrib)
        for value in element.attrib.values():
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?!-)|rgb", value.replace("url(#", "")), value
        if element.tag.endswith("text"):  # without it text is black, on whatever ground
            assert "fill: var(--figure-" in element.attrib["style"]
    used = {v for e in found for v in re.findall(r"var\((.*?)\)", e.attrib.get("style", ""))}
    assert {"--figure-ground", "--figure-ink"} <= used <= set(THEME)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_svg_has_the_light_colours(kind: str) -> None:
    text = svg(figure(PLAIN, kind))
    assert "var(" not in text
    used = set(re.findall(r"(?:fill|stroke)(?:: |=\")(#[0-9a-f]{6})", text))
    assert used <= {light for light, _ in THEME.values()}


def test_svg_says_what_it_shows() -> None:
    shown = figure(PLAIN, "forest")
    root = elements(svg(shown))[0]
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == shown.alt
    assert root[0].text == shown.caption


def test_png_is_white_at_200_dots_per_inch() -> None:
    with Image.open(BytesIO(png(figure(PLAIN, "forest")))) as image:
        assert image.width == int(180 / 25.4 * 200)
        assert image.convert("RGB").getpixel((image.width - 1, 0)) == (255, 255, 255)
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        assert not {"Software", "Date", "Creation Time"} & set(image.info)
