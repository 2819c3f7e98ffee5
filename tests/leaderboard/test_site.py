"""The built site as a reader and a program meet it."""

from __future__ import annotations

import csv
import getpass
import io
import json
import socket
from html import escape
from itertools import pairwise
from pathlib import Path

import pytest

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.compare.stored import study_of
from gpbench.compare.table import table_study
from gpbench.core.errors import ConfigError, InvalidValueError, UnknownNameError
from gpbench.core.plan import Excluded
from gpbench_leaderboard.build import FILES, build_site
from gpbench_leaderboard.references import read_references
from tests.leaderboard.conftest import files_of, page_of
from tests.leaderboard.document import Element, parsed
from tests.leaderboard.sites import (
    BASELINE,
    ENVIRONMENT,
    SCRATCH,
    SHUFFLED,
    World,
    made,
    results,
    stored,
)

HOSTILE = "<script>alert('1')</script>\"&amp;{{ 7*7 }}"
SHORT = World(seeds=(0,))
SECTIONS = ["verdicts", "scores", "run", "published", "reproduce"]


# --- structure ---


def test_site_is_four_files(site: Path) -> None:
    assert sorted(path.name for path in site.iterdir()) == sorted(FILES)


def test_sections_are_headed_and_linked(page: Element) -> None:
    sections = page.all("section")
    assert [section.attributes["id"] for section in sections] == SECTIONS
    for section in sections:
        heading = section.one("h2")
        assert heading.attributes["id"] == section.attributes["aria-labelledby"]
    targets = {element.attributes["id"] for element in page if "id" in element.attributes}
    links = [a.attributes["href"] for a in page.all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= targets


def test_headings_skip_no_level(page: Element) -> None:
    levels = [int(e.name[1]) for e in page if e.name in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_tables_have_headers_with_a_scope_and_rows_of_one_length(page: Element) -> None:
    tables = page.all("table")
    assert len(tables) > 4
    for table in tables:
        assert all(cell.attributes["scope"] for cell in table.all("th"))
        widths = {
            sum(int(c.attributes.get("colspan", "1")) for c in row if c.name in {"td", "th"})
            for row in table.all("tr")
        }
        assert len(widths) == 1


def test_everything_that_scrolls_is_reachable_by_keyboard_and_named(page: Element) -> None:
    regions = page.all("div", "scroll")
    assert len(regions) == len(page.all("table"))
    for region in regions:
        assert region.attributes["tabindex"] == "0"
        assert {"aria-label", "aria-labelledby"} & region.attributes.keys()


def test_figures_say_in_words_what_they_show(page: Element) -> None:
    labels = [
        svg.attributes["aria-label"]
        for svg in page.all("svg")
        if "aria-hidden" not in svg.attributes
    ]
    assert "imagenet on sea: 80.00, 81.00, 82.00" in labels
    assert any(label.startswith("mean of 2 datasets: −24.") for label in labels)  # noqa: RUF001  a minus sign
    assert all(labels)


def test_page_loads_nothing_and_runs_nothing(page: Element) -> None:
    assert not page.all("script")
    assert not [name for e in page for name in e.attributes if name.startswith("on")]
    assert not [e for e in page if "style" in e.attributes or e.name == "style"]
    loaded = [e.attributes.get("src") for e in page] + [
        e.attributes["href"] for e in page.all("link")
    ]
    assert {link for link in loaded if link and not link.startswith("data:")} == {"site.css"}
    (policy,) = (m.attributes["content"] for m in page.all("meta") if "http-equiv" in m.attributes)
    assert policy.startswith("default-src 'none'")


def test_style_loads_nothing(site: Path) -> None:
    style = (site / "site.css").read_text()
    assert "url(" not in style
    assert "@import" not in style
    for media in ("prefers-color-scheme: dark", "print", "max-width"):
        assert media in style


# --- content ---


def test_verdicts_stand_beside_their_numbers(page: Element) -> None:
    rows = page.one("section", id="verdicts").all("tr", "headline")
    texts = [row.text for row in rows]
    assert texts[0].startswith("scratch mean of 2 datasets worse")
    assert texts[1].startswith("generalised mean of 2 datasets inconclusive")
    assert "strategy" in texts[0]
    assert "+2.87 [−0." in texts[1]  # noqa: RUF001  a minus sign


def test_scores_show_mean_deviation_and_every_run(page: Element) -> None:
    section = page.one("section", id="scores")
    assert "81.00 ± 1.00 n = 3 pre-trainings" in section.text
    assert len(section.all("circle")) == 3 * 2 * 3
    assert "not ranked" in section.text


def test_what_was_run_is_told(page: Element) -> None:
    told = page.one("section", id="run").text
    for fact in (
        "test_convnext3",
        "3 pre-trainings, 1 fine-tuning of each",
        "10 steps of 4 images at 32 px",
        "CPU: Made-up CPU 3000",
        "torch 2.15.0",
        "shapes (labelled)",
        "2 bands: red, thermal",
        "not scored: clutter",
    ):
        assert fact in told


def test_our_readings_are_marked(page: Element) -> None:
    cards = page.one("section", id="run").all("article")
    marked = {card.one("h4").text: len(card.all("span", "tag-assumed")) for card in cards[:3]}
    assert marked == {SCRATCH: 0, BASELINE: 1, SHUFFLED: 1}


def test_every_published_row_is_there_and_not_tested_here(page: Element) -> None:
    section = page.one("section", id="published")
    statuses = [span.text for span in section.all("span", "status")]
    assert statuses == ["not tested here"] * len(read_references())
    assert "67.4 mIoU on iSAID" in section.text


def test_published_row_whose_strategy_and_dataset_ran_says_so() -> None:
    page = page_of(World(datasets={"isaid": "mIoU"}, synthetic=frozenset()))
    rows = page.one("section", id="published").all("tr")
    ran = [row.text for row in rows if "run here under another protocol" in row.text]
    assert len(ran) == 3  # the claimed score and gain of the shuffled arm, and the Swin-T baseline
    assert any("67.4 mIoU on iSAID" in text for text in ran)


def test_published_rows_are_not_among_the_scores(page: Element) -> None:
    assert "67.4" not in page.one("section", id="scores").text
    assert "67.4" not in page.one("section", id="verdicts").text


@pytest.mark.parametrize(
    ("synthetic", "title"),
    [
        (frozenset({"town", "sea"}), ["Synthetic data."]),
        (frozenset({"sea"}), ["Partly synthetic data."]),
        (frozenset(), []),
    ],
)
def test_synthetic_data_are_called_so(synthetic: frozenset[str], title: list[str]) -> None:
    page = page_of(World(synthetic=synthetic, seeds=(0,)))
    banners = page.all("div", "banner")
    assert [banner.one("strong").text for banner in banners] == title
    assert len(page.one("table", "scores").all("span", "tag")) == len(synthetic)


def test_trial_has_a_banner_and_no_verdicts() -> None:
    page = page_of(World(trial=True, partial=("sea",), synthetic=frozenset()))
    titles = [banner.one("strong").text for banner in page.all("div", "banner")]
    assert titles == ["Trial run.", "Incomplete data."]
    section = page.one("section", id="verdicts")
    assert not section.all("table")
    assert "never ranked" in section.text


def test_experiment_without_the_baseline_is_shown_without_verdicts() -> None:
    world = World(arms={SCRATCH: "None", SHUFFLED: "Shuffling"})
    page = page_of(world)
    assert "No comparison: " in page.one("section", id="verdicts").text
    assert "83.00 ± 1.00" in page.one("section", id="scores").text


def test_experiment_without_a_result_yet_is_a_page() -> None:
    world = World(
        unfinished=frozenset(
            (arm, name, seed)
            for arm in World().arms
            for name in World().datasets
            for seed in World().seeds
        )
    )
    page = page_of(world)
    assert "No fine-tuning is finished yet." in page.one("section", id="scores").text


def test_failures_and_what_was_left_out_are_shown() -> None:
    world = World(
        diverged=frozenset({(SHUFFLED, "sea", 2)}),
        excluded=(Excluded("simmim", "needs unlabelled images"),),
    )
    page = page_of(world)
    assert "1 diverged" in page.one("table", "scores").text
    told = page.one("section", id="run").text
    assert "simmim : needs unlabelled images" in told
    assert "1 of 6 fine-tunings of generalised diverged (sea)" in told


def test_backbones_and_label_fractions_get_columns_where_there_are_several() -> None:
    world = World(backbones=("tiny", "large"), fractions=(0.1, 1.0), seeds=(0,))
    table = page_of(world).one("table", "scores")
    heads = [cell.text for cell in table.all("thead")[0].all("th")]
    assert heads[:3] == ["Strategy", "Backbone", "Labels"]
    assert [cell.text for cell in table.all("tbody")[0].all("tr")[0]][1:4] != []
    assert len(table.all("tbody")[0].all("tr")) == 3 * 2 * 2


# --- what must not be published ---


def test_hostile_names_are_text_everywhere(tmp_path: Path) -> None:
    arms = {BASELINE: HOSTILE, f"bad{HOSTILE}": HOSTILE}
    name = f"sea{HOSTILE}"
    world = World(
        name=f"run{HOSTILE}",
        arms=arms,
        hits=dict.fromkeys(arms, 80),
        datasets={name: "mIoU"},
        classes=(f"a{HOSTILE}", "b", "c"),
        backbones=(f"net{HOSTILE}",),
        excluded=(Excluded(f"x{HOSTILE}", HOSTILE),),
        partial=(name,),
        diverged=frozenset({(f"bad{HOSTILE}", name, 2)}),
    )
    with made(tmp_path, world) as store:
        html = build_site(store, world.name, tmp_path / "site").read_text()
    assert escape("<script>alert('1')</script>") in html.replace("&#39;", "&#x27;")
    assert "<script" not in html
    assert "49" not in parsed(html).one("h1").text  # no name is run as a template
    page = parsed(html)
    assert page.one("h1").text == f"run{HOSTILE}"
    assert not page.all("script")
    assert not [a for e in page for a in e.attributes if "alert" in a]


def test_no_host_user_or_path_is_published(tmp_path: Path) -> None:
    world = World(
        excluded=(Excluded("sar", "no data for 'sar' at /home/ann/sar; put it there"),),
        data_roots={"town": "/home/ann/town"},
    )
    with made(tmp_path, world) as store:
        site = build_site(store, world.name, tmp_path / "site").parent
    secrets = ["/home", "ann/", str(tmp_path), ENVIRONMENT["host"], ENVIRONMENT["worker_pid"]]
    secrets.append(f"/{getpass.getuser()}")
    for path in site.iterdir():
        text = path.read_text()
        assert not [secret for secret in [*secrets, socket.gethostname()] if secret in text]
    assert (
        "no data for 'sar' at (path); put it there"
        in parsed((site / "index.html").read_text()).text
    )


# --- downloads ---


def test_table_gives_the_same_comparison_elsewhere(tmp_path: Path) -> None:
    world = World(
        diverged=frozenset({(SHUFFLED, "sea", 2)}), unfinished=frozenset({(SCRATCH, "town", 1)})
    )
    (tmp_path / "results.csv").write_text(files_of(world)["results.csv"])
    own = compare(study_of(stored(world), results(world)), Request())
    theirs = compare(table_study(tmp_path / "results.csv"), Request())
    findings = {c.candidate: [c.finding, *(r.finding for r in c.rows)] for c in own.contrasts}
    again = {c.candidate: [c.finding, *(r.finding for r in c.rows)] for c in theirs.contrasts}
    assert findings.keys() == again.keys()
    for arm, told in findings.items():
        assert sorted(str(f.difference) for f in told) == sorted(
            str(f.difference) for f in again[arm]
        )
        assert sorted(f.verdict for f in told) == sorted(f.verdict for f in again[arm])


def test_table_has_a_row_per_run_that_ended() -> None:
    world = World(
        diverged=frozenset({(SHUFFLED, "sea", 2)}), unfinished=frozenset({(SCRATCH, "town", 1)})
    )
    rows = list(csv.DictReader(io.StringIO(files_of(world)["results.csv"])))
    assert len(rows) == 3 * 2 * 3 - 1
    assert [row["status"] for row in rows].count("diverged") == 1
    assert {row["metric"] for row in rows} == {"mIoU"}


def test_document_holds_what_the_page_shows(site: Path) -> None:
    document = json.loads((site / "results.json").read_text())
    assert next(iter(document.items())) == ("schema", "gpbench.site/1")
    assert document["comparison"]["schema"] == "gpbench.compare/1"
    assert len(document["results"]) == 18
    assert len(document["references"]) == len(read_references())
    assert {row["kind"] for row in document["references"]} == {"reference"}
    assert document["asked"]["recipe"]["finetune"]["steps"] == 10
    assert not {"data_roots", "execution"} & document["asked"].keys()
    assert "root" not in document["asked"]["sources"][0]


# --- building ---


def test_same_store_gives_the_same_bytes(tmp_path: Path) -> None:
    with made(tmp_path, SHORT) as store:
        first, second = (build_site(store, SHORT.name, tmp_path / n).parent for n in "ab")
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_older_site_is_replaced(tmp_path: Path) -> None:
    with made(tmp_path, SHORT) as store:
        index = build_site(store, SHORT.name, tmp_path / "site")
        index.write_text("old")
        assert build_site(store, SHORT.name, tmp_path / "site") == index
    assert "Verdicts" in index.read_text()


def test_unknown_experiment_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with made(tmp_path, SHORT) as store, pytest.raises(UnknownNameError, match="town-and-sea"):
        build_site(store, "town-and-se", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    with made(tmp_path, SHORT) as store, pytest.raises(InvalidValueError, match="also holds"):
        build_site(store, SHORT.name, tmp_path)


def test_pictures_are_not_there_yet_and_that_is_said(tmp_path: Path) -> None:
    with made(tmp_path, SHORT) as store, pytest.raises(ConfigError, match="not there yet"):
        build_site(store, SHORT.name, tmp_path / "site", include_images=True)
