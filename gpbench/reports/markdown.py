"""A comparison as Markdown (GitHub's tables). Names are escaped: none can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gpbench.compare.comparison import Comparison
from gpbench.reports.methods import methods
from gpbench.reports.phrases import clean
from gpbench.reports.sheets import Sheet
from gpbench.reports.summary import Remarks, summary

_LIST = re.compile(r"^(\d{0,9})([-+.)])(?=\s)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#&!$])")
_LINK = re.compile(r"(?<=\bwww)\.|:(?=//)", re.IGNORECASE)
_MENTION = re.compile(r"@(?=\w)")
"""GitHub makes a link of a bare address, and tells a person who is named so."""


def comparison_markdown(comparison: Comparison) -> str:
    """Return the report as text that ends in a newline; what can wait is folded up."""
    report = summary(comparison)
    lines = [f"# {escaped(report.title)}", ""]
    for banner in report.banners:
        lines += [f"> **{escaped(banner)}**", ""]
    lines += [*map(_item, report.verdicts), ""]
    for part in report.parts:
        if not part.detail:
            lines += _section(part)
    lines += ["<details>", "<summary>Details</summary>", ""]  # blank: Markdown goes on inside
    for part in report.parts:
        if part.detail:
            lines += _section(part)
    lines += ["</details>", "", "## Methods", ""]
    for paragraph in methods(comparison):
        lines += [_block(paragraph), ""]
    return "\n".join([*lines, "---", "", escaped(report.foot), ""])


def _section(part: Sheet | Remarks) -> Iterator[str]:
    yield f"## {escaped(part.title)}"
    yield ""
    yield from _table(part) if isinstance(part, Sheet) else map(_item, part.sentences)
    yield ""


def _item(sentence: str) -> str:
    return f"- {_block(sentence)}"


def _block(text: str) -> str:
    """Return escaped text whose beginning is not taken for that of a list."""
    return _LIST.sub(r"\1\\\2", escaped(text))


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    shown = _LINK.sub(r"\\\g<0>", _SPECIAL.sub(r"\\\1", clean(text)))
    return _MENTION.sub("@<!-- -->", shown)


def _table(sheet: Sheet) -> Iterator[str]:
    yield _row(escaped(column.name) for column in sheet.columns)
    yield "|" + "|".join("---:" if column.numeric else "---" for column in sheet.columns) + "|"
    for row in sheet.rows:
        texts = [escaped(cell.text) for cell in row]
        if len(texts) > 1 and not any(texts[1:]):  # it heads those below
            texts[0] = f"**{texts[0]}**"
        yield _row(texts)


def _row(texts: Iterable[str]) -> str:
    return "| " + " | ".join(texts) + " |"
