"""`gpbench compare`: tests strategies against a baseline on stored results or on any table."""

from __future__ import annotations

import enum
import gc
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpbench.cli import compare_options as options
from gpbench.cli.choices import listed, word
from gpbench.cli.compare_arms import named
from gpbench.cli.compare_require import unmet
from gpbench.cli.compared import compared_study, write_report
from gpbench.cli.options import Db, Debug, ExperimentName, NoColor, Verbose, Workdir
from gpbench.cli.output import stderr, stdout
from gpbench.cli.session import place_of
from gpbench.core.errors import ConfigError

if TYPE_CHECKING:
    from gpbench.compare.comparison import Comparison

app = typer.Typer()

NOT_MET = 4
"""Exit code of `--require`."""


class ReportFormat(enum.StrEnum):
    table = "table"
    json = "json"
    csv = "csv"
    md = "md"
    html = "html"
    latex = "latex"
    geobench2 = "geobench2"
    evaluma = "evaluma"


class Requirement(enum.StrEnum):
    better = "better"


@app.command()
def compare(
    arms: options.Arms = None,
    baseline: options.Baseline = None,
    metric: options.MetricName = None,
    protocol: options.Protocol = None,
    level: options.Level = None,
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
    correction: options.Correction = None,
    experiment: ExperimentName = None,
    table: options.Table = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Show how many pre-trainings or datasets would be enough."),
    ] = False,
    ablation: Annotated[
        str | None,
        typer.Option(
            metavar="ARM",
            help="What each ingredient of ARM adds: ARM against its ablations, the same strategies "
            "with other parameters (or the ARMs given), and against the best of them.",
            show_default=False,
        ),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the figures there too, as SVG and PNG.", show_default=False
        ),
    ] = None,
    rng_seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Seed of all resampling. Default: from the data's hash.",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[
        ReportFormat,
        typer.Option(
            "--format",
            parser=word(ReportFormat),
            metavar=listed(ReportFormat),
            help="csv: the raw values; geobench2, evaluma: for these tools.",
        ),
    ] = ReportFormat.table,
    output: options.Output = None,
    require: Annotated[
        Requirement | None,
        typer.Option(
            parser=word(Requirement),
            metavar=listed(Requirement),
            help="Exit with 4, and say why, unless this is the verdict of every candidate and "
            "not fragile.",
            show_default=False,
        ),
    ] = None,
    workdir: Workdir = None,
    db: Db = None,
    verbose: Verbose = 0,
    debug: Debug = False,
    no_color: NoColor = False,
) -> None:
    """Test strategies against a baseline on stored results, or on a table of any tool.

    -v shows every number; docs/statistics.md says what each means and when to believe it.
    """
    os.environ.setdefault(*options.ONE_THREAD)  # before numpy is loaded
    from gpbench.compare.compare import compare as compared
    from gpbench.compare.comparison import Request

    if ablation is not None and baseline is not None:
        raise ConfigError(
            "--ablation and --baseline exclude each other: ablations are the baseline"
        )
    place = place_of(workdir, db)
    with (
        _without_collector(),
        compared_study(place, experiment, table, metric, protocol) as (study, counts),
    ):
        comparison = compared(
            study,
            Request(
                **named(arms or [], baseline, ablation, study.arms),
                level=None if level is None else level.value,
                margin=margin,
                alpha=alpha,
                correction=None if correction is None else correction.value,
                rng_seed=rng_seed,
            ),
            counts,
        )
    if plots is not None:
        from gpbench.reports.figures import write_plots

        drawn = write_plots(comparison, plots)
        others = {path for path in plots.iterdir() if path.suffix in (".svg", ".png")} - {*drawn}
        older = f"; {len(others)} more pictures there are not of this comparison" if others else ""
        told = f"{len(drawn)} files of figures are in {plots}{older}"
        stderr().print(told, markup=False, highlight=False, soft_wrap=True)
    _hand_out(comparison, format_, output, detailed=verbose > 0, needed=plan)
    if require is not None:
        missed = unmet(comparison, require.value, None if level is None else level.value)
        if missed is not None:
            typer.echo(f"gpbench: {missed}", err=True)
            raise typer.Exit(NOT_MET)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Let nothing search for cycles while 100,000 runs are made, which have none: a quarter less.

    What was off before stays off.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _hand_out(
    comparison: Comparison,
    format_: ReportFormat,
    output: Path | None,
    *,
    detailed: bool,
    needed: bool,
) -> None:
    """Print the report, or write it whole."""
    if output is None and format_ is ReportFormat.table:
        from gpbench.reports.terminal import print_comparison

        print_comparison(comparison, stdout(), detailed=detailed, needed=needed)
        return
    if format_ is ReportFormat.table:
        from gpbench.reports.terminal import comparison_text

        text = comparison_text(comparison, detailed=detailed, needed=needed)
    else:
        text = _text(comparison, format_)
    if output is None:
        typer.echo(text, nl=False)
        return
    write_report(text, output)


def _text(comparison: Comparison, format_: ReportFormat) -> str:
    """Return the report; every format is imported by itself, as some take long."""
    if format_ is ReportFormat.json:
        from gpbench.reports.document import comparison_document

        return json.dumps(comparison_document(comparison), indent=2, allow_nan=False) + "\n"
    module, function = _WRITERS[format_]
    write: Callable[[Comparison], str] = getattr(import_module(module), function)
    return write(comparison)


_WRITERS = {
    ReportFormat.csv: ("gpbench.reports.raw", "comparison_csv"),
    ReportFormat.md: ("gpbench.reports.markdown", "comparison_markdown"),
    ReportFormat.html: ("gpbench.reports.html", "comparison_html"),
    ReportFormat.latex: ("gpbench.reports.latex", "comparison_latex"),
    ReportFormat.geobench2: ("gpbench.reports.interop", "geobench2_csv"),
    ReportFormat.evaluma: ("gpbench.reports.interop", "evaluma_csv"),
}
