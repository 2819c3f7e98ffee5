"""What the HTML page of a comparison shows, section by section, without markup. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gpbench.compare.comparison import Comparison, Contrast
from gpbench.reports.sheets import TONES, Cell, Sheet, Tone, name
from gpbench.reports.summary import FRAGILE, Remarks, Summary
from gpbench.reports.wording import headline_words, points, pretrained, span, versus

FAIRNESS, WARNINGS = "Besides the strategy, these differ", "Warnings"
REASONS, VALUES = "Verdicts and their reasons", "Every value"
APART = frozenset({FAIRNESS, WARNINGS, REASONS, VALUES})
"""Parts of the summary that have a section of their own."""


@dataclass(frozen=True)
class VerdictLine:
    """A contrast's verdict, what it rests on, and why."""

    tone: Tone
    words: str
    candidate: str
    baseline: str
    gain: str | None
    interval: str | None
    facts: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Group:
    """Rows of a table under a line of their own, where there is one."""

    head: str | None
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Unlike:
    """Something besides the strategy that differs: the baseline's value first."""

    field: str
    values: tuple[tuple[str, tuple[str, ...]], ...]
    """A value, and the arms that have it."""


def verdict_lines(comparison: Comparison) -> Iterator[VerdictLine]:
    """Yield one line per contrast."""
    for contrast in comparison.contrasts:
        finding = contrast.finding
        yield VerdictLine(
            tone=TONES[finding.verdict],
            words=headline_words(contrast, comparison.margin),
            candidate=name(comparison, contrast),
            baseline=contrast.baseline,
            gain=None if finding.difference is None else points(finding.difference),
            interval=None if finding.ci is None else span(finding.ci),
            facts=tuple(_facts(contrast)),
            reason=f"{finding.reason}{FRAGILE if contrast.fragile else ''}",
        )


def _facts(contrast: Contrast) -> Iterator[str]:
    if not contrast.rows:
        return
    yield (
        f"average over {len(contrast.rows)} datasets"
        if len(contrast.rows) > 1
        else f"on {contrast.rows[0].dataset.name}"
    )
    if contrast.pretrainings != (0, 0):
        yield pretrained(contrast)
    yield f"{versus(contrast.finetunings)} fine-tunings"
    yield f"scope {contrast.scope}"
    yield f"level {contrast.finding.level}"


def parts(report: Summary, *, detail: bool) -> Iterator[Sheet | Remarks]:
    """Yield the tables and remarks that are, or are not, for those who ask for more."""
    for part in report.parts:
        if part.detail is detail and part.title not in APART:
            yield part


def values(report: Summary) -> Sheet | None:
    """Return the table of all scores; None where there are none."""
    sheets = (part for part in report.parts if isinstance(part, Sheet))
    return next((sheet for sheet in sheets if sheet.title == VALUES), None)


def grouped(sheet: Sheet) -> tuple[Group, ...]:
    """Return the rows of a table by the lines that head them: those with a first cell only."""
    groups: list[tuple[str | None, list[tuple[Cell, ...]]]] = []
    for row in sheet.rows:
        if len(row) > 1 and not any(cell.text for cell in row[1:]):
            groups.append((row[0].text, []))
        else:
            if not groups:
                groups.append((None, []))
            groups[-1][1].append(row)
    return tuple(Group(head, tuple(rows)) for head, rows in groups)


def unlike(comparison: Comparison) -> Iterator[Unlike]:
    """Yield what differs besides the strategy, arms of one value together."""
    found: defaultdict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(dict)
    for entry in comparison.fairness:
        theirs, ours = entry.values
        found[entry.field, entry.baseline, ours].setdefault(theirs, []).append(entry.arm)
    for (field, baseline, ours), others in found.items():
        yield Unlike(field, ((ours, (baseline,)), *_by_value(others.items())))


def _by_value(others: Iterable[tuple[str, list[str]]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for value, arms in others:
        yield value, tuple(arms)
