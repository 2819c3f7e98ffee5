"""All differences of a comparison with their intervals, beside every replicate. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

from gpbench.compare.comparison import Comparison, Contrast, Finding, Row
from gpbench.compare.verdict import interval_name
from gpbench.compare.words import Level
from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.style import (
    BAND,
    BASELINE,
    CANDIDATE,
    GAP,
    GROUND,
    INK,
    MARGIN,
    RULE,
    SOFT,
    WIDE,
    clean,
    fit,
    panel,
    sheet,
    styled,
    text_width,
    write,
)
from gpbench.reports.sheets import name
from gpbench.reports.summary import LEVELS, SCOPES
from gpbench.reports.wording import NOTHING, points, span, verdict_words, versus

MOST_LINES = 60
"""Of a figure: what a page holds."""
LABEL = 1.4
"""Width of the names."""
ROW = 0.175
HEAD, FOOT = 0.42, 0.36
"""Room above the panels for their titles, and below for the axes."""
SHIFT = 0.17
"""Of an arm's markers from the middle of the line, in lines."""
LONGEST = 3.0
"""Intervals longer than this many median ones are cut, unless the differences reach as far."""


@dataclass(frozen=True)
class Line:
    """A line of the figure: a contrast with its average, or one of its datasets."""

    label: str
    note: str = ""
    finding: Finding | None = None
    row: Row | None = None

    @property
    def head(self) -> bool:
        return self.row is None


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
            partial(_draw, comparison, lines),
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
    note = "" if seeds == (0, 0) else f"{versus(seeds)} pre-trainings"
    single = len(contrast.rows) == 1  # its own average: the headline speaks of it
    yield Line(label, note, None if single else contrast.finding)
    for row in contrast.rows:
        yield Line(row.dataset.name, "", contrast.finding if single else row.finding, row)


# --- words ---


