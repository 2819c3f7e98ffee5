"""Reads a results table (CSV) into typed rows; every bad cell is named with its line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gpbench.compare.table_cells import NO_SCORE, wrong_cells
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
        if self.pretrain_key is not None and self.pretrain_seed is None:
            raise ValueError("pretrain_key needs a pretrain_seed: number the pre-trainings")
        return self


REQUIRED = ("strategy", "backbone", "dataset", "seed", "value")
COLUMNS = tuple(TableRow.model_fields)


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
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: save the table as CSV UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} is no table with commas: {error}") from error
    if not header:
        raise DataError(f"{path} has no header in its first line: at least {','.join(REQUIRED)}")
    check_header(path, header, REQUIRED, COLUMNS)
    if not lines:
        raise DataError(f"{path} has a header and no rows")
    rows: dict[int, TableRow] = {}
    problems: list[Problem] = []
    for number, cells in lines:
        if len(cells) != len(header):
            problems.append(_ragged(number, len(cells), len(header)))
            continue
        stripped = zip(header, map(str.strip, cells), strict=True)
        try:
            rows[number] = TableRow.model_validate({name: cell for name, cell in stripped if cell})
        except ValidationError as error:
            problems.extend(wrong_cells(number, error))
    refuse(path, problems)
    return rows


def _ragged(number: int, cells: int, columns: int) -> Problem:
    mend = (
        "a cell with a comma, as in 61,65, needs a point or quotes"
        if cells > columns
        else "an empty cell keeps its comma"
    )
    return Problem(number, f"{cells} cells where the header has {columns}", rule=mend)
