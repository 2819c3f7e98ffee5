"""What is wrong with the cells of one row of a results table, in words of the table. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import ValidationError

from gpbench.compare.table_problems import Problem
from gpbench.core.stage import Status

UNFINISHED = ", ".join(status for status in get_args(Status) if status != "ok")
NO_SCORE = (
    f"a run without a score has an empty value and, in the column status, one of {UNFINISHED}"
)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")

_ALLOWED = {
    "value": "percent points are 0 to 100",
    "label_fraction": "a fraction of the labels, more than 0 and at most 1: 0.1 is 10 %",
    "seed": "a whole number from 0 on",
    "pretrain_seed": "a whole number from 0 on",
}
"""What a column of numbers takes."""


def wrong_cells(line: int, error: ValidationError, names: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what a row's validation found.

    Args:
        line: Of the row.
        error: Of its validation.
        names: Our column -> what the table calls it, where that is something else.
    """
    for each in error.errors(include_url=False):
        if not each["loc"]:
            yield Problem(line, str(each["ctx"]["error"]))
            continue
        column = str(each["loc"][0])
        if each["type"] == "missing":
            rule = _ALLOWED.get(column, "give a name")
            yield Problem(line, f"{names.get(column, column)} is empty", rule=rule)
            continue
        text = str(each["input"])
        told = f"{names.get(column, column)} ="
        yield Problem(line, told, repr(text), _rule(column, text, each["type"]))


def _rule(column: str, text: str, kind: str) -> str:
    """Return what to write in place of a text that a column does not take."""
    if column == "status":
        return f"ok for a run with a score, else one of {UNFINISHED}"
    if text.endswith("%"):
        return f"write the number without a percent sign; {_ALLOWED[column]}"
    if _DECIMAL_COMMA.fullmatch(text):
        return "a decimal comma: write a point"
    if column == "value" and kind in ("float_parsing", "finite_number"):
        return f"no number; {NO_SCORE}"
    return _ALLOWED[column]
