"""A forest plot: names, all scores, differences with their intervals, verdicts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpbench.compare.comparison import Comparison, Finding, Row
from gpbench.compare.verdict import interval_name
from gpbench.reports.figures.gains import AVERAGE, SINGLE, Gain, draw_gains, numbers, verdict
from gpbench.reports.figures.style import (
    BASELINE,
    CANDIDATE,
    GAP,
    GROUND,
    INK,
    LINE,
    MARGIN,
    RULE,
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
from gpbench.reports.wording import NOTHING

ROW = 0.18
HEAD, FOOT = 0.44, 0.4
"""Room above the panels for their titles, and below for the axes."""
LEAST_NAME, MOST_NAME = 0.8, 1.9
"""Widths of the names' column."""
SPREAD = (0.08, 0.38)
"""How far an arm's markers are from the middle of the line, in lines: none hides another."""


@dataclass(frozen=True)
class Line:
    """A line of the figure: a contrast with its average, or one of its datasets."""

    label: str
    note: str = ""
    finding: Finding | None = None
    row: Row | None = None


def gains_of(lines: Sequence[Line]) -> list[Gain]:
    """Return what the right panel shows."""
    return [
        Gain(at, line.finding, average=line.row is None)
        for at, line in enumerate(lines)
        if line.finding is not None
    ]


@dataclass(frozen=True)
class _Columns:
    """Where each column begins; scores and gains are panels of that width."""

    scores: float
    scores_width: float
    gains: float
    gains_width: float
    numbers_end: float
    verdicts: float


def draw(comparison: Comparison, lines: Sequence[Line], scope: str) -> Any:
    """Return the figure; it is as high as it has lines."""
    with styled():
        gains = gains_of(lines)
        levels = {gain.finding.level for gain in gains}
        told = {
            gain.at: (
                numbers(gain.finding) or NOTHING,
                verdict(comparison, gain.finding, levels),
            )
            for gain in gains
        }
        columns = _columns(lines, list(told.values()))
        height = len(lines) * ROW
        figure = sheet(WIDE, HEAD + height + FOOT)
        scores = panel(figure, columns.scores, HEAD, columns.scores_width, height)
        differences = panel(figure, columns.gains, HEAD, columns.gains_width, height)
        for axes in (scores, differences):
            _set_up(axes, lines)
        _draw_scores(scores, lines)
        draw_gains(differences, gains, comparison.margin)
        scores.set_xlabel(fit(f"{comparison.metric}, percent points", columns.scores_width))
        differences.set_xlabel("percent points")
        _draw_head(figure, comparison, columns, scope)
        _draw_names(figure, lines, columns)
        for at, (text, words) in told.items():
            y, weight = HEAD + (at + 0.5) * ROW, _weight(lines[at])
            write(figure, columns.numbers_end, y, text, ha="right")
            write(figure, columns.verdicts, y, words, weight=weight)
    return figure


def _columns(lines: Sequence[Line], told: Sequence[tuple[str, str]]) -> _Columns:
    widest = max((text_width(clean(line.label)) for line in lines if line.row), default=0.0)
    label = min(MOST_NAME, max(LEAST_NAME, widest + GAP))
    texts = max((text_width(text) for text, _ in told), default=0.0)
    words = max((text_width(text, weight="bold") for _, text in told), default=0.0)
    left, right = MARGIN + label + GAP, WIDE - MARGIN - words
    room = right - left - texts - 5 * GAP
    scores, gains = 0.46 * room, 0.54 * room
    end = right - 1.5 * GAP
    return _Columns(left, scores, left + scores + 2 * GAP, gains, end, right)


def _weight(line: Line) -> str:
    return "normal" if line.row else "bold"


def _set_up(axes: Any, lines: Sequence[Line]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(4))  # long numbers have room
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_position(("outward", 3))  # the last line's markers stay free of it
    axes.margins(x=0.06)
    for at, line in enumerate(lines):
        if line.row is None and at:
            axes.axhline(at - 0.5, color=RULE, linewidth=0.5, zorder=0)


def _draw_head(figure: Any, comparison: Comparison, columns: _Columns, scope: str) -> None:
    x = key(figure, MARGIN, LINE, "candidate", "o", CANDIDATE)
    x = key(figure, x, LINE, "baseline", "o", BASELINE, GROUND)
    x = key(figure, x, LINE, "average over datasets", AVERAGE, CANDIDATE)
    x = key(figure, x, LINE, "one dataset", SINGLE, CANDIDATE)
    key(figure, x, LINE, "not decided", SINGLE, CANDIDATE, GROUND)
    write(figure, WIDE - MARGIN, LINE, scope, ha="right", color=SOFT)
    y = HEAD - 0.1
    write(figure, columns.scores, y, "every score", weight="bold")
    title = f"difference, {interval_name(comparison.alpha)}"
    write(figure, columns.gains, y, title, weight="bold")
    write(figure, columns.verdicts, y, "verdict", weight="bold")


def _draw_names(figure: Any, lines: Sequence[Line], columns: _Columns) -> None:
    """Write the names; a contrast's goes on over the empty part of the left panel."""
    end = columns.scores + columns.scores_width
    heads = fit_all([line.label for line in lines if not line.row], end - MARGIN, "bold")
    names = fit_all([line.label for line in lines if line.row], columns.scores - MARGIN - 2 * GAP)
    for at, line in enumerate(lines):
        y = HEAD + (at + 0.5) * ROW
        if line.row:
            write(figure, MARGIN + GAP, y, names[line.label])
        else:
            head = heads[line.label]
            write(figure, MARGIN, y, head, weight="bold")
            used = text_width(head, weight="bold") + text_width(line.note)
            if MARGIN + used + GAP < end:  # else the caption tells it
                write(figure, end, y, line.note, ha="right", color=SOFT)


def _draw_scores(axes: Any, lines: Sequence[Line]) -> None:
    if not any(line.row for line in lines):
        axes.set_xticks([])
    for at, line in enumerate(lines):
        if line.row is None:
            continue
        _draw_arm(axes, line.row.candidate, line.row.candidate_mean, at, above=True)
        _draw_arm(axes, line.row.baseline, line.row.baseline_mean, at, above=False)


def _draw_arm(axes: Any, values: Sequence[float], mean: float, at: int, *, above: bool) -> None:
    """Draw a marker per value, spread over the arm's half of the line, and their mean."""
    near, far = (-each if above else each for each in SPREAD)
    steps = max(len(values) - 1, 1)
    places = [at + near + (far - near) * (i / steps) for i in range(len(values))]
    if len(values) == 1:
        places = [at + (near + far) / 2]
    else:
        ends = [at + near / 2, at + far * 1.15]
        axes.plot([mean] * 2, ends, color=INK, linewidth=0.9, zorder=1)
    axes.plot(
        values,
        places,
        "o",
        color=CANDIDATE if above else BASELINE,
        markersize=3.0,
        clip_on=False,
        markerfacecolor=CANDIDATE if above else GROUND,
        markeredgecolor=GROUND if above else BASELINE,
        markeredgewidth=0.3 if above else 0.7,
        gid=f"{'candidate' if above else 'baseline'}-{at}",
    )
