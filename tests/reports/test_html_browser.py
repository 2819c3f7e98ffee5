"""The page of a comparison in a real browser. Needs chromium (Debian's package of that name)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request, Unfairness
from gpbench.reports.html import comparison_html
from tests.compare.made import pretrained, study_of
from tests.leaderboard.browser import Tab, opened
from tests.reports.comparisons import made

pytestmark = pytest.mark.slow

WIDTHS = (320, 360, 640, 768, 1280)
COMPLAINTS = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
INK = "getComputedStyle(document.querySelector('#figure-forest svg text')).fill"
UNFOLDED = (
    "[...document.querySelectorAll('details')]"
    ".filter(each => each.lastElementChild.checkVisibility()).length"
)
WIDEST_DRAWING = (
    "Math.max(...[...document.querySelectorAll('.sized svg')]"
    ".map(each => each.getBoundingClientRect().right))"
)
CUT_OFF = (
    "[...document.querySelectorAll('.scroll')]"
    ".filter(each => each.scrollWidth > each.clientWidth && each.tabIndex !== 0).length"
)
SCROLLING = (
    "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
)


@pytest.fixture(scope="module")
def tab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with opened(chromium, tmp_path_factory.mktemp("profile")) as blank:
        yield blank


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(made(), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def long_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a page all of whose names are one long word."""
    long = "x" * 200
    runs = [
        run
        for arm in ("imagenet", long)
        for dataset in (long, "field")
        for run in pretrained(arm, dataset, [1, 2, 4 + len(arm) % 5], backbone=long)
    ]
    found = compare(replace(study_of(runs), name=long), Request())
    found = replace(
        found,
        banners=(long,),
        warnings=(long,),
        fairness=(Unfairness(long, "imagenet", long, (long, long + long)),),
    )
    return written(found, tmp_path_factory.mktemp("long"))


def written(comparison: Comparison, folder: Path) -> str:
    page = folder / "page.html"
    page.write_text(comparison_html(comparison))
    return page.as_uri()


def show(tab: Tab, url: str, width: int, media: str = "screen", scheme: str = "light") -> None:
    tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=800,
        deviceScaleFactor=1,
        mobile=width < 600,
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    tab.call("Emulation.setEmulatedMedia", media=media, features=features)
    tab.visit(url)


def test_page_asks_for_nothing_and_nothing_complains(tab: Tab, url: str) -> None:
    show(tab, url, 1280)
    asked = [event["request"]["url"] for event in tab.said("Network.requestWillBeSent")]
    assert [each for each in asked if not each.startswith("data:")] == [url]
    assert tab.said(*COMPLAINTS) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_page_never_scrolls_sideways(width: int, tab: Tab, url: str, long_url: str) -> None:
    for each in (url, long_url):
        show(tab, each, width)
        assert tab.value(OVERFLOW) == 0
        tab.value(OPEN_ALL)
        assert tab.value(OVERFLOW) == 0


def test_what_is_too_wide_for_a_phone_scrolls_by_keyboard(tab: Tab, url: str) -> None:
    show(tab, url, 320)
    tab.value(OPEN_ALL)
    assert tab.value(SCROLLING) > 0
    assert tab.value(CUT_OFF) == 0


def test_page_and_figures_follow_the_scheme_and_print_is_light(tab: Tab, url: str) -> None:
    seen = {}
    for media, scheme in (("screen", "light"), ("screen", "dark"), ("print", "dark")):
        show(tab, url, 1280, media, scheme)
        seen[media, scheme] = tab.value(BACKGROUND), tab.value(INK)
    assert seen["screen", "light"] == seen["print", "dark"]
    assert seen["print", "dark"][0] == "rgb(255, 255, 255)"
    background, ink = seen["screen", "dark"]
    assert background != seen["screen", "light"][0]
    assert ink != seen["screen", "light"][1]


def test_print_unfolds_everything_and_cuts_nothing_off(tab: Tab, url: str) -> None:
    show(tab, url, 600)
    assert tab.value(UNFOLDED) == 0
    show(tab, url, 600, "print")
    assert tab.value(UNFOLDED) == tab.value("document.querySelectorAll('details').length") > 0
    assert tab.value(WIDEST_DRAWING) <= 600
    assert tab.value(OVERFLOW) == 0


def test_first_tab_stop_skips_to_the_verdicts(tab: Tab, url: str) -> None:
    show(tab, url, 1280)
    for kind in ("keyDown", "keyUp"):
        tab.call(
            "Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9
        )
    assert tab.value("document.activeElement.textContent") == "Skip to the verdicts"
    assert tab.value("document.activeElement.getBoundingClientRect().left") >= 0
