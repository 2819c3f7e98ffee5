"""`gpbench calibrate`: how often `compare` calls equal strategies different, in a design."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpbench.cli import compare_options as options
from gpbench.cli.compare_arms import named
from gpbench.cli.compared import compared_study, write_report
from gpbench.cli.options import (
    DataFormat,
    Db,
    Debug,
    ExperimentName,
    Format,
    NoColor,
    Verbose,
    Workdir,
)
from gpbench.cli.output import stdout
from gpbench.cli.progress import counting
from gpbench.cli.session import place_of
from gpbench.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from gpbench.compare.calibrate import Calibration

app = typer.Typer()

PATIENCE_S = 2.0
"""What takes no longer shows no progress."""
COUNTS = {"--arms": 3, "--datasets": 4, "--pretrain-seeds": 3, "--seeds": 1}
DESIGN = {**COUNTS, "--sd-pre": 1.0, "--sd-ft": 1.0}
"""Of a made-up design, where one of these flags asks for it and others are left out."""


@app.command()
def calibrate(
    arms: options.Arms = None,
    baseline: options.Baseline = None,
    metric: options.MetricName = None,
    protocol: options.Protocol = None,
    level: options.Level = None,
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="PP",
            help="Count how often equal arms are called equivalent, too.",
            show_default=False,
        ),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Chance of a false claim that is promised.")] = 0.05,
    correction: options.Correction = None,
    experiment: ExperimentName = None,
    table: options.Table = None,
    draws: Annotated[
        int,
        typer.Option(
            min=1,
            help="Experiments to simulate, and the most splits of an arm's own runs; with max-t "
            "each takes ten times as long.",
        ),
    ] = 1_000,
    rng_seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed of all draws. Default: from the data's hash.", show_default=False
        ),
    ] = None,
    pretrain_seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="P",
            help="Calibrate a made-up design, without any results: pre-trainings of each arm. [3]",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="K",
            help="Made-up design: fine-tunings of each pre-training. [1]",
            show_default=False,
        ),
    ] = None,
    n_datasets: Annotated[
        int | None,
        typer.Option(
            "--datasets",
            min=1,
            metavar="D",
            help="Made-up design: datasets, which share an arm's pre-trainings. [4]",
            show_default=False,
        ),
    ] = None,
    n_arms: Annotated[
        int | None,
        typer.Option(
            "--arms",
            min=2,
            metavar="N",
            help="Made-up design: arms, the baseline included. [3]",
            show_default=False,
        ),
    ] = None,
    sd_pre: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            metavar="PP",
            help="Made-up design: standard deviation of a pre-training. [1]",
            show_default=False,
        ),
    ] = None,
    sd_ft: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            metavar="PP",
            help="Made-up design: standard deviation of a fine-tuning. [1]",
            show_default=False,
        ),
    ] = None,
    format_: Format = DataFormat.table,
    output: options.Output = None,
    workdir: Workdir = None,
    db: Db = None,
    verbose: Verbose = 0,
    debug: Debug = False,
    no_color: NoColor = False,
) -> None:
    """Show how often `compare` calls equal strategies different: in this design, by its spread.

    It judges simulated equal arms, and halves of each arm's own runs: see docs/calibrate.md.
    """
    os.environ.setdefault(*options.ONE_THREAD)  # before numpy is loaded
    from gpbench.compare.calibrate import calibrate_design, calibrate_study
    from gpbench.compare.comparison import Request
    from gpbench.compare.equal_arms import Sds, made_design

    given = {
        "--pretrain-seeds": pretrain_seeds,
        "--seeds": seeds,
        "--datasets": n_datasets,
        "--arms": n_arms,
        "--sd-pre": sd_pre,
        "--sd-ft": sd_ft,
    }
    made_up = {flag: value for flag, value in given.items() if value is not None}
    request = Request(
        level=None if level is None else level.value,
        margin=margin,
        alpha=alpha,
        correction=None if correction is None else correction.value,
        rng_seed=rng_seed,
    )
    with ExitStack() as stack:
        tell = stack.enter_context(_patiently("comparing"))
        if made_up:
            of_results = {
                "--table": table,
                "--experiment": experiment,
                "--metric": metric,
                "--protocol": protocol,
            }
            for flag, value in of_results.items():
                if value is not None:
                    told = f"{min(made_up)} asks for a made-up design, without results"
                    raise ConfigError(f"{told}: leave out {flag}")
            number = DESIGN | made_up
            design = made_design(*(int(number[flag]) for flag in COUNTS))
            request = replace(request, **named(arms or [], baseline, None, design.arms))
            sds = Sds(number["--sd-pre"], number["--sd-ft"])
            found = calibrate_design(design, sds, request, draws, tell)
        else:
            place = place_of(workdir, db)
            opened = compared_study(place, experiment, table, metric, protocol)
            study = stack.enter_context(opened).study
            request = replace(request, **named(arms or [], baseline, None, study.arms))
            found = calibrate_study(study, request, draws, tell)
    _hand_out(found, format_, output, detailed=verbose > 0)


@contextmanager
def _patiently(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows a bar on stderr once two seconds have gone by."""
    began, show = time.monotonic(), None
    with ExitStack() as stack:

        def tell(done: int, total: int) -> None:
            nonlocal show
            if show is None and time.monotonic() - began > PATIENCE_S:
                show = stack.enter_context(counting(what))
            if show is not None:
                show(done, total)

        yield tell


def _hand_out(
    calibration: Calibration, format_: DataFormat, output: Path | None, *, detailed: bool
) -> None:
    """Print the report, or write it whole."""
    from gpbench.reports.calibration import calibration_summary, tones
    from gpbench.reports.calibration_document import calibration_document
    from gpbench.reports.terminal import plain_text, print_summary

    def printed(console: Console) -> None:
        report = calibration_summary(calibration)
        print_summary(report, tones(calibration), console, detailed=detailed)

    if format_ is DataFormat.json:
        text = json.dumps(calibration_document(calibration), indent=2, allow_nan=False) + "\n"
    elif output is None:
        printed(stdout())
        return
    else:
        text = plain_text(printed)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_report(text, output)
