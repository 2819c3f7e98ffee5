"""Numbers and verdicts as a person reads them. Pure."""

from __future__ import annotations

from gpbench.compare.comparison import Contrast, Finding
from gpbench.compare.words import Span

NOTHING = "-"


def verdict_words(finding: Finding, margin: float | None) -> str:
    """Return the verdict as a table shows it; the level only where it is not the strategy's."""
    if finding.verdict == "undecidable":
        return "cannot be decided"
    told = finding.verdict if margin is None else f"{finding.verdict} within {margin:g}"
    told = told if finding.verdict == "equivalent" else finding.verdict
    return f"{told} (checkpoint)" if finding.level == "checkpoint" else told


def headline_words(contrast: Contrast, margin: float | None) -> str:
    """Return the verdict on a contrast, marked where it is fragile."""
    words = verdict_words(contrast.finding, margin)
    return f"{words}, fragile" if contrast.fragile else words


def points(value: float | None) -> str:
    """Return a signed difference with two decimals."""
    return NOTHING if value is None else f"{value:+.2f}"


def span(ci: Span | None) -> str:
    """Return an interval such as `[-0.40, +2.86]`."""
    return NOTHING if ci is None else f"[{ci[0]:+.2f}, {ci[1]:+.2f}]"


def probability(p: float | None) -> str:
    """Return a p-value with two significant digits, `< 0.001` below that."""
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def versus(counts: tuple[int, int]) -> str:
    """Return the candidate's count against the baseline's; a count of 0 is shown as none."""
    return " v ".join(str(count) if count else "none" for count in counts)


def pretrained(contrast: Contrast) -> str:
    """Return such as `3 v 3 pre-trainings`, and of what, where there are several backbones."""
    several = any(len(row.backbones) > 1 for row in contrast.rows)
    each = " of each backbone" if several else ""
    return f"{versus(contrast.pretrainings)} pre-trainings{each}"


def labels(contrast: Contrast) -> str:
    """Return the share of training labels used, such as `10 %`."""
    return f"{100 * contrast.label_fraction:g} %"
