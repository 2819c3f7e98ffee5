"""Pages link to what exists, and the index leaves no page out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)|(?:src|href)=\"([^\"#]+)\"")


def targets(text: str) -> list[str]:
    """Return the relative targets of links and pictures, Markdown's and HTML's."""
    found = [first or second for first, second in LINK.findall(text)]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert [name for name in targets(page.read_text()) if not (page.parent / name).exists()] == []


def test_index_names_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / name).resolve() for name in targets(index.read_text())}
    pages = {page.resolve() for page in (ROOT / "docs").rglob("*.md")} - {index}
    assert pages <= linked


def test_links_are_found_in_markdown_and_html() -> None:
    text = '[a](x.md#part) ![b](y.png "title") <img src="z.svg"> [c](https://d.org) [e](#here)'
    assert targets(text) == ["x.md", "y.png", "z.svg"]
