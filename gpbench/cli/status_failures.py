"""What failed, in words: each cause once, with its stages and where their logs lie."""

from __future__ import annotations

from collections import defaultdict
from textwrap import wrap
from typing import TYPE_CHECKING

from gpbench.cli.output import number
from gpbench.execution.view import stage_label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpbench.store import FailedStage

MOST = 5
"""Stages of one cause that are named, where not all are asked for."""


def failure_lines(failed: Iterable[FailedStage], width: int, *, every: bool) -> list[str]:
    """Return lines of text: a cause, its stages below it, and below a stage its log if it has one.

    Args:
        failed: The stages that failed.
        width: Characters after which a line folds; longer words, such as paths, stay whole.
        every: Whether to name all stages of a cause, and not the first few only.
    """
    by_cause: defaultdict[str, list[FailedStage]] = defaultdict(list)
    for stage in failed:
        by_cause[stage.error or "no reason is known"].append(stage)
    lines: list[str] = []
    for cause, stages in sorted(by_cause.items(), key=lambda each: -len(each[1])):
        lines += _folded(f"failed, {number(len(stages), 'stage')}: {cause}", width, 0)
        shown = stages if every else stages[:MOST]
        for stage in shown:
            lines += _folded(stage_label(stage.item), width, 2)
            lines += [f"    log: {stage.log}"] if stage.log else []
        if len(shown) < len(stages):
            lines.append(f"  and {len(stages) - len(shown)} more: `gpbench status -v` names all")
    return lines


def _folded(text: str, width: int, indent: int) -> list[str]:
    """Return a text in lines, all but the first of which stand further to the right."""
    return wrap(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 4),
        break_long_words=False,
        break_on_hyphens=False,
    )
