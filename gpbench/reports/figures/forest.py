"""All differences of a comparison with their intervals, beside every score: words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from gpbench.compare.comparison import Comparison, Contrast
from gpbench.compare.verdict import interval_name
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.forest_drawing import Line, draw, gains_of
from gpbench.reports.figures.gains import cut, limits, numbers
from gpbench.reports.phrases import clean
from gpbench.reports.sheets import name
from gpbench.reports.summary import LEVELS, SCOPES
from gpbench.reports.wording import headline_words, pretrained, versus

MOST_LINES = 60
"""Of a figure: what a page holds."""


def forest(comparison: Comparison) -> Iterator[Figure]:
    """Yield the forest plot: several where a page does not hold all lines."""
    pages = list(_pages(comparison))
    for at, contrasts in enumerate(pages):
        lines = [line for contrast in contrasts for line in _lines(comparison, contrast)]
        part = f", part {at + 1} of {len(pages)}" if len(pages) > 1 else ""
        yield Figure(
            f"forest-{at + 1}" if at else "forest",
            f"Differences from {clean(comparison.baseline)} and all scores{part}",
            " ".join(_caption(comparison, contrasts, lines)),
            " ".join(_alt(comparison, contrasts)),
            partial(draw, comparison, lines, _scope(contrasts)),
        )


def _pages(comparison: Comparison) -> Iterator[Sequence[Contrast]]:
    """Yield the contrasts of each figure; those of a candidate stand together."""
    arms = list(dict.fromkeys(each.candidate for each in comparison.contrasts))
    page: list[Contrast] = []
    used = 0
    for contrast in sorted(comparison.contrasts, key=lambda each: arms.index(each.candidate)):
        size = 1 + len(contrast.rows)
        if page and used + size > MOST_LINES:
            yield page
            page, used = [], 0
        page.append(contrast)
        used += size
    if page:
        yield page


def _lines(comparison: Comparison, contrast: Contrast) -> Iterator[Line]:
    label = name(comparison, contrast)
    if len(comparison.baselines) > 1:
        label += f" against {contrast.baseline}"
    seeds = contrast.pretrainings
    note = "" if seeds == (0, 0) else pretrained(contrast)
    if contrast.fragile:
        note = f"fragile; {note}" if note else "fragile"
    single = len(contrast.rows) == 1  # its own average: the headline speaks of it
    yield Line(label, note, None if single else contrast.finding)
    for row in contrast.rows:
        yield Line(row.dataset.name, "", contrast.finding if single else row.finding, row)


def _scope(contrasts: Sequence[Contrast]) -> str:
    """Return the scopes and levels of what is judged."""
    levels = dict.fromkeys(each.finding.level for each in contrasts)
    scopes = dict.fromkeys(each.scope for each in contrasts)
    return f"scope {', '.join(scopes)}; level {', '.join(levels)}"


def _caption(
    comparison: Comparison, contrasts: Sequence[Contrast], lines: Sequence[Line]
) -> Iterator[str]:
    yield (
        f"Left: the score of every fine-tuning ({clean(comparison.metric)}, percent points), "
        "candidate filled and above, baseline hollow and below; bars are means of several."
    )
    backbones = sorted({b for c in contrasts for row in c.rows for b in row.backbones})
    if len(backbones) > 1:
        yield f"Scores are averaged over the backbones {', '.join(map(clean, backbones))}."
    yield (
        "Right: candidate minus baseline in percent points with its "
        f"{interval_name(comparison.alpha)}, diamonds for averages over datasets and squares for "
        "single ones; filled where it was decided."
    )
    if comparison.margin is not None:
        yield f"Grey band: differences within the margin of {comparison.margin:g} points."
    gains = gains_of(lines)
    if any(gain.finding.ci is None for gain in gains):
        yield "Without a line no interval could be computed."
    shown = limits(gains, comparison.margin)
    if any(any(cut(gain.finding, shown)) for gain in gains):
        yield "Arrowheads: the interval goes on, to the numbers beside it."
    if any(contrast.fragile for contrast in contrasts):
        yield "Fragile: with scores for the runs that diverged the verdict could be otherwise."
    told = "; ".join(_count(comparison, each) for each in contrasts)
    yield f"n (candidate v baseline): {told}."
    levels = {gain.finding.level for gain in gains}
    yield from (sentence for level, sentence in LEVELS.items() if level in levels)
    scopes = {contrast.scope for contrast in contrasts}
    yield from (sentence for scope, sentence in SCOPES.items() if scope in scopes)


def _count(comparison: Comparison, contrast: Contrast) -> str:
    datasets = ", ".join(clean(row.dataset.name) for row in contrast.rows)
    return (
        f"{clean(name(comparison, contrast))} {versus(contrast.finetunings)} fine-tunings of "
        f"{versus(contrast.pretrainings)} pre-trainings on {datasets or 'no dataset'}"
    )


def _alt(comparison: Comparison, contrasts: Sequence[Contrast]) -> Iterator[str]:
    for contrast in contrasts:
        words = headline_words(contrast, comparison.margin)
        told = f"{clean(name(comparison, contrast))} against {clean(contrast.baseline)}: {words}"
        yield ", ".join(filter(None, (told, numbers(contrast.finding)))) + "."
