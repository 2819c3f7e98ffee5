"""A comparison as Markdown (GitHub's tables). Names are escaped: none can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpbench.compare.comparison import Comparison
from gpbench.reports.methods import methods
from gpbench.reports.sheets import Sheet
from gpbench.reports.summary import summary

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#&!$])")


def comparison_markdown(comparison: Comparison) -> str:
    """Return the report as text that ends in a newline."""
    report = summary(comparison)
    lines = [f"# {escaped(report.title)}", ""]
    for banner in report.banners:
        lines += [f"> **{escaped(banner)}**", ""]
    lines += [*(f"- {escaped(sentence)}" for sentence in report.verdicts), ""]
    for part in report.parts:
        if isinstance(part, Sheet):
            content = list(_table(part))
        else:
            content = [f"- {escaped(sentence)}" for sentence in part.sentences]
        lines += [f"## {escaped(part.title)}", "", *content, ""]
    lines += ["## Methods", ""]
    for paragraph in methods(comparison):
        lines += [escaped(paragraph), ""]
    return "\n".join([*lines, "---", "", escaped(report.foot), ""])


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _table(sheet: Sheet) -> Iterator[str]:
    yield _row(column.name for column in sheet.columns)
    yield "|" + "|".join("---:" if column.numeric else "---" for column in sheet.columns) + "|"
    for row in sheet.rows:
        yield _row(cell.text for cell in row)


def _row(texts: Iterator[str]) -> str:
    return "| " + " | ".join(escaped(text) for text in texts) + " |"