def _caption(
    comparison: Comparison, contrasts: Sequence[Contrast], lines: Sequence[Line]
) -> Iterator[str]:
    yield (
        f"Left: the score of every fine-tuning ({clean(comparison.metric)}, percent points), "
        "candidate filled and above, baseline hollow and below; bars are means."
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
    if any(each.finding and each.finding.ci is None for each in lines):
        yield "Without a line no interval could be computed."
    limits = _limits(comparison, lines)
    if any(_cut(each.finding, limits) != (False, False) for each in lines):
        yield "Arrowheads: the interval goes on, to the numbers beside it."
    yield "n (candidate v baseline):"
    yield f"{'; '.join(_count(comparison, each) for each in contrasts)}."
    levels = {line.finding.level for line in lines if line.finding}
    yield from (sentence for level, sentence in LEVELS.items() if level in levels)
    scopes = {contrast.scope for contrast in contrasts}
    yield from (sentence for scope, sentence in SCOPES.items() if scope in scopes)


def _count(comparison: Comparison, contrast: Contrast) -> str:
    return (
        f"{clean(name(comparison, contrast))} {versus(contrast.finetunings)} fine-tunings of "
        f"{versus(contrast.pretrainings)} pre-trainings on {len(contrast.rows)} dataset"
        f"{'' if len(contrast.rows) == 1 else 's'}"
    )


def _alt(comparison: Comparison, contrasts: Sequence[Contrast]) -> Iterator[str]:
    for contrast in contrasts:
        words = verdict_words(contrast.finding, comparison.margin)
        told = f"{clean(name(comparison, contrast))} against {clean(contrast.baseline)}: {words}"
        yield f"{told}{_numbers(contrast.finding, ', ')}."


def _numbers(finding: Finding, before: str = "") -> str:
    """Return the difference with its interval, nothing where there is none."""
    if finding.difference is None:
        return ""
    told = f"{before}{points(finding.difference)}"
    return told if finding.ci is None else f"{told} {span(finding.ci)}"


def _verdict(comparison: Comparison, finding: Finding, levels: set[Level]) -> str:
    """Return the words; the level is in the title where it is one for all."""
    told = replace(finding, level="strategy") if len(levels) == 1 else finding
    return verdict_words(told, comparison.margin)


# --- the drawing ---


def _draw(comparison: Comparison, lines: Sequence[Line]) -> Any:
    with styled():
        levels = {line.finding.level for line in lines if line.finding}
        told = [
            (_numbers(f) or NOTHING, _verdict(comparison, f, levels)) if f else ("", "")
            for f in (line.finding for line in lines)
        ]
        numbers = max(text_width(text) for text, _ in told)
        level = f"level {levels.pop()}" if len(levels) == 1 else ""
        words = max(text_width(text, weight="bold") for text in (level, *(t for _, t in told)))
        room = WIDE - 2 * MARGIN - LABEL - numbers - words - 5 * GAP
        left, right = MARGIN + LABEL + GAP, WIDE - MARGIN - words
        height = len(lines) * ROW
        figure = sheet(WIDE, HEAD + height + FOOT)
        scores = panel(figure, left, HEAD, 0.47 * room, height)
        gains = panel(figure, left + 0.47 * room + 1.5 * GAP, HEAD, 0.53 * room, height)
        _set_up(scores, lines)
        _set_up(gains, lines)
        _draw_scores(scores, lines)
        _draw_gains(gains, comparison, lines)
        scores.set_xlabel(f"{fit(comparison.metric, room / 5)}, percent points")
        gains.set_xlabel("percent points")
        _titles(figure, scores, "every score")
        _titles(figure, gains, f"difference, {interval_name(comparison.alpha)}")
        write(figure, right, HEAD - 0.12, level, color=SOFT)
        _legend(figure)
        for at, (line, (text, verdict)) in enumerate(zip(lines, told, strict=True)):
            y, weight = HEAD + (at + 0.5) * ROW, "bold" if line.head else "normal"
            _label(figure, line, y, left + 0.47 * room)
            write(figure, right - 1.5 * GAP, y, text, ha="right")
            write(figure, right, y, verdict, weight=weight)
    return figure


def _set_up(axes: Any, lines: Sequence[Line]) -> None:
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for at, line in enumerate(lines):
        if line.head and at:
            axes.axhline(at - 0.5, color=RULE, linewidth=0.5, zorder=0)
    axes.margins(x=0.06)


def _titles(figure: Any, axes: Any, text: str) -> None:
    place = axes.get_position()
    width, _ = figure.get_size_inches()
    write(figure, place.x0 * width, HEAD - 0.12, text, weight="bold")


def _label(figure: Any, line: Line, y: float, end: float) -> None:
    """Write a line's name; a contrast's goes on over the empty part of the left panel."""
    if not line.head:
        write(figure, MARGIN + GAP, y, fit(line.label, LABEL - GAP))
        return
    note = text_width(line.note)
    write(
        figure, MARGIN, y, fit(line.label, end - MARGIN - note - GAP, weight="bold"), weight="bold"
    )
    write(figure, end, y, line.note, ha="right", color=SOFT)


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    x, y = MARGIN, 0.12
    for text, face, colour in (
        ("candidate", CANDIDATE, CANDIDATE),
        ("baseline", GROUND, BASELINE),
    ):
        marker = Line2D(
            [(x + 0.04) / width],
            [1 - y / height],
            marker="o",
            markersize=3.6,
            markerfacecolor=face,
            markeredgecolor=colour,
            markeredgewidth=0.8,
            transform=figure.transFigure,
        )
        figure.add_artist(marker)
        write(figure, x + 0.12, y, text)
        x += 0.12 + text_width(text) + 1.5 * GAP


def _draw_scores(axes: Any, lines: Sequence[Line]) -> None:
    for at, line in enumerate(lines):
        if line.row is None:
            continue
        for values, mean, y, face, colour, arm in (
            (line.row.baseline, line.row.baseline_mean, at + SHIFT, "none", BASELINE, "baseline"),
            (
                line.row.candidate,
                line.row.candidate_mean,
                at - SHIFT,
                CANDIDATE,
                CANDIDATE,
                "candidate",
            ),
        ):
            axes.plot(
                values,
                [y] * len(values),
                "o",
                markersize=3.2,
                markerfacecolor=face,
                markeredgecolor=colour,
                markeredgewidth=0.7,
                gid=f"{arm}-{at}",
            )
            axes.plot([mean] * 2, [y - SHIFT, y + SHIFT], color=INK, linewidth=0.9)


def _draw_gains(axes: Any, comparison: Comparison, lines: Sequence[Line]) -> None:
    low, high = _limits(comparison, lines)
    if comparison.margin is not None:
        axes.axvspan(-comparison.margin, comparison.margin, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=SOFT, linewidth=0.7, zorder=1)
    for at, line in enumerate(lines):
        finding = line.finding
        if finding is None or finding.difference is None:
            continue
        if finding.ci is not None:
            ends = max(finding.ci[0], low), min(finding.ci[1], high)
            for end, cut, arrow in zip(ends, _cut(finding, (low, high)), "<>", strict=True):
                axes.plot([end], [at], arrow if cut else "|", color=INK, markersize=4)
            axes.plot(ends, [at] * 2, color=INK, linewidth=1.4 if line.head else 0.9)
        decided = finding.verdict not in ("inconclusive", "undecidable")
        axes.plot(
            [finding.difference],
            [at],
            "D" if line.head else "s",
            markersize=4.6 if line.head else 3.6,
            markerfacecolor=CANDIDATE if decided else GROUND,
            markeredgecolor=CANDIDATE,
            markeredgewidth=0.9,
            zorder=4,
        )
    axes.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))


def _limits(comparison: Comparison, lines: Sequence[Line]) -> tuple[float, float]:
    """Return what the right panel shows: all differences, 0, the margin, all common intervals."""
    margin = comparison.margin or 0.0
    found = [line.finding for line in lines if line.finding]
    shown = [f.difference for f in found if f.difference is not None] + [0.0, -margin, margin]
    low, high = min(shown), max(shown)
    spans = [f.ci for f in found if f.ci is not None]
    if spans:
        halves = [(upper - lower) / 2 for lower, upper in spans]
        reach = max(LONGEST * median(halves), high - low)
        low = max(low - reach, min(low, *(lower for lower, _ in spans)))
        high = min(high + reach, max(high, *(upper for _, upper in spans)))
    return (low, high) if high > low else (-1.0, 1.0)


def _cut(finding: Finding | None, limits: tuple[float, float]) -> tuple[bool, bool]:
    """Return whether an interval goes on below and above what is shown."""
    if finding is None or finding.ci is None:
        return False, False
    return finding.ci[0] < limits[0], finding.ci[1] > limits[1]
