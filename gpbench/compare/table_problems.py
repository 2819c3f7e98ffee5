"""What is wrong with lines of a results table; equal problems are told once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gpbench.core.errors import ConfigError

MOST_SPANS = 10
"""Spans of lines shown of one problem."""


@dataclass(frozen=True)
class Problem:
    """Something wrong on a line: `what` and `cell` say what stands there, `rule` what should.

    Problems of equal `what` and `rule` are told together, whatever stands in the cells.
    """

    line: int
    what: str
    cell: str = ""
    rule: str = ""


def refuse(path: Path, problems: Iterable[Problem]) -> None:
    """Raise a ConfigError that shows all problems of a file, if there are any."""
    alike: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        alike.setdefault((problem.what, problem.rule), []).append(problem)
    if alike:
        raise ConfigError.collected(str(path), [_told(group) for group in alike.values()])


def _told(alike: Sequence[Problem]) -> str:
    """Return one sentence for problems that are alike, with the first one's cell as an example."""
    first, others = alike[0], len({each.cell for each in alike}) - 1
    more = f" and {others} other{'s' if others > 1 else ''}" if others else ""
    found = " ".join(filter(None, [first.what, first.cell])) + more
    return ": ".join(filter(None, [_lines([each.line for each in alike]), found, first.rule]))


def _lines(numbers: Iterable[int]) -> str:
    """Return for example `line 3` or `lines 2-5, 9`."""
    ordered = sorted(set(numbers))
    if len(ordered) == 1:
        return f"line {ordered[0]}"
    begins = [ordered[0], *(b for a, b in pairwise(ordered) if b - a > 1)]
    ends = [*(a for a, b in pairwise(ordered) if b - a > 1), ordered[-1]]
    spans = [str(a) if a == b else f"{a}-{b}" for a, b in zip(begins, ends, strict=True)]
    more = f" and more, {len(ordered)} in all" if len(spans) > MOST_SPANS else ""
    return f"lines {', '.join(spans[:MOST_SPANS])}{more}"
