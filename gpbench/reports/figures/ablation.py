"""What each ingredient of a method adds: the full method against its ablations. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gpbench.compare.comparison import Ablation, Comparison, Contrast, Finding
from gpbench.compare.family import CORRECTIONS
from gpbench.compare.verdict import interval_name
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.gains import AVERAGE, Gain, draw_gains, numbers, verdict
from gpbench.reports.figures.style import (
    CANDIDATE,
    GAP,
    GROUND,
    LINE,
    MARGIN,
    SOFT,
    WIDE,
    fit,
    fit_all,
    key,
    panel,
    sheet,
    styled,
    text_width,
    write,
)
from gpbench.reports.phrases import clean
from gpbench.reports.sheets import name
from gpbench.reports.summary import LEVELS, SCOPES
from gpbench.reports.wording import NOTHING, verdict_words, versus

ROW = 0.2
HEAD, FOOT = 0.44, 0.36
MOST_NAME = 2.4
BEST = "best ablation"


@dataclass(frozen=True)
class Line:
    """An ablation: what it lacks, and the full method's gain over it."""

    arm: str
    label: str
    finding: Finding
    best: bool


def ablation(comparison: Comparison) -> Iterator[Figure]:
    """Yield a figure per contrast of a full method with its ablations."""
    asked = comparison.ablation
    if asked is None:
        return
    found = [each for each in comparison.contrasts if each.candidate == asked.full and each.against]
    for at, contrast in enumerate(found):
        lines = _lines(asked, contrast)
        yield Figure(
            f"ablation-{at + 1}" if at else "ablation",
            f"What each ingredient of {clean(name(comparison, contrast))} adds",
            " ".join(_caption(comparison, contrast, lines)),
            " ".join(_alt(comparison, lines)),
            partial(_draw, comparison, contrast, lines),
        )


def _lines(asked: Ablation, contrast: Contrast) -> list[Line]:
    lacks = dict(asked.ingredients)
    return [
        Line(
            each.baseline,
            lacks.get(each.baseline, each.baseline),
            each.finding,
            each.baseline == contrast.baseline,
        )
        for each in contrast.against
    ]


def _caption(comparison: Comparison, contrast: Contrast, lines: Sequence[Line]) -> Iterator[str]:
    arms = "; ".join(f"{clean(line.label)} is {clean(line.arm)}" for line in lines)
    yield (
        f"{clean(name(comparison, contrast))} minus each of its ablations, named by how they "
        f"differ from it: {clean(comparison.metric)} in percent points with its "
        f"{interval_name(comparison.alpha)}, filled where it was decided. {arms}."
    )
    if comparison.correction != "none":
        yield (
            f"Verdicts go by p adjusted by {CORRECTIONS[comparison.correction]} over "
            f"{comparison.family.headline}; an interval is for its line alone."
        )
    yield f"The best ablation, the one with the highest mean, is {clean(contrast.baseline)}."
    if comparison.margin is not None:
        yield f"Grey band: differences within the margin of {comparison.margin:g} points."
    yield (
        f"n: {versus(contrast.pretrainings)} pre-trainings, {versus(contrast.finetunings)} "
        f"fine-tunings (of the full method v its best ablation) on {len(contrast.rows)} datasets."
    )
    levels = {line.finding.level for line in lines}
    yield from (sentence for level, sentence in LEVELS.items() if level in levels)
    yield SCOPES[contrast.scope]


def _alt(comparison: Comparison, lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        words = verdict_words(line.finding, comparison.margin)
        best = f" ({BEST})" if line.best else ""
        told = f"Over {clean(line.arm)}{best}: {words}"
        yield ", ".join(filter(None, (told, numbers(line.finding)))) + "."


def _draw(comparison: Comparison, contrast: Contrast, lines: Sequence[Line]) -> Any:
    with styled():
        gains = [Gain(at, line.finding, average=True) for at, line in enumerate(lines)]
        levels = {line.finding.level for line in lines}
        told = [
            (numbers(line.finding) or NOTHING, verdict(comparison, line.finding, levels))
            for line in lines
        ]
        names = fit_all([line.label for line in lines], MOST_NAME, "bold")
        label = max(text_width(text, weight="bold") for text in names.values())
        mark = text_width(BEST)
        words = max(text_width(text, weight="bold") for _, text in told)
        left = MARGIN + label + GAP + mark + GAP
        right = WIDE - MARGIN - words
        end = right - 1.5 * GAP
        width = end - max(text_width(text) for text, _ in told) - GAP - left
        height = len(lines) * ROW
        figure = sheet(WIDE, HEAD + height + FOOT)
        axes = panel(figure, left, HEAD, width, height)
        axes.set_ylim(len(lines) - 0.5, -0.5)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(fit(f"gain in {comparison.metric}, percent points", width))
        draw_gains(axes, gains, comparison.margin)
        x = key(figure, MARGIN, LINE, "decided", AVERAGE, CANDIDATE)
        key(figure, x, LINE, "not decided", AVERAGE, CANDIDATE, GROUND)
        scope = f"scope {contrast.scope}; level {', '.join(sorted(levels))}"
        write(figure, WIDE - MARGIN, LINE, scope, ha="right", color=SOFT)
        write(figure, MARGIN, HEAD - 0.1, "ablation", weight="bold")
        title = f"gain of the full method, {interval_name(comparison.alpha)}"
        write(figure, left, HEAD - 0.1, title, weight="bold")
        write(figure, right, HEAD - 0.1, "verdict", weight="bold")
        for at, (line, (text, judged)) in enumerate(zip(lines, told, strict=True)):
            y, weight = HEAD + (at + 0.5) * ROW, "bold" if line.best else "normal"
            write(figure, MARGIN, y, names[line.label], weight=weight)
            if line.best:
                write(figure, left - GAP, y, BEST, ha="right", color=SOFT)
            write(figure, end, y, text, ha="right")
            write(figure, right, y, judged, weight=weight)
    return figure
