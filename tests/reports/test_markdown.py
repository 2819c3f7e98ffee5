from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gpbench.reports.markdown import comparison_markdown, escaped
from gpbench.reports.methods import methods
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


@given(st.text())
def test_escaped_text_is_one_line_without_live_markup(text: str) -> None:
    found = escaped(text)
    assert "\n" not in found
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>|]", found)


def test_methods_are_the_last_section_escaped() -> None:
    comparison = made()
    *_, last = comparison_markdown(comparison).split("\n## ")
    title, *paragraphs, rule, foot = filter(None, last.splitlines())
    assert (title, rule) == ("Methods", "---")
    assert foot.startswith("data ")
    assert paragraphs == [escaped(paragraph) for paragraph in methods(comparison)]
    assert r"new\[inflate=mean\]" in last
