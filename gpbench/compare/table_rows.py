"""Reads a results table (CSV) into typed rows; every bad cell is named with its line."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gpbench.compare.table_cells import NO_SCORE, wrong_cells
from gpbench.compare.table_dialects import (
    Dialect,
    check_dialect,
    dialect_of,
    translated,
    wrong_numbers,
)
from gpbench.compare.table_header import check_header
from gpbench.compare.table_problems import Problem, refuse
from gpbench.core.errors import DataError
from gpbench.core.stage import Status

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
            raise ValueError(f"value is empty: {NO_SCORE}")
        if self.status != "ok" and self.value is not None:
            raise ValueError(
                f"a value beside status = {self.status!r}: leave it empty, or write ok where the "
                "score counts"
            )
        if self.pretrain_key is not None and self.pretrain_seed is None:
            raise ValueError("pretrain_key needs a pretrain_seed: number the pre-trainings")
        return self


REQUIRED = ("strategy", "backbone", "dataset", "seed", "value")
COLUMNS = tuple(TableRow.model_fields)


@dataclass(frozen=True)
class Table:
    """Line number -> row, and whose columns the file has; `dialect` None: ours."""

    rows: Mapping[int, TableRow]
    dialect: Dialect | None
    header: tuple[str, ...]


def read_table(path: Path) -> Table:
    """Return the rows of a UTF-8 file with commas and a header; blank lines are skipped.

    Raises:
        DataError: If the file cannot be read, or holds no row.
        ConfigError: If the header or cells are wrong: all problems of the cells together.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = tuple(name.strip() for name in next(reader, []))
            numbered = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: save the table as CSV UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} is no table with commas: {error}") from error
    if not header:
        raise DataError(f"{path} has no header in its first line: at least {','.join(REQUIRED)}")
    dialect = dialect_of(header)
    if dialect is None:
        check_header(path, header, REQUIRED, COLUMNS)
    else:
        check_dialect(path, header, dialect)
    if not numbered:
        raise DataError(f"{path} has a header and no rows")
    return Table(_rows(path, header, dict(numbered), dialect), dialect, header)


def _rows(
    path: Path, header: Sequence[str], lines: Mapping[int, list[str]], dialect: Dialect | None
) -> dict[int, TableRow]:
    """Return line number -> row.

    Raises:
        ConfigError: If cells are wrong: all problems together.
    """
    width = len(header)
    problems = [_ragged(at, len(row), width) for at, row in lines.items() if len(row) != width]
    cells = {
        number: dict(zip(header, map(str.strip, row), strict=True))
        for number, row in lines.items()
        if len(row) == width
    }
    theirs: Mapping[str, str] = {}
    if dialect is not None:
        problems += wrong_numbers(dialect, cells)
        bad = {problem.line for problem in problems}
        cells = {n: translated(dialect, row) for n, row in cells.items() if n not in bad}
        theirs = {ours: name for name, ours in dialect.names(header).items()}
    rows: dict[int, TableRow] = {}
    for number, row in cells.items():
        try:
            rows[number] = TableRow.model_validate({name: c for name, c in row.items() if c})
        except ValidationError as error:
            problems.extend(wrong_cells(number, error, theirs))
    refuse(path, problems)
    return rows


def _ragged(number: int, cells: int, columns: int) -> Problem:
    mend = (
        "a cell with a comma, as in 61,65, needs a point or quotes"
        if cells > columns
        else "an empty cell keeps its comma"
    )
    return Problem(number, f"{cells} cells where the header has {columns}", rule=mend)
