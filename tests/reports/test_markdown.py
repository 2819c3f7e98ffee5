from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.reports.markdown import comparison_markdown, escaped
from gpbench.reports.methods import methods
from gpbench.reports.summary import summary
from tests.compare.made import pretrained, study_of
from tests.reports.comparisons import made, undecided


def test_tables_have_one_cell_per_column() -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", comparison_markdown(made()), flags=re.MULTILINE)
    assert len(blocks) == 7
    for block in blocks:
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_names_cannot_become_markup() -> None:
    text = comparison_markdown(made())
    assert r"new\[inflate=mean\]" in text
    assert "new[inflate" not in text


def test_banners_warnings_and_reasons_are_there() -> None:
    text = comparison_markdown(replace(undecided(), banners=("TRIAL RUN",), warnings=("w_1",)))
    assert "> **TRIAL RUN**" in text
    assert "## Warnings\n\n- w\\_1\n" in text
    assert "cannot be decided" in text


@example("@a")
@given(st.text())
def test_escaped_text_is_one_line_without_live_markup(text: str) -> None:
    found = escaped(text)
    assert "\n" not in found
    live = found.replace("@<!-- -->", "@")  # ours
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>|]", live)


def test_methods_are_the_last_section_escaped() -> None:
    comparison = made()
    *_, last = comparison_markdown(comparison).split("\n## ")
    title, *paragraphs, rule, foot = filter(None, last.splitlines())
    assert (title, rule) == ("Methods", "---")
    assert foot.startswith("data ")
    assert paragraphs == [escaped(paragraph) for paragraph in methods(comparison)]
    assert r"new\[inflate=mean\]" in last


def test_details_are_folded_up_and_nothing_else_is() -> None:
    comparison = made()
    before, folded = comparison_markdown(comparison).split("<details>")
    folded, after = folded.split("</details>")
    assert folded.startswith("\n<summary>Details</summary>\n\n## ")
    assert folded.endswith("\n\n")
    for part in summary(comparison).parts:
        heading = f"## {escaped(part.title)}\n\n"
        assert (heading in folded, heading in before) == (part.detail, not part.detail)
    assert "## Methods" in after


def test_lines_that_head_a_candidates_datasets_stand_out() -> None:
    assert r"| **new\[inflate=mean\]** |  |" in comparison_markdown(made())


@pytest.mark.parametrize("name", ["1. x", "- x", "+ x", "12) x"])
def test_names_do_not_begin_lists(name: str) -> None:
    runs = pretrained("imagenet", "town", [1, 2, 3]) + pretrained(name, "town", [4, 5, 7])
    text = comparison_markdown(compare(study_of(runs), Request()))
    assert len(re.findall(r"^(?:- )?\d*\\[-+.)] x (?:v|against) imagenet", text, re.MULTILINE)) == 2
    assert not re.search(rf"^(?:- )?{re.escape(name)}", text, re.MULTILINE)


def test_a_name_makes_no_link_and_calls_nobody() -> None:
    assert escaped("https://x.org") == "https\\://x.org"
    assert escaped("www.x.org") == "www\\.x.org"
    assert escaped("@octocat, a @ b") == "@<!-- -->octocat, a @ b"
    assert escaped("datasets. p: 1") == "datasets. p: 1"
