"""The flags that several commands share, each defined once; where workdir and database lie."""

from __future__ import annotations

import enum
import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from gpbench.cli.choices import listed, word
from gpbench.core.errors import InvalidValueError

DEMO = Path("gpbench-demo")
"""Where `gpbench demo` works unless told otherwise."""


class DataFormat(enum.StrEnum):
    """How a command prints its data on stdout."""

    table = "table"
    json = "json"


Workdir = Annotated[
    Path | None,
    typer.Option(
        help="Where stages, prepared data and the database lie. "
        "[GPBENCH_WORKDIR, else ./gpbench-work]",
        show_default=False,
    ),
]
Db = Annotated[
    str | None,
    typer.Option(
        help="Database file or SQLAlchemy URL. Default: GPBENCH_DB, else WORKDIR/gpbench.sqlite.",
        show_default=False,
    ),
]
Format = Annotated[
    DataFormat,
    typer.Option(
        "--format",
        parser=word(DataFormat),
        metavar=listed(DataFormat),
        help="How data are printed on stdout.",
    ),
]
ExperimentName = Annotated[
    str | None,
    typer.Option(
        "--experiment",
        help="Which experiment. Default: the only or the last one.",
        show_default=False,
    ),
]


def _verbosity(level: int) -> int:
    logging.basicConfig(
        level=logging.DEBUG if level > 1 else logging.INFO if level else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )
    return level


def _without_colour(value: bool) -> bool:
    if value:
        os.environ["NO_COLOR"] = "1"
    return value


Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        callback=_verbosity,
        help="More details and log; twice for all.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
NoColor = Annotated[
    bool, typer.Option("--no-color", callback=_without_colour, help="Plain output.")
]


def workdir_path(flag: Path | None) -> Path:
    """Return the working directory: flag, else GPBENCH_WORKDIR, else ./gpbench-work."""
    return flag or Path(os.environ.get("GPBENCH_WORKDIR") or "gpbench-work")


def database_url(flag: str | None, workdir: Path) -> str:
    """Return the database as an SQLAlchemy URL: flag, else GPBENCH_DB, else a file in `workdir`.

    Raises:
        InvalidValueError: If the text is a folder.
    """
    text = flag or os.environ.get("GPBENCH_DB")
    if text and "://" in text:
        return text
    path = Path(text) if text else workdir / "gpbench.sqlite"
    if path.is_dir():
        raise InvalidValueError(
            "--db", str(path), "a database file or an SQLAlchemy URL, not a folder"
        )
    return f"sqlite:///{path.resolve()}"
