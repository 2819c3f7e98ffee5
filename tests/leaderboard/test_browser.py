"""The site in a real browser, from file://. Needs chromium (Debian's package of that name)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.leaderboard.browser import Tab, opened
from tests.leaderboard.conftest import files_of
from tests.leaderboard.sites import World

pytestmark = pytest.mark.slow

WIDTHS = (360, 640, 641, 1024, 1600)
COMPLAINTS = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDEST_CELL = (
    "Math.max(...[...document.querySelectorAll('.verdicts td')]"
    ".map(cell => cell.getBoundingClientRect().right))"
)
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def tab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with opened(chromium, tmp_path_factory.mktemp("profile")) as blank:
        yield blank


@pytest.fixture(scope="module")
def url(site: Path) -> str:
    return (site / "index.html").as_uri()


def resize(tab: Tab, width: int) -> None:
    tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=800,
        deviceScaleFactor=1,
        mobile=width < 600,
    )


def test_page_loads_only_its_own_files_and_nothing_complains(tab: Tab, url: str) -> None:
    tab.visit(url)
    asked = [event["request"]["url"] for event in tab.said("Network.requestWillBeSent")]
    outside = [each for each in asked if not each.startswith("data:")]
    assert outside == [url, url.replace("index.html", "site.css")]
    assert tab.said(*COMPLAINTS) == []
    assert tab.value("document.styleSheets.length") == 1


def test_probe_sees_requests_and_complaints(tab: Tab, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('no')</script>")
    tab.visit(bad.as_uri())
    asked = [event["request"]["url"] for event in tab.said("Network.requestWillBeSent")]
    assert "http://127.0.0.1:9/x.png" in asked
    assert tab.said(*COMPLAINTS)


@pytest.mark.parametrize("width", WIDTHS)
def test_page_never_scrolls_sideways(width: int, tab: Tab, url: str) -> None:
    resize(tab, width)
    tab.visit(url)
    assert tab.value(OVERFLOW) == 0
    tab.value(OPEN_ALL)
    assert tab.value(OVERFLOW) == 0


def test_long_names_do_not_widen_the_page(tab: Tab, tmp_path: Path) -> None:
    long = "x" * 200
    world = World(
        name=long,
        datasets={long: "mIoU", "sea": "mF1"},
        backbones=(long,),
        classes=(long, "b", "c"),
        synthetic=frozenset({long}),
    )
    for name, text in files_of(world).items():
        (tmp_path / name).write_text(text)
    resize(tab, 360)
    tab.visit((tmp_path / "index.html").as_uri())
    tab.value(OPEN_ALL)
    assert tab.value(OVERFLOW) == 0


def test_phone_shows_every_number_of_a_verdict_without_scrolling(tab: Tab, url: str) -> None:
    resize(tab, 360)
    tab.visit(url)
    assert tab.value(WIDEST_CELL) <= 360


def test_dark_and_light_differ_and_print_is_light(tab: Tab, url: str) -> None:
    seen = {}
    for media, scheme in (("screen", "light"), ("screen", "dark"), ("print", "dark")):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        tab.call("Emulation.setEmulatedMedia", media=media, features=features)
        tab.visit(url)
        seen[media, scheme] = tab.value(BACKGROUND)
    tab.call("Emulation.setEmulatedMedia", media="", features=[])
    assert seen["screen", "light"] == seen["print", "dark"] == "rgb(255, 255, 255)"
    assert seen["screen", "dark"] != seen["screen", "light"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme: str, tab: Tab, url: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    tab.call("Emulation.setEmulatedMedia", media="screen", features=features)
    tab.visit(url)
    poor = tab.value(POOR_CONTRAST)
    tab.call("Emulation.setEmulatedMedia", media="", features=[])
    assert poor == []


POOR_CONTRAST = """
(() => {
  const level = part => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
  const parts = colour => {
    const numbers = colour.match(/[\\d.]+/g).map(Number);
    return colour.startsWith('color(') ? numbers : numbers.map((n, i) => i < 3 ? n / 255 : n);
  };
  const luminance = rgb => .2126 * level(rgb[0]) + .7152 * level(rgb[1]) + .0722 * level(rgb[2]);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parts(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [1, 1, 1];
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || element.closest('svg, details:not([open])')) continue;
    const [a, b] = [parts(getComputedStyle(element).color), behind(element)].map(luminance);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push(element.outerHTML.slice(0, 80) + ' ' + ratio.toFixed(2));
  }
  return poor;
})()
"""
"""Text whose contrast with what is behind it is below 4.5, the bound of WCAG 2 AA."""
