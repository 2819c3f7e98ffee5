from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

import gpbench.reports
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request, Unfairness
from gpbench.reports.figures import THEME, figures
from gpbench.reports.html import comparison_html
from gpbench.reports.html_content import APART
from gpbench.reports.methods import methods
from gpbench.reports.phrases import clean
from gpbench.reports.raw import comparison_csv
from gpbench.reports.sheets import TONES
from gpbench.reports.summary import FRAGILE, summary
from tests.compare.made import pretrained, study_of
from tests.reports.comparisons import NEW, made, made_study, undecided, with_images

TEMPLATES = Path(gpbench.reports.__file__).parent / "templates"
CSS = "".join((TEMPLATES / name).read_text() for name in ("base.css", "report.css"))
NASTY = "<script>alert(1)</script>\"'&]]>{{ 7*7 }}{% x %}\n\u202egnirts\u202c\u200f<b onload=x>\x00"
VOID = {"meta", "link", "br"}
MADE: list[Callable[[], Comparison]] = [made, undecided, with_images]


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """The elements of a page in order of their beginning; every one must be ended."""

    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def texts(self, *tags: str) -> list[str]:
        return [" ".join(element.text.split()) for element in self.all(*tags)]


def read(comparison: Comparison) -> Page:
    page = Page()
    page.feed(comparison_html(comparison))
    page.close()
    assert page.open == []
    return page


@cache
def page_of(make: Callable[[], Comparison]) -> Page:
    """Return a page that many tests look at: its figures take their time."""
    return read(make())


def nasty() -> Comparison:
    """Return a comparison whose every name and sentence is hostile."""
    runs = pretrained("imagenet", f"town{NASTY}", [50, 51, 53], backbone=NASTY)
    runs += pretrained(NASTY, f"town{NASTY}", [58, 59, 61], backbone=NASTY)
    found = compare(replace(study_of(runs), name=NASTY, metric=NASTY), Request())
    return replace(
        found,
        banners=(NASTY,),
        warnings=(NASTY,),
        notes=(NASTY,),
        fairness=(Unfairness(NASTY, NASTY, NASTY, (NASTY, f"other {NASTY}")),),
    )


def test_same_comparison_gives_the_same_bytes() -> None:
    assert comparison_html(made()) == comparison_html(made())


