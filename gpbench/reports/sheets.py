"""The tables of a comparison, without a format; narrow enough for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gpbench.compare.comparison import Comparison, Contrast, Finding
from gpbench.compare.family import CORRECTIONS
from gpbench.compare.verdict import interval_name
from gpbench.reports.wording import (
    headline_words,
    labels,
    points,
    probability,
    span,
    verdict_words,
    versus,
)

BEYOND = "Claims beyond these data"
Tone = Literal["plain", "good", "bad", "open", "faint"]
TONES: dict[str, Tone] = {
    "better": "good",
    "worse": "bad",
    "equivalent": "plain",
    "inconclusive": "open",
    "undecidable": "faint",
}


@dataclass(frozen=True)
class Cell:
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Column:
    name: str
    numeric: bool = True


@dataclass(frozen=True)
class Sheet:
    """A table with at least one column; every row has one cell per column."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    detail: bool = False
    """Whether it can wait for those who ask for more."""


def sheets(comparison: Comparison, *, averages_first: bool) -> tuple[Sheet, ...]:
    """Return the averages, the candidates by dataset and further claims; none is empty.

    The averages are a detail where sentences tell them.
    """
    averages = _averages(comparison, [c for c in comparison.contrasts if len(c.rows) > 1])
    found = (
        replace(averages, detail=not averages_first),
        _by_dataset(comparison),
        _scopes(comparison),
    )
    return tuple(sheet for sheet in found if sheet.rows)


def name(comparison: Comparison, contrast: Contrast) -> str:
    """Return the candidate, with its share of the labels where the comparison has several."""
    several = len({each.label_fraction for each in comparison.contrasts}) > 1
    return f"{contrast.candidate} ({labels(contrast)} labels)" if several else contrast.candidate


def against(comparison: Comparison, contrast: Contrast) -> str:
    """Return which baseline a contrast is with, where there are several."""
    return f" against {contrast.baseline}" if len(comparison.baselines) > 1 else ""


def _averages(comparison: Comparison, contrasts: Sequence[Contrast]) -> Sheet:
    columns = (
        Column("strategy", numeric=False),
        *tested(comparison),
        Column("pre-trained"),
        Column("verdict", numeric=False),
    )
    rows = (
        (
            Cell(name(comparison, contrast)),
            *findings(contrast.finding),
            Cell(versus(contrast.pretrainings)),
            Cell(headline_words(contrast, comparison.margin), TONES[contrast.finding.verdict]),
        )
        for contrast in contrasts
    )
    datasets = max((len(contrast.rows) for contrast in contrasts), default=0)
    levels = " and ".join(sorted({contrast.finding.level for contrast in contrasts}))
    title = (
        f"Average over {datasets} datasets, scope fixed-suite, level {levels}"
        f"{of_family(comparison, comparison.family.headline)}"
    )
    return Sheet(title, columns, tuple(rows))


def _by_dataset(comparison: Comparison) -> Sheet:
    """Return all candidates by dataset, each under a line of its own where there are several."""
    several = len(comparison.contrasts) > 1
    columns = (
        Column("dataset", numeric=False),
        Column("mean"),
        Column("baseline"),
        *tested(comparison),
        Column("verdict", numeric=False),
    )
    rows: list[tuple[Cell, ...]] = []
    for contrast in comparison.contrasts:
        if several and contrast.rows:
            head = Cell(name(comparison, contrast) + against(comparison, contrast))
            rows.append((head, *(Cell("") for _ in columns[1:])))
        rows.extend(
            (
                Cell(f"  {row.dataset.name}" if several else row.dataset.name),
                Cell(f"{row.candidate_mean:.2f}"),
                Cell(f"{row.baseline_mean:.2f}"),
                *findings(row.finding),
                verdict(comparison, row.finding),
            )
            for row in contrast.rows
        )
    whom = "" if several else "".join(against(comparison, c) for c in comparison.contrasts)
    title = f"By dataset{whom}{of_family(comparison, comparison.family.rows)}"
    return Sheet(title, columns, tuple(rows))


def _scopes(comparison: Comparison) -> Sheet:
    columns = (
        Column("strategy", numeric=False),
        Column("scope", numeric=False),
        *tested(comparison),
        Column("verdict", numeric=False),
    )
    rows = (
        (
            Cell(name(comparison, contrast)),
            Cell(each.scope),
            *findings(each.finding),
            verdict(comparison, each.finding),
        )
        for contrast in comparison.contrasts
        for each in contrast.scopes
    )
    return Sheet(BEYOND, columns, tuple(rows))


def tested(comparison: Comparison) -> Iterable[Column]:
    """Return the columns of what `findings` tells."""
    p = "p" if comparison.correction == "none" else "p adj."
    return map(Column, ("gain", interval_name(comparison.alpha), p))


def findings(finding: Finding) -> Iterable[Cell]:
    """Return the difference, its interval and its p."""
    told = (points(finding.difference), span(finding.ci), probability(finding.p_adjusted))
    return map(Cell, told)


def verdict(comparison: Comparison, finding: Finding) -> Cell:
    """Return the verdict, in its tone."""
    return Cell(verdict_words(finding, comparison.margin), TONES[finding.verdict])


def of_family(comparison: Comparison, size: int) -> str:
    """Return how the p of a family of that size were adjusted, as the end of a title."""
    if comparison.correction == "none":
        return ""
    return f" (p adjusted by {CORRECTIONS[comparison.correction]} over {size})"
