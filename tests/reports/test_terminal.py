from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.judged import CLOSER, UNDECIDED
from gpbench.reports.terminal import comparison_text, print_comparison
from tests.compare.made import pretrained, study_of, untrained
from tests.reports.comparisons import NEW, made, undecided


def shown(comparison: Comparison, width: int = 100, *, detailed: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    print_comparison(comparison, console, detailed=detailed)
    return out.getvalue()


def test_a_report_names_verdicts_level_scope_and_warnings() -> None:
    text = shown(made())
    for told in (
        "made: mIoU in percent points, against imagenet",
        "Average over 2 datasets, scope fixed-suite, level strategy (p adjusted by Holm over 2)",
        "By dataset (p adjusted by Holm over 4)",
        "Level strategy:",
        "Scope fixed-suite:",
        "A verdict goes by its adjusted p",
        "pre-trainings run: 6 (new[inflate=mean]); 3 (imagenet)",
        "synthetic images, made by a program: field",
        "By the dataset's own metric (not tested)",
    ):
        assert told in text


def test_a_row_holds_what_was_measured() -> None:
    rows = [line.split() for line in shown(made()).splitlines() if line.startswith("  town ")]
    assert rows[0][:4] == ["town", "59.00", "51.33", "+7.67"]
    assert rows[0][-1] == "better"
    assert rows[1][-1] == "worse"


@pytest.mark.parametrize("width", [80, 100])
def test_no_cell_is_broken_over_lines(width: int) -> None:
    text = shown(made(), width, detailed=False)
    assert "inconclusive" in text
    assert "new[inflate=mean]" in text
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [40, 80])
def test_tables_run_over_rather_than_lose_a_number(width: int) -> None:
    wide, narrow = (set(re.findall(r"[^\s]*\d\.\d[^\s]*", shown(made(), w))) for w in (400, width))
    assert wide == narrow


def test_brackets_of_a_selector_are_text_and_not_markup() -> None:
    assert NEW in shown(made())


def test_a_design_that_cannot_decide_says_why() -> None:
    text = " ".join(shown(undecided()).split())
    assert "cannot be decided" in text
    assert (
        "new and imagenet each have 1 pre-training, fine-tuned once: seed variance is unknown"
        in text
    )
    assert "Level checkpoint:" in text
    assert "Scope seeds:" in text


def test_without_a_correction_no_family_is_named() -> None:
    text = shown(made(Request(correction="none")))
    assert "adjusted" not in text


def test_bh_is_for_exploring() -> None:
    assert "for exploring, not for claims" in shown(made(Request(correction="bh")))


def test_a_file_gets_the_same_words_without_colours() -> None:
    lines = [line.rstrip() for line in shown(made()).splitlines()]
    assert comparison_text(made(), detailed=True).splitlines() == lines
    assert "\x1b" not in comparison_text(made(), detailed=True)


def test_colours_say_nothing_that_the_words_do_not() -> None:
    out = io.StringIO()
    print_comparison(made(), Console(file=out, width=100, force_terminal=True), detailed=True)
    assert "\x1b[1;32mbetter" in out.getvalue()


def test_one_screen_has_verdicts_first_and_no_details() -> None:
    text = comparison_text(made(), detailed=False)
    lines = text.splitlines()
    assert lines[1].startswith(f"- {NEW} against imagenet: BETTER +4.00 [+0.95, +7.05] on average")
    assert lines[-1].endswith("-v shows more")
    assert len(lines) <= 40
    assert "Every value" not in text
    assert "Every value" in comparison_text(made(), detailed=True)


def test_what_more_would_help_is_shown_when_asked_for() -> None:
    title = "What more would help"
    assert title in comparison_text(made(), detailed=False, needed=True)
    assert title not in comparison_text(made(), detailed=False)


def test_many_candidates_are_a_table_first() -> None:
    runs = pretrained("imagenet", "town", [50, 51, 53]) + pretrained(
        "imagenet", "sea", [50, 51, 53]
    )
    for at in range(5):
        for where in ("town", "sea"):
            runs += pretrained(f"arm{at}", where, [50 + at, 51 + at, 52])
    comparison = compare(study_of(runs), Request())
    text = comparison_text(comparison, detailed=False)
    assert text.splitlines()[2].startswith("Average over 2 datasets")
    assert "is not below" not in text
    assert "is not below" in comparison_text(comparison, detailed=True)


def test_the_margin_is_on_the_screen() -> None:
    text = comparison_text(made(Request(margin=1.5)), detailed=False)
    assert text.splitlines()[-1].count("margin 1.5 pp") == 1
    assert "Against the margin" in comparison_text(made(Request(margin=1.5)), detailed=True)


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        # gains of 2, 2.1 and 2.2 with errors of 3
        ([[-3.0, 0.0, 3.0]] * 3, CLOSER),
        ([[0.0]] * 3, UNDECIDED),
    ],
)
def test_claims_that_outrun_the_headline_say_so_on_the_screen(
    scores: list[list[float]], sentence: str
) -> None:
    runs = []
    for at, errors in enumerate(scores):
        runs += untrained("imagenet", f"d{at}", [50 - e for e in errors])
        runs += untrained("new", f"d{at}", [52 + at / 10 + e for e in errors])
    text = comparison_text(compare(study_of(runs), Request()), detailed=False)
    assert f"scope datasets (new): {sentence}" in " ".join(text.split())