@pytest.mark.parametrize("make", MADE)
def test_page_needs_nothing_else(make: Callable[[], Comparison]) -> None:
    page = page_of(make)
    assert {element.tag for element in page.elements} & {
        "script",
        "img",
        "iframe",
        "object",
    } == set()
    for element in page.elements:
        assert not any(name.startswith("on") for name in element.attributes)
        for name in ("src", "href", "xlink:href"):
            target = element.attributes.get(name) or "#"
            assert target.startswith(("#", "data:"))
    policy = next(e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "url(" not in page.all("style")[0].text
    assert "@import" not in page.all("style")[0].text


def test_hostile_texts_are_text() -> None:
    page = read(nasty())
    assert page.all("script", "b")[1:] == []  # the gain is set in b
    everything = page.elements[0].text
    assert "{{ 7*7 }}{% x %}" in everything
    assert "49" not in re.findall(r"\d+", page.texts("h1")[0])
    assert not set("\u202e\u202c\u200f\x00") & set(comparison_html(nasty()))
    shown = clean(NASTY)
    assert page.texts("h1") == [f"{shown}: {shown} in percent points, against imagenet"]
    assert page.texts("title") == [
        f"{shown}: {shown} in percent points, against imagenet · gpbench"
    ]
    for texts in (page.texts("strong"), page.texts("li"), page.texts("td"), page.texts("bdi")):
        assert shown in texts


def test_sections_come_in_order() -> None:
    comparison = replace(made(), banners=("TRIAL RUN",), warnings=("w",), trial=True)
    page = read(comparison)
    assert page.texts("strong") == ["TRIAL RUN"]
    assert page.texts("h2") == [
        "Verdicts",
        "Results",
        *(["Figures"] if figures(comparison)[1:] else []),
        "Besides the strategy, these differ",
        "Warnings",
        "Methods",
        "Details",
        "Raw values",
    ]
    drawn = tuple(f"{figure.name}-" for figure in figures(comparison))
    ids = [element.attributes.get("id") or "" for element in page.elements]
    own = [found for found in ids if found and not found.startswith(drawn)]
    assert len(own) == len(set(own))
    assert not set(own) & {found for found in ids if found.startswith(drawn)}
    for link in page.all("a"):
        target = link.attributes["href"] or ""
        assert target.startswith("data:") or target.removeprefix("#") in ids
    for element in page.elements:
        label = element.attributes.get("aria-labelledby")
        assert label is None or label in ids


def test_empty_sections_are_left_out() -> None:
    page = read(replace(undecided(), warnings=()))
    assert not {"Warnings", "Besides the strategy, these differ"} & set(page.texts("h2"))
    anchors = [link.attributes["href"] for link in page.all("a")]
    assert "#warnings" not in anchors
    assert "#fairness" not in anchors


@pytest.mark.parametrize("make", MADE)
def test_headings_skip_no_level(make: Callable[[], Comparison]) -> None:
    levels = [int(element.tag[1]) for element in page_of(make).all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("make", MADE)
def test_tables_tell_screen_readers_what_they_are(make: Callable[[], Comparison]) -> None:
    page = page_of(make)
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(caption for caption in page.texts("caption"))
    assert all("scope" in cell.attributes for cell in page.all("th"))
    for element in page.elements:
        if "scroll" in (element.attributes.get("class") or "").split():
            assert element.attributes["tabindex"] == "0"
            assert element.attributes["role"] == "region"
            assert element.attributes["aria-labelledby"]


def test_verdicts_say_what_why_and_on_what() -> None:
    comparison = made()
    items = [text for text in page_of(made).texts("li") if "against" in text]
    contrast = comparison.contrasts[0]
    assert items[0] == (
        "better new[inflate=mean] against imagenet: +4.00 [+0.95, +7.05] points "
        f"{contrast.finding.reason} average over 2 datasets · 3 v 3 pre-trainings · "
        "6 v 6 fine-tunings · scope fixed-suite · level strategy"
    )


def test_what_cannot_be_decided_is_said_with_its_reason() -> None:
    comparison = undecided()
    (item,) = [
        text for text in page_of(undecided).texts("li") if text.startswith("cannot be decided")
    ]
    assert comparison.contrasts[0].finding.reason in item


def test_a_verdict_that_divergence_may_turn_is_called_fragile() -> None:
    study = made_study()
    runs = [
        replace(run, value=None, headline=None, status="diverged")
        if (run.arm, run.pretrain_seed) == (NEW, 2)
        else run
        for run in study.runs
    ]
    page = read(compare(replace(study, runs=tuple(runs)), Request()))
    first, second = (text for text in page.texts("li") if "against imagenet" in text)
    assert FRAGILE in first
    assert FRAGILE not in second


def test_verdicts_have_their_tone_and_numbers_stand_right() -> None:
    page = page_of(made)
    tones = {(e.text, e.attributes["class"]) for e in page.all("span") if e.text in TONES}
    assert tones == {
        (word, f"verdict {TONES[word]}") for word in ("better", "worse", "inconclusive")
    }
    cells = {cell.text: cell.attributes.get("class") for cell in page.all("td", "th")}
    assert cells["59.00"] == cells["gain"] == "num"
    assert cells["town"] is None


def test_every_contrast_has_its_verdict_however_many() -> None:
    runs = [
        run
        for arm in ("imagenet", *(f"arm-{number}" for number in range(12)))
        for dataset in ("town", "field")
        for run in pretrained(arm, dataset, [1, 2, 4 + len(arm)])
    ]
    comparison = compare(study_of(runs), Request())
    items = [text for text in read(comparison).texts("bdi") if text.startswith("arm-")]
    assert items == [f"arm-{number}" for number in range(12)]


@pytest.mark.parametrize("make", MADE)
def test_everything_of_the_summary_is_there_once(make: Callable[[], Comparison]) -> None:
    comparison = make()
    page = page_of(make)
    headings = page.texts("h2", "h3")
    for part in summary(comparison).parts:
        expected = 0 if part.title == "Verdicts and their reasons" else 1
        assert headings.count(part.title) == expected
    cells = page.texts("td", "th")
    for part in summary(comparison).parts:
        if part.title not in APART and not hasattr(part, "sentences"):
            assert all(cell.text.strip() in cells for row in part.rows for cell in row if cell.text)


def test_details_are_folded_up() -> None:
    comparison = made()
    folded = page_of(made).texts("summary")
    details = [p.title for p in summary(comparison).parts if p.detail and p.title != "Every value"]
    assert folded == [*details, "Every value"]


def test_candidates_head_their_datasets() -> None:
    page = page_of(made)
    heads = [e for e in page.all("th") if e.attributes["scope"] == "rowgroup"]
    assert [" ".join(e.text.split()) for e in heads][:2] == ["new[inflate=mean]", "scratch"]
    assert heads[0].attributes["colspan"] == "7"


def test_fairness_names_values_and_arms() -> None:
    entries = (
        Unfairness("a", "imagenet", "lr", ("0.1", "0.01")),
        Unfairness("b", "imagenet", "lr", ("0.1", "0.01")),
        Unfairness("c", "imagenet", "lr", ("0.5", "0.01")),
    )
    page = read(replace(made(), fairness=entries))
    cells = page.texts("td")
    at = cells.index("0.01")
    assert cells[at : at + 6] == ["0.01", "imagenet", "0.1", "a, b", "0.5", "c"]


@pytest.mark.parametrize("make", MADE)
def test_figures_have_title_caption_and_words(make: Callable[[], Comparison]) -> None:
    comparison = make()
    page = page_of(make)
    drawn = figures(comparison)
    assert drawn
    headings, captions = page.texts("h3"), page.texts("figcaption")
    pictures = page.all("svg")
    assert len(pictures) == len(drawn)
    for figure, picture in zip(drawn, pictures, strict=True):
        assert clean(figure.title) in headings
        assert clean(figure.caption) in captions
        assert picture.attributes["role"] == "img"
        assert picture.attributes["aria-label"] == clean(figure.alt)


def test_methods_stand_ready_to_paste() -> None:
    comparison = made()
    paragraphs = page_of(made).texts("p")
    for paragraph in methods(comparison):
        assert paragraph in paragraphs


def test_values_can_be_saved() -> None:
    comparison = made()
    (link,) = [a for a in page_of(made).all("a") if "download" in a.attributes]
    kind, _, encoded = (link.attributes["href"] or "").partition(",")
    assert kind == "data:text/csv;charset=utf-8;base64"
    assert base64.b64decode(encoded).decode() == comparison_csv(comparison)


def test_foot_names_data_seed_and_version() -> None:
    comparison = made()
    (foot,) = page_of(made).texts("footer")
    assert summary(comparison).foot in foot
    assert comparison.data_hash in foot
    assert "Made by gpbench" in foot


# --- colours ---


def schemes() -> Iterator[dict[str, str]]:
    """Yield the colours of the page and of figures, light and dark."""
    light, dark, *_ = re.findall(r":root \{([^}]*--paper[^}]*)\}", CSS)
    for place, block in enumerate((light, dark)):
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", block))
        yield colours | {name.removeprefix("--"): both[place] for name, both in THEME.items()}


def luminance(colour: str) -> float:
    """Return the relative luminance of #rgb or #rrggbb: WCAG 2.2."""
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_the_guideline() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WebAIM's example


@pytest.mark.parametrize("colours", list(schemes()), ids=["light", "dark"])
def test_text_can_be_read(colours: dict[str, str]) -> None:
    on_page = ("ink", "soft", "link", "better", "worse", "equivalent", "open")
    pairs = [(text, ground) for text in on_page for ground in ("paper", "panel")]
    pairs += [
        ("ink", "warn-back"),
        ("figure-ink", "figure-ground"),
        ("figure-soft", "figure-ground"),
    ]
    poor = {pair: contrast(*(colours[name] for name in pair)) for pair in pairs}
    assert {pair: found for pair, found in poor.items() if found < 4.5} == {}


def test_every_colour_has_both_schemes_and_is_defined() -> None:
    light, dark = schemes()
    assert light.keys() == dark.keys()
    used = set(re.findall(r"var\(--([a-z0-9-]+)", comparison_html(made()))) - {"mark"}
    assert used <= light.keys()
    assert "figure-ink" in used
