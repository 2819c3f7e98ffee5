"""`gpbench compare`: tests strategies against a baseline on stored results or on any table."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

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
from gpbench.cli.output import stdout
from gpbench.core.errors import ConfigError, DataError
from gpbench.core.selector import expand, is_pattern, parse_selector, split_list

if TYPE_CHECKING:
    from gpbench.compare.comparison import Comparison
    from gpbench.compare.study import Study

app = typer.Typer()

NOT_MET = 4
"""Exit code of `--require`."""
INSTEAD = {
    "--plan": "gpbench plan shows what a design can decide",
    "--plots": "--format json holds all numbers that a plot would show",
}


class LevelName(enum.StrEnum):
    strategy = "strategy"
    checkpoint = "checkpoint"


class CorrectionName(enum.StrEnum):
    holm = "holm"
    bh = "bh"
    none = "none"


class ReportFormat(enum.StrEnum):
    table = "table"
    json = "json"
    csv = "csv"
    md = "md"


class Requirement(enum.StrEnum):
    better = "better"


@app.command()
def compare(
    arms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ARM]...",
            help="Candidates; commas and globs work. Default: every arm but the baseline.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="The arm to compare with. Default: imagenet.", show_default=False),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="mIoU or mF1, for all datasets. Default: mIoU.", show_default=False),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Only datasets scored by this protocol. Default: all.", show_default=False
        ),
    ] = None,
    level: Annotated[
        LevelName | None,
        typer.Option(
            help="Whether the claim is about strategies or about these pre-trained models. "
            "Default: strategies, where the design reaches that level.",
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
    plan: Annotated[bool, typer.Option("--plan", hidden=True)] = False,
    plots: Annotated[Path | None, typer.Option(hidden=True)] = None,
    rng_seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Seed of all resampling. Default: from the data's hash.",
            show_default=False,
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
    verbose: Verbose = 0,
    debug: Debug = False,
    no_color: NoColor = False,
) -> None:
    """Test strategies against a baseline on stored results, or on a table of any tool."""
    if plan or plots is not None:
        _refuse_later("--plan" if plan else "--plots")
    from gpbench.compare.compare import compare as compared
    from gpbench.compare.comparison import Request
    from gpbench.compare.table import table_study

    if table is not None and experiment is not None:
        raise ConfigError("--table and --experiment exclude each other: a table is no experiment")
    if table is not None:
        study = table_study(table, metric, protocol)
    else:
        study = _stored(db, workdir, experiment, metric, protocol)
    comparison = compared(
        study,
        Request(
            candidates=_candidates(arms or [], study.arms),
            baseline=baseline,
            level=None if level is None else level.value,
            margin=margin,
            alpha=alpha,
            correction=correction.value,
            rng_seed=rng_seed,
        ),
    )
    _hand_out(comparison, format_, output)
    if require is not None and not _met(comparison, require, level):
        raise typer.Exit(NOT_MET)


def _refuse_later(flag: str) -> NoReturn:
    """Refuse what this version cannot do yet: a flag is never ignored."""
    raise ConfigError(f"{flag} is not there yet: {INSTEAD[flag]}")


def _stored(
    db: str | None,
    workdir: Path | None,
    experiment: str | None,
    metric: str | None,
    protocol: str | None,
) -> Study:
    """Return the study of a stored experiment: the one named, else the one planned last."""
    from gpbench.compare.stored import stored_study
    from gpbench.store import Store

    url = database_url(db, workdir_path(workdir))
    with Store.open(url, read_only=True) as store:
        name = experiment or store.latest_experiment()
        if name is None:
            raise DataError(f"{url} holds no experiment yet: gpbench run makes one")
        return stored_study(store, name, metric, protocol)


def _candidates(texts: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the arms that texts name: an arm as it is, a list with commas, or globs."""
    names: list[str] = []
    for text in texts:
        for entry in [text] if text in known else split_list(text):
            if entry in known:
                names.append(entry)
            elif is_pattern(entry):
                names += expand([entry], known, "arm")[0]
            else:
                names.append(str(parse_selector(entry)))
    return tuple(names)


def _hand_out(comparison: Comparison, format_: ReportFormat, output: Path | None) -> None:
    """Print the report, or write it whole."""
    if output is None and format_ is ReportFormat.table:
        from gpbench.reports.terminal import print_comparison

        print_comparison(comparison, stdout())
    elif output is None:
        typer.echo(_text(comparison, format_), nl=False)
    else:
        part = output.with_name(f"{output.name}.part")
        try:
            part.write_text(_text(comparison, format_), encoding="utf-8")
            part.replace(output)
        except OSError as error:
            raise ConfigError(f"--output {output} cannot be written: {error.strerror}") from error


def _text(comparison: Comparison, format_: ReportFormat) -> str:
    if format_ is ReportFormat.json:
        from gpbench.reports.document import comparison_document

        return json.dumps(comparison_document(comparison), indent=2, allow_nan=False) + "\n"
    if format_ is ReportFormat.csv:
        from gpbench.reports.raw import comparison_csv

        return comparison_csv(comparison)
    if format_ is ReportFormat.md:
        from gpbench.reports.markdown import comparison_markdown

        return comparison_markdown(comparison)
    from gpbench.reports.terminal import comparison_text

    return comparison_text(comparison)


def _met(comparison: Comparison, required: Requirement, level: LevelName | None) -> bool:
    """Return whether every candidate has the verdict, about strategies unless asked otherwise."""
    wanted = LevelName.strategy if level is None else level
    return all(
        contrast.finding.verdict == required.value and contrast.finding.level == wanted.value
        for contrast in comparison.contrasts
    )
