"""The tables of a comparison, without a format; narrow enough for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gpbench.compare.comparison import Comparison, Contrast, Finding, Row
from gpbench.compare.verdict import CORRECTIONS, interval_name
from gpbench.reports.wording import labels, points, probability, span, verdict_words, versus

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


def sheets(comparison: Comparison) -> tuple[Sheet, ...]:
    """Return the averages, then each candidate by dataset, then other metrics; none is empty."""
    found = (
        _averages(comparison),
        *(_by_dataset(comparison, contrast) for contrast in comparison.contrasts),
        _own_metrics(comparison),
    )
    return tuple(sheet for sheet in found if sheet.rows)


def name(comparison: Comparison, contrast: Contrast) -> str:
    """Return the candidate, with its share of the labels where the comparison has several."""
    several = len({each.label_fraction for each in comparison.contrasts}) > 1
    return f"{contrast.candidate} ({labels(contrast)} labels)" if several else contrast.candidate


def _averages(comparison: Comparison) -> Sheet:
    counts = {len(contrast.rows) for contrast in comparison.contrasts}
    over = f"Average over {max(counts)} datasets" if max(counts) > 1 else "Result"
    columns = (
        Column("strategy", numeric=False),
        *_tested(comparison),
        Column("pre-trained"),
        Column("verdict", numeric=False),
    )
    rows = (
        (
            Cell(name(comparison, contrast)),
            *_findings(contrast.finding),
            Cell(versus(contrast.pretrainings)),
            _verdict(comparison, contrast.finding),
        )
        for contrast in comparison.contrasts
    )
    return Sheet(f"{over}{_family(comparison, comparison.family[0])}", columns, tuple(rows))


def _by_dataset(comparison: Comparison, contrast: Contrast) -> Sheet:
    columns = (
        Column("dataset", numeric=False),
        Column("mean"),
        Column("baseline"),
        *_tested(comparison),
        Column("verdict", numeric=False),
    )
    rows = (
        (
            Cell(row.dataset.name),
            Cell(f"{row.candidate_mean:.2f}"),
            Cell(f"{row.baseline_mean:.2f}"),
            *_findings(row.finding),
            _verdict(comparison, row.finding),
        )
        for row in contrast.rows
    )
    title = f"{name(comparison, contrast)} by dataset{_family(comparison, comparison.family[1])}"
    return Sheet(title, columns, tuple(rows))


def _own_metrics(comparison: Comparison) -> Sheet:
    """Return the means of datasets whose own metric is not the one compared by; no tests."""
    columns = (
        Column("strategy", numeric=False),
        Column("dataset", numeric=False),
        Column("metric", numeric=False),
        Column("mean"),
        Column("baseline"),
        Column("gain"),
    )
    rows = (
        cells
        for contrast in comparison.contrasts
        for row in contrast.rows
        for cells in _own_metric(name(comparison, contrast), row)
    )
    return Sheet("By the dataset's own metric (not tested)", columns, tuple(rows))


def _own_metric(strategy: str, row: Row) -> Iterable[tuple[Cell, ...]]:
    own = row.headline
    if own is not None:
        means = (f"{own.candidate:.2f}", f"{own.baseline:.2f}")
        gain = points(own.candidate - own.baseline)
        yield tuple(map(Cell, (strategy, row.dataset.name, own.metric, *means, gain)))


def _tested(comparison: Comparison) -> Iterable[Column]:
    p = "p" if comparison.correction == "none" else "p adj."
    return map(Column, ("gain", interval_name(comparison.alpha), p))


def _findings(finding: Finding) -> Iterable[Cell]:
    told = (points(finding.difference), span(finding.ci), probability(finding.p_adjusted))
    return map(Cell, told)


def _verdict(comparison: Comparison, finding: Finding) -> Cell:
    return Cell(verdict_words(finding, comparison.margin), TONES[finding.verdict])


def _family(comparison: Comparison, size: int) -> str:
    if comparison.correction == "none":
        return ""
    return f" (p adjusted by {CORRECTIONS[comparison.correction]} over {size})"
