"""What a comparison says to a person, top to bottom, without a format. Pure.

The terminal and Markdown show the same words; only here is decided which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gpbench.compare.comparison import Comparison
from gpbench.compare.verdict import CORRECTIONS, interval_name
from gpbench.reports.sheets import Sheet, name, sheets

LEVELS = {
    "strategy": "Level strategy: the unit is one pre-training, its fine-tunings averaged; a run "
    "without a pre-training is a unit itself.",
    "checkpoint": "Level checkpoint: the unit is one fine-tuning. This speaks of these pre-trained "
    "models; another pre-training of the same strategy may differ.",
}
SCOPES = {
    "fixed-suite": "Scope fixed-suite: the average over exactly these datasets, equally weighted; "
    "not a claim about other datasets.",
    "seeds": "Scope seeds: what retraining would give on this test set; not a claim beyond it.",
}


@dataclass(frozen=True)
class Remarks:
    """Sentences under a heading."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """A report, from top to bottom; sheets have rows, remarks have sentences."""

    title: str
    banners: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    remarks: tuple[Remarks, ...]
    foot: str


def summary(comparison: Comparison) -> Summary:
    """Return the report of a comparison."""
    remarks = (
        _remarks("Why", _reasons(comparison)),
        _remarks("How to read it", _reading(comparison)),
        _remarks("Besides the strategy, these differ", _fairness(comparison)),
        _remarks("Warnings", comparison.warnings),
        _remarks("Notes", comparison.notes),
    )
    return Summary(
        title=f"{comparison.study}: {comparison.metric} in percent points, against "
        f"{comparison.baseline}",
        banners=comparison.banners,
        sheets=sheets(comparison),
        remarks=tuple(entry for entry in remarks if entry.sentences),
        foot=f"data {comparison.data_hash[:12]} | alpha {comparison.alpha:g} | "
        f"{CORRECTIONS[comparison.correction]} | rng seed {comparison.rng_seed}",
    )


def _remarks(title: str, sentences: Iterable[str]) -> Remarks:
    return Remarks(title, tuple(sentences))


def _reasons(comparison: Comparison) -> Iterator[str]:
    """Yield why each headline has its verdict, and why datasets cannot be decided."""
    for contrast in comparison.contrasts:
        arm, own = name(comparison, contrast), contrast.finding.reason
        yield f"{arm}: {own}"
        undecided: dict[str, list[str]] = {}
        for row in contrast.rows:
            if row.finding.verdict == "undecidable" and row.finding.reason != own:
                undecided.setdefault(row.finding.reason, []).append(row.dataset.name)
        for reason, datasets in undecided.items():
            yield f"{arm} on {', '.join(datasets)}: {reason}"


def _reading(comparison: Comparison) -> Iterator[str]:
    levels = {contrast.finding.level for contrast in comparison.contrasts}
    yield from (sentence for level, sentence in LEVELS.items() if level in levels)
    scopes = {contrast.scope for contrast in comparison.contrasts}
    yield from (sentence for scope, sentence in SCOPES.items() if scope in scopes)
    backbones = sorted({b for c in comparison.contrasts for row in c.rows for b in row.backbones})
    if len(backbones) > 1:
        yield f"Averaged over the backbones {', '.join(backbones)} within each dataset."
    tested = any(contrast.finding.p is not None for contrast in comparison.contrasts)
    if tested and comparison.correction != "none" and max(comparison.family) > 1:
        yield (
            "A verdict goes by its adjusted p; a "
            f"{interval_name(comparison.alpha)} is for its row alone."
        )
    if comparison.correction == "bh":
        yield "Benjamini-Hochberg limits the share of false claims: for exploring, not for claims."


def _fairness(comparison: Comparison) -> Iterator[str]:
    for entry in comparison.fairness:
        theirs, ours = entry.values
        yield f"{entry.field}: {theirs} ({entry.arm}), {ours} ({entry.baseline})"
