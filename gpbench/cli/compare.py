"""`gpbench compare`: tests strategies against a baseline on stored results or on any table."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from gpbench.cli.options import (
    Db,
    Debug,
    ExperimentName,
    NoColor,
    Verbose,
    Workdir,
    database_url,
    workdir_path,
)
from gpbench.core.errors import ConfigError, InvalidValueError

if TYPE_CHECKING:
    from gpbench.compare.comparison import Comparison, Request
    from gpbench.compare.study import Study

app = typer.Typer()

NOT_MET = 4
"""Exit code of `--require`."""


class LevelName(enum.StrEnum):
    strategy = "strategy"
    checkpoint = "checkpoint"


class CorrectionName(enum.StrEnum):
    holm = "holm"
    max_t = "max-t"
    bh = "bh"
    none = "none"


class ReportFormat(enum.StrEnum):
    table = "table"
    json = "json"
    csv = "csv"
    md = "md"
    html = "html"
    latex = "latex"


class Requirement(enum.StrEnum):
    better = "better"


@app.command()
def compare(
    arms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ARM]...",
            help="Candidates, as run named them; commas and globs work. [all but the baseline]",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="The arm to compare with. [imagenet]", show_default=False),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="mIoU or mF1, for all datasets. [mIoU]", show_default=False),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Only datasets scored by this protocol. [all]", show_default=False),
    ] = None,
    level: Annotated[
        LevelName | None,
        typer.Option(
            help="Whether the claim is about strategies or about these pre-trained models. "
            "[strategy, where the design reaches it]",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="PP",
            help="Smaller differences do not matter, in percent points; without it nothing is "
            "called equivalent.",
            show_default=False,
        ),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Chance of a false claim.")] = 0.05,
    correction: Annotated[
        CorrectionName, typer.Option(help="How p-values are adjusted for several tests.")
    ] = CorrectionName.holm,
    experiment: ExperimentName = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Compare this table instead: strategy, backbone, dataset, seed, value; optional "
            "pretrain_seed, pretrain_key, label_fraction, metric, protocol, status.",
            show_default=False,
        ),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="(Not there yet.)", hidden=True)] = False,
    plots: Annotated[Path | None, typer.Option(help="(Not there yet.)", hidden=True)] = None,
    rng_seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed of all resampling. [from the data's hash]", show_default=False
        ),
    ] = None,
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="csv: the raw values.")
    ] = ReportFormat.table,
    output: Annotated[
        Path | None,
        typer.Option(help="Write the report here, not to stdout.", show_default=False),
    ] = None,
    require: Annotated[
        Requirement | None,
        typer.Option(
            help="Exit with 4 unless this is the verdict of every candidate.", show_default=False
        ),
    ] = None,
    workdir: Workdir = None,
    db: Db = None,
    verbose: Verbose = 0,  # noqa: ARG001  its callback acts
    debug: Debug = False,  # noqa: ARG001  read by main
    no_color: NoColor = False,  # noqa: ARG001  its callback acts
) -> None:
    """Test strategies against a baseline on stored results, or on a table of any tool."""
    _refuse_later(plan, plots, correction, format_)
    from gpbench.compare.comparison import Request

    if table is not None:
        _refuse_beside_table(experiment, db, workdir)
        from gpbench.compare.table import table_study

        study = table_study(table, metric, protocol)
    else:
        study = _stored(db, workdir, experiment, metric, protocol)
    from gpbench.compare.compare import compare as compared

    comparison = compared(
        study,
        Request(
            candidates=_candidates(arms or [], study),
            baseline=baseline,
            level=None if level is None else level.value,
            margin=margin,
            alpha=alpha,
            correction=correction.value,
            rng_seed=rng_seed,
        ),
    )
    _hand_out(comparison, format_, output)
    if require is not None and not _met(comparison, require.value, level):
        raise typer.Exit(NOT_MET)
