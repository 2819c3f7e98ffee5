"""The header of a results table: its columns, and what to do where they are others. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gpbench.core.dataset import METRICS
from gpbench.core.errors import ConfigError

SYNONYMS: Mapping[str, str] = {
    "arm": "strategy",
    "method": "strategy",
    "architecture": "backbone",
    "encoder": "backbone",
    "model": "backbone",
    "data": "dataset",
    "finetune_seed": "seed",
    "run": "seed",
    "pretrain": "pretrain_seed",
    "score": "value",
    "iou": "value",
    "f1": "value",
    **{metric.lower(): "value" for metric in METRICS},
}
"""What other tools call our columns, in small letters."""

MENDS: Mapping[str, str] = {
    "backbone": "one name for all rows will do",
    "dataset": "one name for all rows will do",
    "seed": "number the fine-tunings of a pre-training, or the runs without one: 0, 1, ...",
}
"""What to write in a column that a table lacks."""

SEPARATORS: Mapping[str, str] = {";": "semicolons", "\t": "tabs", "|": "bars"}


def check_header(
    path: Path, header: Sequence[str], required: Sequence[str], columns: Sequence[str]
) -> None:
    """Check the names of a table's first line.

    Raises:
        ConfigError: If one is missing, unknown or there twice, or commas do not separate them: with
            all that is to be changed.
    """
    known = f"columns are {', '.join(required)} and, optional, " + ", ".join(
        name for name in columns if name not in required
    )
    whole = ",".join(header)
    for separator, called in SEPARATORS.items():
        if separator in whole and not set(required) <= set(header):
            raise ConfigError(
                f"{path}: the header is separated by {called}: save the table with commas between "
                f"cells and with decimal points; {known}"
            )
    told = [*_renames(header, columns), *_missing(header, required, columns), *_twice(header)]
    if told:
        raise ConfigError(f"{path}: the header is not as expected: {'; '.join(told)}; {known}")


def _guesses(header: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Return unknown name -> the column that it seems to be, where that is not there already."""
    free = [name for name in columns if name not in header]
    guesses: dict[str, str] = {}
    for name in header:
        small = "_".join(name.lower().replace("-", " ").split())
        guess = small if small in columns else SYNONYMS.get(small)
        near = [guess] if guess else difflib.get_close_matches(small, free, n=1, cutoff=0.7)
        if name not in columns and near and near[0] in free:
            guesses[name] = near[0]
    return guesses


def _renames(header: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Return what is to be done with unknown names."""
    guesses = _guesses(header, columns)
    found: dict[str, list[str]] = {}
    for name, column in guesses.items():
        found.setdefault(column, []).append(name)
    told = [f"{' or '.join(names)} to {column}" for column, names in found.items()]
    unknown = [
        name or "the one without a name"
        for name in header
        if name not in columns and name not in guesses
    ]
    return [
        *([f"rename {', '.join(told)}"] if told else []),
        *([f"leave out {', '.join(unknown)}, which no column is called"] if unknown else []),
    ]


def _missing(header: Sequence[str], required: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Return which columns are to be added."""
    there = {*header, *_guesses(header, columns).values()}
    told = [
        f"{name} ({MENDS[name]})" if name in MENDS else name
        for name in required
        if name not in there
    ]
    return [f"add {', '.join(told)}"] if told else []


def _twice(header: Sequence[str]) -> list[str]:
    """Return which names are to be there once."""
    return [f"{name} is there twice" for name in dict.fromkeys(header) if header.count(name) > 1]
