"""Reads a results table (CSV) into typed rows; every bad cell is named with its line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gpbench.core.errors import ConfigError, DataError, UnknownNameError
from gpbench.core.stage import Status

MOST_PROBLEMS = 20
"""Shown of one file."""

Name = Annotated[str, Field(min_length=1)]
Seed = Annotated[int, Field(ge=0)]


class TableRow(BaseModel):
    """One trained model; `value` in percent points, None only where `status` is not ok."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: Name
    backbone: Name
    dataset: Name
    seed: Seed
    value: Annotated[float | None, Field(ge=0, le=100, allow_inf_nan=False)] = None
    pretrain_seed: Seed | None = None
    pretrain_key: str | None = None
    label_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    metric: str = ""
    protocol: str = ""
    status: Status = "ok"

    @model_validator(mode="after")
    def _whole(self) -> TableRow:
        if self.status == "ok" and self.value is None:
            raise ValueError(f"value is empty; a run without one has a status of {_UNFINISHED}")
        if self.pretrain_key is not None and self.pretrain_seed is None:
            raise ValueError("pretrain_key needs a pretrain_seed: number the pre-trainings")
        return self


REQUIRED = ("strategy", "backbone", "dataset", "seed", "value")
COLUMNS = tuple(TableRow.model_fields)
_UNFINISHED = ", ".join(status for status in get_args(Status) if status != "ok")


def read_rows(path: Path) -> dict[int, TableRow]:
    """Return line number -> row of a UTF-8 file with commas and a header; blank lines are skipped.

    Raises:
        DataError: If the file cannot be read, or holds no row.
        ConfigError: If the header or cells are wrong: all problems of the cells together.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            lines = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no UTF-8 table with commas: {error}") from error
    _check_header(path, header)
    if not lines:
        raise DataError(f"{path} has a header and no rows")
    rows: dict[int, TableRow] = {}
    problems: list[str] = []
    for number, cells in lines:
        try:
            rows[number] = _row(header, cells)
        except ValueError as error:  # pydantic's ValidationError is one
            problems.extend(f"line {number}: {told}" for told in _told(error))
    refuse(path, problems)
    return rows


def refuse(path: Path, problems: Sequence[str]) -> None:
    """Raise a ConfigError that shows all problems of a file, if there are any."""
    more = len(problems) - MOST_PROBLEMS
    shown = [*problems[:MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
    if shown:
        raise ConfigError.collected(str(path), shown)


def _check_header(path: Path, header: Sequence[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        optional = [name for name in COLUMNS if name not in REQUIRED]
        raise ConfigError(
            f"{path}: the header lacks {', '.join(missing)}; columns, separated by commas, are "
            f"{', '.join(REQUIRED)} and, optional, {', '.join(optional)}"
        )
    for name in header:
        if name not in COLUMNS:
            raise UnknownNameError(f"column in {path}", name, COLUMNS)
        if header.count(name) > 1:
            raise ConfigError(f"{path}: the column {name} stands twice in the header")


def _row(header: Sequence[str], cells: Sequence[str]) -> TableRow:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells, the header has {len(header)}")
    stripped = zip(header, map(str.strip, cells), strict=True)
    return TableRow.model_validate({name: cell for name, cell in stripped if cell})


def _told(error: ValueError) -> list[str]:
    """Return what is wrong with a row, in the table's words."""
    if not isinstance(error, ValidationError):
        return [str(error)]
    return [
        f"{'.'.join(map(str, e['loc']))} = {e['input']!r}: {e['msg']}"
        if e["loc"] and e["type"] != "missing"
        else f"{e['loc'][0]} is empty"
        if e["loc"]
        else str(e["ctx"]["error"])
        for e in error.errors()
    ]
