"""Published scores and claims, rows of references.csv: never ranked with own results."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any, Literal, get_args, get_type_hints

from gpbench.core.errors import DataError

FILE = "references.csv"


@dataclass(frozen=True)
class Reference:
    """One published statement; every field is a column of references.csv, and text may be empty.

    Raises:
        DataError: If a word is not one of those allowed, or bounds are missing or swapped.
    """

    kind: Literal["reference"]
    role: Literal["claim", "baseline"]
    """`claim`: of a paper that gpbench reproduces; `baseline`: a score to read it against."""
    paper: str
    claim: str
    """The statement in words."""
    method: str
    strategy: str
    """The gpbench strategy that it is about; empty: none."""
    backbone: str
    pretraining: str
    dataset: str
    """The gpbench name of the dataset; empty: none or several."""
    metric: str
    quantity: Literal["score", "gain", "statement"]
    low: float | None
    """Percent points; equal to `high` where one value is published; empty for a statement."""
    high: float | None
    protocol: str
    evidence: str
    """What the value was taken from: abstract, authors' README, third-party table, ..."""
    source: str
    url: str
    caveat: str

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for name in ("kind", "role", "quantity"):
            allowed = get_args(hints[name])
            if getattr(self, name) not in allowed:
                got = f"{name} = {getattr(self, name)!r} in '{self.claim}'"
                raise DataError(f"{FILE}: {got} is not allowed: one of {', '.join(allowed)}")
        has_value = self.low is not None and self.high is not None and self.low <= self.high
        if has_value == (self.quantity == "statement"):
            got = f"'{self.claim}' ({self.quantity}) has low = {self.low}, high = {self.high}"
            raise DataError(
                f"{FILE}: {got}; scores and gains have low <= high, statements have neither"
            )


def read_references() -> tuple[Reference, ...]:
    """Return the rows of the references.csv that ships with gpbench, in its order.

    Raises:
        DataError: If a column is missing or unknown, or a value is not allowed.
    """
    text = (files("gpbench_leaderboard") / FILE).read_text(encoding="utf-8")
    return parse_references(list(csv.DictReader(io.StringIO(text))))


def parse_references(rows: list[dict[str, str]]) -> tuple[Reference, ...]:
    """Return the rows as references; see `read_references`."""
    return tuple(_reference(row) for row in rows)


def _reference(row: dict[str, str]) -> Reference:
    columns = {field.name for field in fields(Reference)}
    if set(row) != columns:
        wrong = sorted(str(name) for name in columns ^ set(row))
        raise DataError(f"{FILE}: missing or unknown column(s): {', '.join(wrong)}")
    typed: dict[str, Any] = dict(row)
    for bound in ("low", "high"):
        typed[bound] = _number(row[bound], row["claim"])
    return Reference(**typed)


def _number(text: str, claim: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError as error:
        raise DataError(f"{FILE}: {text!r} in '{claim}' is not a number") from error
